//! The ranges in which a table's keys were listed, so that the next walk lists them concurrently, in about as many pages.
//!
//! The ranges cover all keys below the root except for those in hidden or ignored directories. A range that no longer fits a page is split again.

use serde::{Deserialize, Serialize};

/// Keys in a remembered range, at most: a little less than a page, so that it may grow.
const FILL: usize = 950;
/// Keys that are recorded as one range, to be merged with their neighbours.
pub(super) const GRAIN: usize = 100;
/// With more ranges than this, nothing is remembered.
const MOST: usize = 20_000;

/// The keys after one point up to another; points are keys below the root, and need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    /// The directory whose children are listed; absent if keys are listed.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) directory: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "String::is_empty")]
    pub(super) after: String,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    /// The number of keys, or of children.
    #[serde(rename = "n")]
    pub(super) count: usize,
}

/// Records ranges as they are listed.
#[derive(Debug, Default)]
pub(super) struct Notes {
    ranges: Vec<Range>,
    /// Whether something was listed that these ranges do not cover.
    incomplete: bool,
}

impl Notes {
    pub(super) fn add(&mut self, ranges: Vec<Range>) {
        self.ranges.extend(ranges);
    }

    pub(super) fn give_up(&mut self) {
        self.incomplete = true;
    }

    /// The ranges in order, with neighbours merged as far as they fit a page; `None` if they are not worth remembering.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.incomplete {
            return None;
        }
        self.ranges.sort_by(|a, b| a.after.cmp(&b.after).then_with(|| a.until.is_none().cmp(&b.until.is_none())));
        let mut merged: Vec<Range> = Vec::new();
        for range in self.ranges {
            match merged.last_mut() {
                Some(last)
                    if last.until.as_ref() == Some(&range.after)
                        && last.directory == range.directory
                        && last.count + range.count <= FILL =>
                {
                    last.until = range.until;
                    last.count += range.count;
                }
                _ => merged.push(range),
            }
        }
        if merged.len() > MOST || merged.is_empty() {
            return None;
        }
        serde_json::to_vec(&merged).ok()
    }
}

/// The ranges of an earlier walk; none if they cannot be decoded.
pub(super) fn read(bytes: &[u8]) -> Vec<Range> {
    serde_json::from_slice(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(after: &str, until: Option<&str>, count: usize) -> Range {
        Range { directory: None, after: after.to_owned(), until: until.map(str::to_owned), count }
    }

    #[test]
    fn neighbours_are_merged_and_gaps_stay() {
        let mut notes = Notes::default();
        notes.add(vec![range("k=5", None, 7), range("", Some("k=1"), 400), range("k=1", Some("k=3"), 500)]);
        notes.add(vec![range("k=3", Some("k=4"), 100)]);
        let ranges = read(&notes.finish().unwrap());
        assert_eq!(ranges, [range("", Some("k=3"), 900), range("k=3", Some("k=4"), 100), range("k=5", None, 7)]);
        assert!(read(b"not ours").is_empty());
    }

    #[test]
    fn incomplete_ranges_are_not_remembered() {
        let mut notes = Notes::default();
        notes.add(vec![range("", None, 1)]);
        notes.give_up();
        assert_eq!(notes.finish(), None);
        assert_eq!(Notes::default().finish(), None);
    }
}
