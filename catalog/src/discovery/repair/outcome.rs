//! The progress and the result of a repair.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::discovery::directory::Ignored;

/// The progress of a repair. The figures only grow.
#[derive(Debug, Default)]
pub struct RepairProgress {
    pub(super) found: AtomicU64,
    pub(super) added: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl RepairProgress {
    /// Directories of partitions found.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found.load(Relaxed)
    }

    /// Partitions added and committed.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.added.load(Relaxed)
    }

    /// Partitions dropped and committed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// Partitions of one kind: the names of the first ones, and their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub names: Vec<String>,
    pub count: usize,
}

/// The result of a repair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Partitions that the catalog did not have. They were added, unless the repair only drops.
    pub missing_in_metastore: Named,
    /// Partitions whose directories do not exist. They were dropped, if the repair drops. Those with their own location are included only if the
    /// repair drops, as only then their locations are listed.
    pub missing_from_storage: Named,
    /// Directories that are not partitions, by path, without hidden ones.
    pub ignored: Vec<Ignored>,
    /// Pages listed.
    pub pages: u64,
}
