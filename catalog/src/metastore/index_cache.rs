//! A cache of partition indexes: the newest known one of each table, within a budget of bytes.

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

/// Bytes of partition indexes that are cached: several tables with a million partitions each.
const BUDGET: u64 = 512 << 20;

/// An index with the version of its table.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    pub(crate) version: i64,
    pub(crate) index: Arc<PartitionIndex>,
}

/// Indexes by table id.
#[derive(Debug)]
pub(crate) struct IndexCache(Cache<i64, Indexed>);

impl IndexCache {
    pub(crate) fn new() -> Self {
        let weight = |_: &i64, indexed: &Indexed| u32::try_from(indexed.index.memory_size()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(BUDGET).weigher(weight).build())
    }

    /// The index of a table, at its version or a later one. `load` is given the cached index of another version, if there is one. Concurrent callers
    /// wait for one load.
    ///
    /// # Errors
    /// Those of `load`.
    pub(crate) async fn get<F>(&self, table: &Table, load: impl FnOnce(Option<Indexed>) -> F) -> Result<Arc<PartitionIndex>>
    where
        F: Future<Output = Result<Indexed>>,
    {
        // A newer version than the table's may be from another catalog at the same place: `load` handles that.
        let is_new = |indexed: &Indexed| indexed.version == table.version;
        if let Some(indexed) = self.0.get(&table.id).await.filter(is_new) {
            return Ok(indexed.index);
        }
        let compute = |entry: Option<moka::Entry<i64, Indexed>>| async move {
            match entry.map(moka::Entry::into_value) {
                Some(indexed) if is_new(&indexed) => Ok(Op::Nop),
                // An index with other keys is useless.
                other => load(other.filter(|other| other.index.keys() == table.partition_keys)).await.map(Op::Put),
            }
        };
        match self.0.entry(table.id).and_try_compute_with(compute).await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Ok(entry.into_value().index)
            }
            CompResult::StillNone(_) | CompResult::Removed(_) => Err(Error::internal("the loaded index is not in the cache")),
        }
    }
}
