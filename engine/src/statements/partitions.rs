//! Partition specifications in statements, as the raw values that identify partitions.

use glaux_catalog::{
    model::{Column, PartitionValues, Table},
    partition::{HIVE_DEFAULT_PARTITION, PartitionIndex, check_value, hive_name},
};

use super::context::StatementContext;
use crate::{
    error::{Error, Result, nearest},
    sql::PartitionSpec,
};

/// The values of a specification, which must name every key, in the order of the keys.
///
/// # Errors
/// `Invalid` for a table without partitions, keys that are missing or unknown, and values that do not fit their keys' types.
pub(super) fn values(table: &Table, spec: &PartitionSpec) -> Result<PartitionValues> {
    let values = some_values(table, spec)?;
    let keys = table.partition_keys.iter();
    keys.zip(values)
        .map(|(key, value)| {
            value.ok_or_else(|| {
                let all: Vec<_> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
                Error::invalid(format!("{spec} of table \"{}\" has no value for \"{}\"", table.name, key.name))
                    .with_hint(format!("Give a value for every partition key: {}", all.join(", ")))
            })
        })
        .collect()
}

/// The values of a specification, which may leave keys out: one for each of the table's keys, `None` where it is not named.
///
/// # Errors
/// As [`values`], but for missing keys.
pub(super) fn some_values(table: &Table, spec: &PartitionSpec) -> Result<Vec<Option<Option<String>>>> {
    if !table.is_partitioned() {
        return Err(Error::invalid(format!("table \"{}\" is not partitioned", table.name)));
    }
    for (key, _) in &spec.0 {
        if !table.partition_keys.iter().any(|other| other.name == *key) {
            let error = Error::invalid(format!("table \"{}\" has no partition key \"{key}\"", table.name));
            let names: Vec<_> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
            return Err(error.with_hint(match nearest(key, names.iter().copied()) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => format!("Its partition keys are {}", names.join(", ")),
            }));
        }
    }
    table.partition_keys.iter().map(|key| value(table, key, spec)).collect()
}

fn value(table: &Table, key: &Column, spec: &PartitionSpec) -> Result<Option<Option<String>>> {
    match spec.0.iter().find(|(name, _)| *name == key.name) {
        None => Ok(None),
        Some((_, raw)) if raw == HIVE_DEFAULT_PARTITION => Ok(Some(None)),
        Some((_, raw)) => {
            check_value(key, raw).map_err(|error| error.with_context("table", table.name.to_string()))?;
            Ok(Some(Some(raw.clone())))
        }
    }
}

/// The rows of the partitions that have the values of a specification, which may leave keys out; ascending.
///
/// # Errors
/// As [`some_values`].
pub(super) fn rows(table: &Table, index: &PartitionIndex, spec: &PartitionSpec) -> Result<Vec<usize>> {
    let wanted = some_values(table, spec)?;
    if wanted.iter().flatten().flatten().any(String::is_empty) {
        // No partition has it, while names have the same for it as for NULL.
        return Ok(Vec::new());
    }
    let wanted = wanted.into_iter().enumerate().filter_map(|(key, value)| Some((key, vec![value?])));
    Ok(index.rows_with(wanted).into_iter().map(|row| row as usize).collect())
}

/// One partition, with its values.
///
/// # Errors
/// As [`values`]; `NotFound`.
pub(super) async fn find(
    table: &Table,
    spec: &PartitionSpec,
    context: &StatementContext<'_>,
) -> Result<glaux_catalog::model::Partition> {
    let values = values(table, spec)?;
    let found = context.metastore().partitions(table, std::slice::from_ref(&values)).await?;
    found.into_iter().next().ok_or_else(|| {
        let name = hive_name(&table.partition_keys, &values);
        Error::not_found(format!("partition \"{name}\" of table \"{}\" does not exist", table.name))
            .with_hint(format!("SHOW PARTITIONS {} lists the partitions", table.name))
    })
}
