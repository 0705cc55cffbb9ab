//! An index after a few of its partitions have changed, without building all of it again.

use std::{collections::BTreeMap, sync::Arc};

use arrow::array::Array;

use super::{PartitionIndex, PartitionIndexBuilder, PartitionOwn, number};
use crate::error::Result;

/// A partition as its index has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionEntry {
    pub location: Option<String>,
    pub own: Option<Arc<PartitionOwn>>,
}

/// Values that no node has any more are dropped when there are this many more of them than of nodes.
const SPARE: usize = 4096;

impl PartitionIndex {
    /// The index with these partitions, by Hive name, as they are now; those that are `None` are not there any more.
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

    /// The same with only those values that there are, each once.
    fn compacted(&self) -> Result<Self> {
        let mut builder = PartitionIndexBuilder::new(&self.keys);
        for (row, name) in self.names().enumerate() {
            builder.push(&name, self.own_location(row), self.own(row).cloned())?;
        }
        builder.finish()
    }
}
