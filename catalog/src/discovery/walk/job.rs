//! The requests of a walk: a page of the keys in a range, or of a directory's children.

use std::sync::Arc;

use super::remembered::Range;
use crate::{
    discovery::store::{Lister, OpenLocation},
    model::Column,
};

/// The place that a walk lists, shared by its requests.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) lister: Arc<dyn Lister>,
    /// The key prefix of the table's root, with its final `/`; empty for the root of the store.
    pub(super) root: String,
    pub(super) keys: Vec<Column>,
    /// Whether listings can begin at any key.
    pub(super) seeks: bool,
}

/// A page to request.
#[derive(Debug, Clone)]
pub(super) enum Job {
    Keys(Keys),
    Children(Children),
}

/// The keys after one point up to another. Points are relative to the root, and need not exist.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// The directories in the range, all at one level; empty if they are not known.
    pub(super) children: Vec<String>,
    /// The level of the children: 1 is the first below the root.
    pub(super) level: usize,
    pub(super) after: String,
    /// `None` is the end.
    pub(super) until: Option<String>,
    pub(super) token: Option<String>,
    /// Where the range that will be remembered begins: between directories.
    pub(super) note_after: String,
    /// The last directory that was reported before.
    pub(super) last: Option<String>,
    /// Pages of the same range before this one.
    pub(super) pages: usize,
    /// Whether it is the first page of a first walk.
    pub(super) is_probe: bool,
}

/// The children of a directory after one point up to another.
#[derive(Debug, Clone)]
pub(super) struct Children {
    /// Relative to the root, without a final `/`; empty for the root.
    pub(super) directory: String,
    /// The directory's level: 0 is the root.
    pub(super) level: usize,
    /// Empty for the directory's beginning.
    pub(super) after: String,
    pub(super) until: Option<String>,
    pub(super) token: Option<String>,
    /// The number of keys in a child, if known.
    pub(super) per_child: Option<f64>,
}

impl Children {
    pub(super) fn of_root() -> Self {
        Self { directory: String::new(), level: 0, after: String::new(), until: None, token: None, per_child: None }
    }

    /// The directory as a prefix of keys.
    pub(super) fn base(&self) -> String {
        if self.directory.is_empty() { String::new() } else { format!("{}/", self.directory) }
    }
}

impl Keys {
    /// The range, known to be empty.
    pub(super) fn empty(&self) -> Range {
        Range { directory: None, after: self.note_after.clone(), until: self.until.clone(), count: 0 }
    }
}

impl Job {
    pub(super) fn of_range(range: Range) -> Self {
        let Range { directory, after, until, .. } = range;
        match directory {
            Some(directory) => {
                let level = if directory.is_empty() { 0 } else { directory.split('/').count() };
                Self::Children(Children { directory, level, after, until, token: None, per_child: None })
            }
            None => Self::Keys(Keys { note_after: after.clone(), after, until, ..Keys::default() }),
        }
    }
}

/// The point after everything in a directory: `0` comes after `/`.
pub(super) fn end_of(directory: &str) -> String {
    format!("{directory}0")
}

impl Place {
    pub(super) fn new(location: &OpenLocation, keys: &[Column]) -> Self {
        let prefix = location.prefix.trim_end_matches('/');
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { lister: Arc::clone(&location.lister), root, keys: keys.to_vec(), seeks: location.lister.seeks() }
    }
}
