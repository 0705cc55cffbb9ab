//! The newest known index of each table, within a budget of bytes, and the way to a newer one from it.

use std::sync::Arc;

use moka::{
    future::Cache,
    ops::compute::{CompResult, Op},
};

use crate::{
    error::{Error, Result},
    model::Table,
    partition::PartitionIndex,
};

/// How many bytes of partition indexes are kept: several tables with a million partitions each.
const BUDGET: u64 = 512 << 20;

/// An index, and the version of its table that it is of.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    pub(super) version: i64,
    pub(super) index: Arc<PartitionIndex>,
}

/// By table id.
#[derive(Debug)]
pub(super) struct IndexCache(Cache<i64, Indexed>);

impl IndexCache {
    pub(super) fn new() -> Self {
        let weight = |_: &i64, indexed: &Indexed| u32::try_from(indexed.index.memory_size()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(BUDGET).weigher(weight).build())
    }

    /// The index of a table, of at least its version. `load` gets what is known of another version. Several who ask at once wait for one who loads.
    ///
    /// # Errors
    /// Those of `load`.
    pub(super) async fn get<F>(&self, table: &Table, load: impl FnOnce(Option<Indexed>) -> F) -> Result<Arc<PartitionIndex>>
    where
        F: Future<Output = Result<Indexed>>,
    {
        // A version that is newer than the table's may be of another catalog in the same place: `load` sees to that.
        let is_new = |indexed: &Indexed| indexed.version == table.version;
        if let Some(indexed) = self.0.get(&table.id).await.filter(is_new) {
            return Ok(indexed.index);
        }
        let compute = |entry: Option<moka::Entry<i64, Indexed>>| async move {
            match entry.map(moka::Entry::into_value) {
                Some(indexed) if is_new(&indexed) => Ok(Op::Nop),
                // One with other keys is of no use.
                other => load(other.filter(|other| other.index.keys() == table.partition_keys)).await.map(Op::Put),
            }
        };
        match self.0.entry(table.id).and_try_compute_with(compute).await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Ok(entry.into_value().index)
            }
            CompResult::StillNone(_) | CompResult::Removed(_) => Err(Error::internal("an index was loaded and is not there")),
        }
    }
}
