//! All partitions of one version of a table, as the tree formed by their names, on which queries are pruned.
//!
//! The tree has one level for each key. Each distinct value of a key is stored once, typed, and nodes refer to it. So a predicate on a key is
//! evaluated once for each of its values, and only the children of the nodes that it keeps are looked at in the next level. A million
//! partitions by day and hour take some megabytes. No predicate is evaluated here.

mod build;
mod level;
mod number;
mod own;
#[cfg(test)]
mod tests;
mod update;

use std::{borrow::Cow, cmp::Ordering, collections::HashSet, fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array},
    compute::take,
    datatypes::{Field, Schema},
};

use self::number::number;
pub use self::{
    build::PartitionIndexBuilder,
    level::{Level, LevelMask},
    own::PartitionOwn,
    update::PartitionEntry,
};
use super::path::{in_name, parse_value};
use crate::{
    error::{Error, Result},
    model::{Column, SerDe},
};

/// The partitions of a table, sorted by Hive name (as bytes).
pub struct PartitionIndex {
    keys: Vec<Column>,
    /// `key=` of each key, as in names.
    prefixes: Vec<String>,
    levels: Vec<Level>,
    /// The rows with their own location, and these locations.
    located: Vec<u32>,
    locations: StringArray,
    /// The rows from which on partitions have another own value than before. The first rows have none.
    own: Vec<(u32, Option<Arc<PartitionOwn>>)>,
}

impl PartitionIndex {
    /// The number of partitions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.last().map_or(0, Level::len)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The partition keys.
    #[must_use]
    pub fn keys(&self) -> &[Column] {
        &self.keys
    }

    /// The tree, with one level for each key. The nodes of the last level are the rows.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The rows that the masks keep, ascending. There is one mask for each level.
    #[must_use]
    pub fn select(&self, masks: &[LevelMask]) -> Vec<u32> {
        let mut nodes: Option<Vec<u32>> = None;
        for (at, (level, mask)) in self.levels.iter().zip(masks).enumerate() {
            if nodes.is_none() && mask.is_open() && at + 1 < self.levels.len() {
                continue;
            }
            let kept = |node: &u32| mask.keeps(level, *node);
            nodes = Some(match nodes {
                None => (0..number(level.len())).filter(kept).collect(),
                Some(parents) => {
                    let above = &self.levels[at - 1];
                    parents.into_iter().flat_map(|parent| above.children(parent)).filter(kept).collect()
                }
            });
        }
        nodes.unwrap_or_default()
    }

    /// The rows that have one of the raw values for each of these keys, ascending.
    #[must_use]
    pub fn rows_with(&self, wanted: impl IntoIterator<Item = (usize, Vec<Option<String>>)>) -> Vec<u32> {
        let mut masks = vec![LevelMask::default(); self.levels.len()];
        for (key, values) in wanted {
            let wanted: HashSet<String> = values.iter().map(|value| in_name(value.as_deref())).collect();
            let fits = self.levels[key].texts.iter().map(|text| text.is_some_and(|text| wanted.contains(text)));
            masks[key].values = Some(match masks[key].values.take() {
                None => fits.collect(),
                Some(before) => before.into_iter().zip(fits).map(|(before, fits)| before && fits).collect(),
            });
        }
        self.select(&masks)
    }

    /// The places of a key's values, in its level, for ascending nodes of a level at or below it.
    #[must_use]
    pub fn codes(&self, key: usize, level: usize, nodes: &[u32]) -> Vec<u32> {
        let codes = self.levels[key].codes();
        let mut nodes = Cow::Borrowed(nodes);
        for above in self.levels[key..level].iter().rev() {
            nodes = Cow::Owned(above.parents(&nodes));
        }
        nodes.iter().map(|node| codes[*node as usize]).collect()
    }

    /// The typed values of a key for ascending nodes of a level at or below it.
    ///
    /// # Errors
    /// `Internal` for nodes that do not exist.
    pub fn values_at(&self, key: usize, level: usize, nodes: &[u32]) -> Result<ArrayRef> {
        take(self.levels[key].values(), &UInt32Array::from(self.codes(key, level, nodes)), None)
            .map_err(|error| Error::internal("partition values could not be selected").with_source(error))
    }

    /// The typed values of all partitions, a nullable column for each key under its name.
    ///
    /// # Errors
    /// `Internal` if they could not be made a batch.
    pub fn values(&self) -> Result<RecordBatch> {
        self.values_of(&(0..number(self.len())).collect::<Vec<_>>())
    }

