//! Which entries stay in a tier, by how often and how recently they were used. Pure: it knows entries by number and weight only.
//!
//! Newcomers enter a window of an eighth of the capacity, where the least recently used falls out. What falls out enters the main part if
//! there is room; otherwise only if it was used twice at least, and more often than what would have to leave for it. So a scan of
//! any length passes through the window, a table that almost fits keeps its hits, and a query that is run again at once finds its data.
//!
//! Uses are counted from the first on, also of what is not held (a caching library that begins to count only when it is half full
//! lets the first scan flush what was used until then), and halved now and then, so that what was popular once does not stay for ever.

use std::collections::{BTreeMap, HashMap};

/// The share of the capacity that newcomers get.
const WINDOW_SHARE: u64 = 8;
/// Entries looked at that are used too often to leave, before a newcomer is turned away.
const LOOKED_AT: usize = 16;
/// Used less often than this, nothing displaces anything.
const USED_AGAIN: u8 = 2;
/// What an entry weighs on average, for the size of the counters.
const TYPICAL_WEIGHT: u64 = 32 << 10;

pub(super) type EntryId = u64;

/// The order of a tier's entries, and the count of their uses.
#[derive(Debug)]
pub(super) struct Policy {
    entries: HashMap<EntryId, Entry>,
    window: Queue,
    main: Queue,
    uses: Uses,
    ticks: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    weight: u64,
    tick: u64,
    in_window: bool,
}

/// Entries by the time of their last use.
#[derive(Debug)]
struct Queue {
    order: BTreeMap<u64, EntryId>,
    weight: u64,
    capacity: u64,
}

impl Policy {
    pub(super) fn new(capacity: u64) -> Self {
        let queue = |capacity| Queue { order: BTreeMap::new(), weight: 0, capacity };
        let window = capacity / WINDOW_SHARE;
        Self {
            entries: HashMap::new(),
            window: queue(window),
            main: queue(capacity - window),
            uses: Uses::new(capacity / TYPICAL_WEIGHT),
            ticks: 0,
        }
    }

    /// What the entries weigh together; at most the capacity.
    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.window.weight + self.main.weight
    }

    /// Whether a lone entry of that weight could stay.
    pub(super) fn has_place_for(&self, weight: u64) -> bool {
        weight <= self.main.capacity
    }

    /// How often something was used lately, whether it is held or not.
    pub(super) fn used(&self, hash: u64) -> u8 {
        self.uses.count(hash)
    }

    /// Counts a use of an entry.
    pub(super) fn touch(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get(&id).copied() else { return };
        self.uses.add(entry.hash);
        self.take(id);
        self.place(id, entry, entry.in_window);
    }

    /// Takes up a new entry, used at least that often; tells what has to go, which may be the entry itself.
    pub(super) fn insert(&mut self, id: EntryId, hash: u64, weight: u64, used: u8) -> Vec<EntryId> {
        self.uses.add(hash);
        while self.uses.count(hash) < used.min(Uses::MOST) {
            self.uses.add(hash);
        }
        let entry = Entry { hash, weight, tick: 0, in_window: true };
        let mut gone = Vec::new();
        if weight > self.window.capacity {
            self.promote(id, entry, &mut gone);
            return gone;
        }
        self.place(id, entry, true);
        while self.window.weight > self.window.capacity {
            let Some(oldest) = self.window.order.first_key_value().map(|(_, id)| *id) else { break };
            if let Some(entry) = self.take(oldest) {
                self.promote(oldest, entry, &mut gone);
            }
        }
        gone
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        self.take(id);
    }

    /// Moves an entry into the main part, in place of others that are used less, or lets it go.
    fn promote(&mut self, id: EntryId, entry: Entry, gone: &mut Vec<EntryId>) {
        let missing = (self.main.weight + entry.weight).saturating_sub(self.main.capacity);
        match self.victims(missing, self.uses.count(entry.hash)) {
            Some(victims) if self.has_place_for(entry.weight) => {
                for victim in &victims {
                    self.take(*victim);
                }
                gone.extend(victims);
                self.place(id, entry, false);
            }
            _ => gone.push(id),
        }
    }

    /// The entries of the main part that give way to one used `used` times; `None` if that would be too few.
    fn victims(&mut self, missing: u64, used: u8) -> Option<Vec<EntryId>> {
        let mut victims = Vec::new();
        if missing == 0 {
            return Some(victims);
        }
        if used < USED_AGAIN {
            return None;
        }
        let (mut freed, mut stay) = (0, Vec::new());
        for id in self.main.order.values() {
            let Some(entry) = self.entries.get(id) else { continue };
            if self.uses.count(entry.hash) < used {
                victims.push(*id);
                freed += entry.weight;
            } else {
                stay.push(*id);
            }
            if freed >= missing || stay.len() == LOOKED_AT {
                break;
            }
        }
        // The next newcomer is measured against others.
        for id in stay {
            if let Some(entry) = self.take(id) {
                self.place(id, entry, false);
            }
        }
        (freed >= missing).then_some(victims)
    }

    fn take(&mut self, id: EntryId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        let queue = if entry.in_window { &mut self.window } else { &mut self.main };
        queue.order.remove(&entry.tick);
        queue.weight -= entry.weight;
        Some(entry)
    }

    fn place(&mut self, id: EntryId, entry: Entry, in_window: bool) {
        self.ticks += 1;
        let queue = if in_window { &mut self.window } else { &mut self.main };
        queue.order.insert(self.ticks, id);
        queue.weight += entry.weight;
        self.entries.insert(id, Entry { tick: self.ticks, in_window, ..entry });
    }
}

