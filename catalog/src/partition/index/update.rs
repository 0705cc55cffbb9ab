//! Updates an index after a few partitions have changed, without building all of it again.

use std::{collections::BTreeMap, sync::Arc};

use arrow::array::Array;

use super::{PartitionIndex, build::PartitionIndexBuilder, number::number, own::PartitionOwn};
use crate::error::Result;

/// What an index holds of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionEntry {
    pub location: Option<String>,
    pub own: Option<Arc<PartitionOwn>>,
}

/// An index is compacted when it has this many more values than twice its nodes.
const SPARE: usize = 4096;

impl PartitionIndex {
    /// The index with the current entries of these partitions, by Hive name; `None` for those that were dropped.
    ///
    /// # Errors
    /// As [`PartitionIndexBuilder::push`] and [`PartitionIndexBuilder::finish`].
    pub fn updated(&self, changes: &BTreeMap<String, Option<PartitionEntry>>) -> Result<Self> {
        let mut builder = PartitionIndexBuilder::on(self);
        let mut next = 0;
        for (name, now) in changes {
            let (until, after) = match self.find(name) {
                Some(row) => (row, row + 1),
                None => {
                    let row = self.first_after(name);
                    (row, row)
                }
            };
            builder.copy(self, next..number(until))?;
            next = number(after);
            if let Some(PartitionEntry { location, own }) = now {
                builder.push(name, location.as_deref(), own.clone())?;
            }
        }
        builder.copy(self, next..number(self.len()))?;
        let updated = builder.finish()?;
        let is_spread = updated.levels.iter().any(|level| level.texts.len() > 2 * level.codes.len() + SPARE);
        if is_spread { updated.compacted() } else { Ok(updated) }
    }

    /// The same index without unused and duplicate values.
    fn compacted(&self) -> Result<Self> {
        let mut builder = PartitionIndexBuilder::new(&self.keys);
        for (row, name) in self.names().enumerate() {
            builder.push(&name, self.own_location(row), self.own(row).cloned())?;
        }
        builder.finish()
    }
}
