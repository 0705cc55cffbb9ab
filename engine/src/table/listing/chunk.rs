//! The files of some partitions, as stored in a snapshot.

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;

/// The recorded files of one partition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recorded {
    /// The Hive name; empty for a table without partition keys.
    pub(super) partition: String,
    /// Its own location, if it had one.
    pub(super) own_location: Option<String>,
    pub(super) taken_at: DateTime<Utc>,
    pub(super) files: Vec<ObjectMeta>,
}

/// The records of neighbours, by partition.
#[derive(Debug, Default)]
pub(super) struct Chunk(pub(super) Vec<Recorded>);

impl Chunk {
    pub(super) fn find(&self, partition: &str) -> Option<&Recorded> {
        self.0.binary_search_by(|recorded| recorded.partition.as_str().cmp(partition)).ok().map(|at| &self.0[at])
    }

    pub(super) fn memory_size(&self) -> usize {
        let file = |meta: &ObjectMeta| size_of::<ObjectMeta>() + meta.location.as_ref().len() + 40;
        let recorded = |recorded: &Recorded| {
            size_of::<Recorded>() + recorded.partition.len() + recorded.files.iter().map(file).sum::<usize>()
        };
        self.0.iter().map(recorded).sum()
    }
}
