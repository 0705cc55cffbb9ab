//! The ranges in which a table's keys were listed, so that the next walk lists all of them at once, in about as many pages.
//!
//! Ranges cover every key below the root but those of directories that are hidden or ignored. Whether a range still fits a page shows when it is listed.

use serde::{Deserialize, Serialize};

/// Keys that a remembered range holds at most: a little less than a page, so that it may grow.
const FILL: usize = 950;
/// Keys of a page that are noted together, to be put together anew.
pub(super) const GRAIN: usize = 100;
/// A lake with more ranges than this is walked as if for the first time.
const MOST: usize = 20_000;

/// The keys after one point up to another; points are keys below the root, and need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Range {
    /// The directory whose children are listed; absent where keys are.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(super) directory: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "String::is_empty")]
    pub(super) after: String,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
    /// How many keys, or children, there were.
    #[serde(rename = "n")]
    pub(super) count: usize,
}

/// Notes ranges as they are listed.
#[derive(Debug, Default)]
pub(super) struct Notes {
    ranges: Vec<Range>,
    /// Whether something was listed in a way that these ranges do not tell.
    incomplete: bool,
}

impl Notes {
    pub(super) fn add(&mut self, ranges: Vec<Range>) {
        self.ranges.extend(ranges);
    }

    pub(super) fn give_up(&mut self) {
        self.incomplete = true;
    }

    /// The ranges in order, neighbours put together as far as they fit a page; nothing if they are not worth remembering.
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

/// The ranges that an earlier walk noted; none if they are not to be understood.
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
    fn neighbours_are_put_together_and_gaps_stay() {
        let mut notes = Notes::default();
        notes.add(vec![range("k=5", None, 7), range("", Some("k=1"), 400), range("k=1", Some("k=3"), 500)]);
        notes.add(vec![range("k=3", Some("k=4"), 100)]);
        let ranges = read(&notes.finish().unwrap());
        assert_eq!(ranges, [range("", Some("k=3"), 900), range("k=3", Some("k=4"), 100), range("k=5", None, 7)]);
        assert!(read(b"not ours").is_empty());
    }

    #[test]
    fn what_is_not_told_whole_is_not_remembered() {
        let mut notes = Notes::default();
        notes.add(vec![range("", None, 1)]);
        notes.give_up();
        assert_eq!(notes.finish(), None);
        assert_eq!(Notes::default().finish(), None);
    }
}