/// About how often each of many things was used: a count-min sketch, of which only the smallest counters of a thing grow.
#[derive(Debug)]
struct Uses {
    /// [`Uses::ROWS`] rows of a power of two.
    counters: Vec<u8>,
    width_bits: u32,
    added: u64,
}

impl Uses {
    const ROWS: usize = 4;
    const MOST: u8 = 15;
    const FACTORS: [u64; Self::ROWS] =
        [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93, 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

    /// Counters for that many things: sixteen a row for each, so that few are shared before they are halved.
    fn new(things: u64) -> Self {
        let width = things.saturating_mul(16).clamp(1 << 12, 1 << 21).next_power_of_two();
        Self { counters: vec![0; width as usize * Self::ROWS], width_bits: width.trailing_zeros(), added: 0 }
    }

    fn places(&self, hash: u64) -> [usize; Self::ROWS] {
        let mut row = 0;
        Self::FACTORS.map(|factor| {
            let mixed = (hash ^ (hash >> 32)).wrapping_mul(factor);
            row += 1;
            ((row - 1) << self.width_bits) + (mixed >> (64 - self.width_bits)) as usize
        })
    }

    fn count(&self, hash: u64) -> u8 {
        self.places(hash).into_iter().map(|place| self.counters[place]).min().unwrap_or(0)
    }

    fn add(&mut self, hash: u64) {
        let count = self.count(hash);
        if count == Self::MOST {
            return;
        }
        for place in self.places(hash) {
            if self.counters[place] == count {
                self.counters[place] += 1;
            }
        }
        self.added += 1;
        if self.added >= 1 << (self.width_bits - 1) {
            self.counters.iter_mut().for_each(|counter| *counter /= 2);
            self.added /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (n << 17)
    }

    fn insert(policy: &mut Policy, id: u64, weight: u64) -> Vec<EntryId> {
        policy.insert(id, hash(id), weight, 0)
    }

    #[test]
    fn a_scan_passes_through_the_window() {
        let mut policy = Policy::new(1000);
        for id in 0..40 {
            assert!(insert(&mut policy, id, 10).is_empty());
            policy.touch(id);
        }
        let mut gone = Vec::new();
        for id in 1000..9000 {
            gone.extend(insert(&mut policy, id, 10));
            assert!(policy.weight() <= 1000);
        }
        assert!(gone.iter().all(|id| *id >= 1000), "{:?}", gone.iter().filter(|id| **id < 1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_round_that_almost_fits_keeps_most_of_its_hits() {
        let mut policy = Policy::new(1000);
        let mut held = std::collections::HashSet::new();
        let mut hits = 0;
        for round in 0..5 {
            for id in 0..110 {
                if held.contains(&id) {
                    policy.touch(id);
                    hits += usize::from(round == 4);
                } else {
                    held.insert(id);
                    for gone in insert(&mut policy, id, 10) {
                        held.remove(&gone);
                    }
                }
            }
        }
        assert!(hits >= 75, "{hits}");
    }

    #[test]
    fn what_is_used_again_displaces_what_is_not() {
        let mut policy = Policy::new(800);
        for id in 0..80 {
            insert(&mut policy, id, 10);
        }
        let (mut gone, newcomers) = (Vec::new(), 100..120);
        for _ in 0..4 {
            for id in newcomers.clone() {
                if policy.entries.contains_key(&id) {
                    policy.touch(id);
                } else {
                    gone.extend(insert(&mut policy, id, 10));
                }
            }
        }
        assert!(newcomers.clone().all(|id| policy.entries.contains_key(&id)));
        assert!(policy.weight() <= 800);
    }

    #[test]
    fn what_is_larger_than_its_place_goes_at_once() {
        let mut policy = Policy::new(100);
        assert_eq!(insert(&mut policy, 1, 90), [1]);
        assert!(insert(&mut policy, 2, 80).is_empty());
        assert_eq!(policy.weight(), 80);
        policy.remove(2);
        assert_eq!(policy.weight(), 0);
    }

    #[test]
    fn uses_are_forgotten_in_time() {
        let mut uses = Uses::new(0);
        (0..20).for_each(|_| uses.add(7));
        assert_eq!(uses.count(7), Uses::MOST);
        (0..20_000).for_each(|n| uses.add(hash(n + 1)));
        assert!(uses.count(7) < 3);
    }
}
