//! Applies a [`PartitionChange`] to the partitions of a table, however they are stored, so that all metastores behave alike.
//!
//! It is not atomic by itself: when it fails, the caller rolls back.

use super::{
    DropPartition, PartitionChange, PartitionChangeSummary,
    rules::{check_types, checked_partition, location_changed, no_partition, own_location, partition_exists, partition_name},
};
use crate::{
    error::{Error, Result},
    model::{Partition, Table},
};

/// The partitions of one table, by Hive name, within a transaction.
pub(super) trait PartitionRows {
    type Error: From<Error>;
    fn get(&mut self, name: &str) -> Result<Option<Partition>, Self::Error>;
    /// Returns whether it was new; otherwise nothing has changed.
    fn insert(&mut self, name: &str, partition: Partition) -> Result<bool, Self::Error>;
    /// Returns whether it existed; otherwise nothing has changed.
    fn replace(&mut self, name: &str, partition: Partition) -> Result<bool, Self::Error>;
    /// Returns whether it existed.
    fn remove(&mut self, name: &str) -> Result<bool, Self::Error>;
}

/// # Errors
/// As [`super::Definitions::change_partitions`].
pub(super) fn apply<R: PartitionRows>(
    table: &Table,
    seen: &Table,
    change: PartitionChange,
    rows: &mut R,
) -> Result<PartitionChangeSummary, R::Error> {
    // The caller may have computed locations from the root that it saw.
    if table.root() != seen.root() {
        return Err(location_changed(table).into());
    }
    let mut summary = PartitionChangeSummary::default();
    for dropped in &change.drop {
        summary.dropped += usize::from(drop_one(table, dropped, rows)?);
    }
    for (from, to) in &change.rename {
        rename_one(table, from, to, rows)?;
        summary.renamed += 1;
    }
    for partition in change.replace {
        let (name, partition) = checked_partition(table, partition)?;
        if !rows.replace(&name, partition)? {
            return Err(no_partition(table, &name).into());
        }
        summary.replaced += 1;
    }
    for partition in change.add {
        let (name, partition) = checked_partition(table, partition)?;
        if rows.insert(&name, partition)? {
            summary.added += 1;
        } else if !change.skip_existing {
            return Err(partition_exists(table, &name).into());
        }
    }
    Ok(summary)
}

fn drop_one<R: PartitionRows>(table: &Table, dropped: &DropPartition, rows: &mut R) -> Result<bool, R::Error> {
    let name = partition_name(table, &dropped.values)?;
    // A partition whose value does not fit its key can be dropped, or there would be no way to repair the table.
    if rows.remove(&name)? {
        return Ok(true);
    }
    check_types(table, &dropped.values)?;
    if dropped.if_exists { Ok(false) } else { Err(no_partition(table, &name).into()) }
}

/// Renames a partition and leaves its files where they are: one at its default location gets that as its own, as in Hive for external tables.
fn rename_one<R: PartitionRows>(
    table: &Table,
    from: &[Option<String>],
    to: &[Option<String>],
    rows: &mut R,
) -> Result<(), R::Error> {
    let old_name = partition_name(table, from)?;
    let Some(old) = rows.get(&old_name)? else {
        check_types(table, from)?;
        return Err(no_partition(table, &old_name).into());
    };
    let location = old.location.clone().unwrap_or_else(|| format!("{}{old_name}/", table.root()));
    let (new_name, mut new) = checked_partition(table, Partition { values: to.to_vec(), location: None, ..old })?;
    new.location = own_location(&table.root(), &new_name, Some(&location));
    if !rows.insert(&new_name, new)? {
        return Err(partition_exists(table, &new_name).into());
    }
    rows.remove(&old_name)?;
    Ok(())
}