    /// The typed values of ascending rows.
    ///
    /// # Errors
    /// `Internal` for rows that do not exist.
    pub fn values_of(&self, rows: &[u32]) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> =
            (0..self.keys.len()).map(|key| self.values_at(key, self.levels.len() - 1, rows)).collect::<Result<_>>()?;
        let field = |(key, column): (&Column, &ArrayRef)| Field::new(&key.name, column.data_type().clone(), true);
        let schema = Schema::new(self.keys.iter().zip(&columns).map(field).collect::<Vec<_>>());
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
            .map_err(|error| Error::internal("partition values could not be made a batch").with_source(error))
    }

    /// The typed value of a key in a row: an array and the place in the array.
    #[must_use]
    pub fn value(&self, key: usize, row: usize) -> (&ArrayRef, usize) {
        let level = &self.levels[key];
        (level.values(), level.codes()[self.path(row)[key] as usize] as usize)
    }

    /// The nodes from the first level to a row.
    fn path(&self, row: usize) -> Vec<u32> {
        let mut path = vec![number(row); self.levels.len()];
        for level in (0..self.levels.len().saturating_sub(1)).rev() {
            path[level] = self.levels[level].parent_of(path[level + 1]);
        }
        path
    }

    /// The Hive name, `key=value/key=value`, of a row; empty for a row that does not exist.
    #[must_use]
    pub fn name(&self, row: usize) -> String {
        if row < self.len() { self.name_of(&self.path(row)) } else { String::new() }
    }

    fn name_of(&self, path: &[u32]) -> String {
        let mut name = String::new();
        for ((node, level), prefix) in path.iter().zip(&self.levels).zip(&self.prefixes) {
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(prefix);
            name.push_str(level.text(*node));
        }
        name
    }

    /// The Hive names of all rows, ascending.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.len()).step_by(NAMES).flat_map(|first| {
            let rows: Vec<u32> = (number(first)..number(self.len().min(first + NAMES))).collect();
            self.names_of(&rows)
        })
    }

    /// The Hive names of ascending rows.
    pub fn names_of<'a>(&'a self, rows: &[u32]) -> impl Iterator<Item = String> + use<'a> {
        let mut nodes = vec![rows.to_vec()];
        for above in self.levels.iter().rev().skip(1) {
            let parents = nodes.last().map(|nodes| above.parents(nodes));
            nodes.extend(parents);
        }
        nodes.reverse();
        let mut path = vec![0; self.levels.len()];
        (0..rows.len()).map(move |at| {
            path.iter_mut().zip(&nodes).for_each(|(node, nodes)| *node = nodes[at]);
            self.name_of(&path)
        })
    }

    /// The row with this Hive name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        let mut nodes = 0..number(self.levels.first()?.len());
        let (mut segments, last) = (name.split('/'), self.levels.len() - 1);
        for (at, (level, prefix)) in self.levels.iter().zip(&self.prefixes).enumerate() {
            let text = segments.next()?.strip_prefix(prefix.as_str())?;
            let node = level.find(nodes, text, at < last)?;
            if at == last {
                return segments.next().is_none().then_some(node as usize);
            }
            nodes = level.children(node);
        }
        None
    }

    /// The first row whose name is greater than this one.
    #[must_use]
    pub fn first_after(&self, name: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).as_str().cmp(name) {
                Ordering::Greater => high = middle,
                _ => low = middle + 1,
            }
        }
        low
    }

    /// The raw values of a row, which identify the partition.
    #[must_use]
    pub fn raw_values(&self, row: usize) -> Vec<Option<String>> {
        if row >= self.len() {
            return Vec::new();
        }
        self.path(row).iter().zip(&self.levels).map(|(node, level)| parse_value(level.text(*node))).collect()
    }

    /// The partition's own location, if it is not the default one, `table root + Hive name`.
    #[must_use]
    pub fn own_location(&self, row: usize) -> Option<&str> {
        let at = self.located.binary_search(&u32::try_from(row).ok()?).ok()?;
        Some(self.locations.value(at))
    }

    /// The rows with their own location, ascending.
    #[must_use]
    pub fn located(&self) -> &[u32] {
        &self.located
    }

    /// The location of a partition, with one `/` at its end. `table_root` is [`crate::model::Table::root`].
    #[must_use]
    pub fn location(&self, row: usize, table_root: &str) -> String {
        match self.own_location(row) {
            Some(location) => format!("{}/", location.trim_end_matches('/')),
            None => format!("{}/{}/", table_root.trim_end_matches('/'), self.name(row)),
        }
    }

    /// The partition's own columns; `None` means the table's.
    #[must_use]
    pub fn columns(&self, row: usize) -> Option<&[Column]> {
        self.own(row)?.columns.as_deref()
    }

    /// The partition's own SerDe; `None` means the table's.
    #[must_use]
    pub fn serde(&self, row: usize) -> Option<&SerDe> {
        self.own(row)?.serde.as_ref()
    }

    /// The partition's own columns and SerDe.
    #[must_use]
    pub fn own(&self, row: usize) -> Option<&Arc<PartitionOwn>> {
        let before = self.own.partition_point(|(first, _)| *first as usize <= row).checked_sub(1)?;
        self.own[before].1.as_ref()
    }

    /// All partitions' own columns and SerDes, some of them several times.
    pub fn owns(&self) -> impl Iterator<Item = &Arc<PartitionOwn>> {
        self.own.iter().filter_map(|(_, own)| own.as_ref())
    }

    /// Bytes in memory, for caches. What partitions share is counted once.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        let mut distinct: Vec<_> = self.own.iter().filter_map(|(_, own)| own.as_ref()).collect();
        distinct.sort_unstable_by_key(|own| Arc::as_ptr(own));
        distinct.dedup_by_key(|own| Arc::as_ptr(own));
        let columns = |own: &Arc<PartitionOwn>| own.columns.as_ref().map_or(0, Vec::len) * (size_of::<Column>() + 32);
        size_of::<Self>()
            + self.levels.iter().map(Level::memory_size).sum::<usize>()
            + self.located.capacity() * size_of::<u32>()
            + self.locations.get_array_memory_size()
            + self.own.capacity() * size_of::<(u32, Option<Arc<PartitionOwn>>)>()
            + distinct.into_iter().map(|own| size_of::<PartitionOwn>() + columns(own)).sum::<usize>()
    }
}

impl fmt::Debug for PartitionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        f.debug_struct("PartitionIndex").field("keys", &keys).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Names that are built together.
const NAMES: usize = 8192;
