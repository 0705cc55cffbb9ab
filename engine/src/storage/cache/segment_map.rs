//! Which segments a tier has, by object and position, and which are evicted for a new one. No IO, no locks.
//!
//! No segment of an object lies within another. So the order of their starts is also the order of their ends, and a range is covered if one can
//! walk across it from segment to segment.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash, RandomState},
    ops::Range,
};

use super::policy::{EntryId, Policy};

/// The segments of a tier: `K` names an object, `V` is what the tier keeps of a segment.
#[derive(Debug)]
pub(super) struct SegmentMap<K, V> {
    objects: HashMap<K, BTreeMap<u64, EntryId>>,
    segments: HashMap<EntryId, Segment<K, V>>,
    policy: Policy,
    hasher: RandomState,
    next: EntryId,
}

/// One range of one object.
#[derive(Debug, Clone)]
pub(super) struct Segment<K, V> {
    pub object: K,
    pub range: Range<u64>,
    pub value: V,
}

/// What of a wanted range lies in a segment.
#[derive(Debug)]
pub(super) struct Part<V> {
    pub range: Range<u64>,
    /// The whole of the segment.
    pub segment: Range<u64>,
    pub value: V,
}

impl<K: Clone + Eq + Hash, V: Clone> SegmentMap<K, V> {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            objects: HashMap::new(),
            segments: HashMap::new(),
            policy: Policy::new(capacity),
            hasher: RandomState::new(),
            next: 0,
        }
    }

    /// What the segments weigh together.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.policy.weight()
    }

    /// What is held of a range: in order, without overlaps. Counts as a use.
    pub(super) fn parts(&mut self, object: &K, range: &Range<u64>) -> Vec<Part<V>> {
        let mut parts = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let Some((id, segment)) = self.at_or_after(object, at) else { break };
            let start = at.max(segment.range.start);
            if start >= range.end {
                break;
            }
            at = segment.range.end.min(range.end);
            parts.push(Part { range: start..at, segment: segment.range.clone(), value: segment.value.clone() });
            self.policy.touch(id);
        }
        parts
    }

    /// Whether all of a range is held.
    pub(super) fn covers(&self, object: &K, range: &Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.at_or_after(object, at) {
                Some((_, segment)) if segment.range.start <= at => at = segment.range.end,
                _ => return false,
            }
        }
        true
    }

    /// Whether this very segment is held.
    pub(super) fn contains(&self, object: &K, range: &Range<u64>) -> bool {
        self.find(object, range).is_some()
    }

    /// Whether a segment of that weight is worth offering.
    pub(super) fn wants(&self, object: &K, range: &Range<u64>, weight: u64) -> bool {
        self.policy.has_place_for(weight) && !self.covers(object, range)
    }

    /// Takes up a segment; tells which are held no longer, which may be the new one. What is covered already goes at once, as do
    /// segments that lie within the new one.
    pub(super) fn put(&mut self, object: K, range: Range<u64>, weight: u64, value: V) -> Vec<Segment<K, V>> {
        let segment = Segment { object, range, value };
        if !self.wants(&segment.object, &segment.range, weight) {
            return vec![segment];
        }
        let mut used = 0;
        let mut removed = Vec::new();
        let starts = self.objects.get(&segment.object).into_iter().flat_map(|starts| starts.range(segment.range.clone()));
        let inner: Vec<EntryId> = starts.map(|(_, id)| *id).collect();
        for id in inner {
            if self.segments.get(&id).is_some_and(|inner| inner.range.end <= segment.range.end) {
                used = used.max(self.segments.get(&id).map_or(0, |inner| self.policy.used(self.hash(inner))));
                self.policy.remove(id);
                removed.extend(self.drop_segment(id));
            }
        }
        self.next += 1;
        let id = self.next;
        let hash = self.hash(&segment);
        self.objects.entry(segment.object.clone()).or_default().insert(segment.range.start, id);
        self.segments.insert(id, segment);
        for gone in self.policy.insert(id, hash, weight, used) {
            removed.extend(self.drop_segment(gone));
        }
        removed
    }

    /// Forgets a segment; false if it is not held.
    pub(super) fn remove(&mut self, object: &K, range: &Range<u64>) -> bool {
        let Some(id) = self.find(object, range) else { return false };
        self.policy.remove(id);
        self.drop_segment(id).is_some()
    }

    /// All that is held.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment<K, V>> {
        self.segments.values()
    }

    fn find(&self, object: &K, range: &Range<u64>) -> Option<EntryId> {
        let id = *self.objects.get(object)?.get(&range.start)?;
        self.segments.get(&id).filter(|segment| segment.range == *range).map(|_| id)
    }

    /// The segment that reaches furthest from a place, or the first one after it.
    fn at_or_after(&self, object: &K, at: u64) -> Option<(EntryId, &Segment<K, V>)> {
        let starts = self.objects.get(object)?;
        let here =
            starts.range(..=at).next_back().filter(|(_, id)| self.segments.get(id).is_some_and(|held| held.range.end > at));
        let (_, id) = here.or_else(|| starts.range(at..).next())?;
        Some((*id, self.segments.get(id)?))
    }

    fn drop_segment(&mut self, id: EntryId) -> Option<Segment<K, V>> {
        let segment = self.segments.remove(&id)?;
        if let Some(starts) = self.objects.get_mut(&segment.object) {
            starts.remove(&segment.range.start);
            if starts.is_empty() {
                self.objects.remove(&segment.object);
            }
        }
        Some(segment)
    }

    /// By its start, so that a use is counted for the same place however much was fetched with it.
    fn hash(&self, segment: &Segment<K, V>) -> u64 {
        self.hasher.hash_one((&segment.object, segment.range.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(held: &mut SegmentMap<u8, u64>, range: Range<u64>) -> Vec<Range<u64>> {
        let weight = range.end - range.start;
        held.put(1, range.clone(), weight, range.start).into_iter().map(|segment| segment.range).collect()
    }

    fn parts(held: &mut SegmentMap<u8, u64>, range: &Range<u64>) -> Vec<(Range<u64>, u64)> {
        held.parts(&1, range).into_iter().map(|part| (part.range, part.value)).collect()
    }

    #[test]
    fn neighbours_and_overlaps_cover_a_range() {
        let mut held = SegmentMap::new(10_000);
        for range in [10..20, 20..30, 25..40, 50..60] {
            assert!(put(&mut held, range).is_empty());
        }
        assert_eq!(parts(&mut held, &(12..38)), [(12..20, 10), (20..30, 20), (30..38, 25)]);
        assert!(held.covers(&1, &(10..40)));
        assert!(!held.covers(&1, &(9..11)));
        assert!(!held.covers(&1, &(39..41)));
        assert!(!held.covers(&2, &(12..13)));
        assert_eq!(parts(&mut held, &(0..55)).last(), Some(&(50..55, 50)));
        assert_eq!(parts(&mut held, &(40..50)), []);
    }

    #[test]
    fn a_larger_segment_takes_the_place_of_smaller_ones() {
        let mut held = SegmentMap::new(10_000);
        put(&mut held, 10..20);
        put(&mut held, 22..30);
        put(&mut held, 28..50);
        assert_eq!(put(&mut held, 10..40), [10..20, 22..30]);
        assert_eq!(put(&mut held, 12..45).len(), 1, "covered already");
        assert_eq!(parts(&mut held, &(10..50)), [(10..40, 10), (40..50, 28)]);
        assert_eq!(held.weight(), 52);
        assert!(held.remove(&1, &(10..40)));
        assert!(!held.remove(&1, &(28..49)));
        assert_eq!(held.segments().count(), 1);
    }

    #[test]
    fn what_leaves_is_told() {
        let mut held = SegmentMap::new(100);
        let mut gone = 0;
        for at in 0..100 {
            gone += put(&mut held, at * 10..at * 10 + 10).len();
        }
        assert_eq!(held.segments().count() + gone, 100);
        assert!(held.weight() <= 100);
        assert_eq!(put(&mut held, 2000..2095).len(), 1);
        assert!(!held.covers(&1, &(2000..2001)));
    }
}
