//! Tables that are read only with a filter on a partition key: because a property of theirs says so, or the workgroup of the query.

use datafusion::logical_expr::Expr;
use glaux_catalog::{
    HiveType,
    model::{Column, Properties, Table},
    partition::{PartitionIndex, canonical},
};

use super::prune::partitions::is_filtered;
use crate::error::{Error, Result};

/// The table property.
pub(crate) const REQUIRE_PARTITION_FILTER: &str = "require_partition_filter";

/// Reads the property: whether a table's queries need a filter on a partition key.
///
/// # Errors
/// `Invalid` for what is neither true nor false.
pub(crate) fn requires_partition_filter(properties: &Properties) -> Result<bool> {
    let Some(text) = properties.get(REQUIRE_PARTITION_FILTER) else { return Ok(false) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(format!("table property \"{REQUIRE_PARTITION_FILTER}\" is neither true nor false: \"{text}\""))
            .with_hint("Write 'true' or 'false'")),
    }
}

/// Refuses a scan of a table with partition keys without a filter on one of them, if the table wants one, or the workgroup (`in_workgroup`). Of
/// `index` the keys are wanted; it need not have the table's partitions.
///
/// # Errors
/// `Invalid`, with the partition keys and a filter that would do.
pub(super) fn check(table: &Table, index: &PartitionIndex, filters: &[Expr], in_workgroup: bool) -> Result<()> {
    if !table.is_partitioned() || is_filtered(index, filters) {
        return Ok(());
    }
    let in_table = |error: Error| error.with_context("table", table.name.to_string());
    let by_table = requires_partition_filter(&table.properties).map_err(in_table)?;
    if !by_table && !in_workgroup {
        return Ok(());
    }
    let keys: Vec<_> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let who = if by_table { "its definition" } else { "the workgroup" };
    let message = format!("{who} requires queries of table \"{}\" to filter by a partition key: {}", table.name, keys.join(", "));
    let error = Error::invalid(message);
    Err(match table.partition_keys.first() {
        Some(key) => error.with_hint(format!("Add a condition on one of them, such as WHERE {}", example(key, index))),
        None => error,
    })
}

/// A condition on a key, by the value of the last partition if one is known.
fn example(key: &Column, index: &PartitionIndex) -> String {
    let last = index.len().checked_sub(1).and_then(|row| {
        let (values, at) = index.value(0, row);
        canonical(values, at).ok()?
    });
    let is_plain = key.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !key.name.starts_with(char::is_numeric);
    let name = if is_plain { key.name.clone() } else { format!("\"{}\"", key.name.replace('"', "\"\"")) };
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let value = match (&key.hive_type, last) {
        (HiveType::Date, last) => format!("DATE {}", quoted(last.as_deref().unwrap_or("2025-01-31"))),
        (HiveType::Timestamp, last) => format!("TIMESTAMP {}", quoted(last.as_deref().unwrap_or("2025-01-31 00:00:00"))),
        (HiveType::String | HiveType::Varchar(_) | HiveType::Char(_), last) => quoted(last.as_deref().unwrap_or("...")),
        (HiveType::Boolean, None) => "true".to_owned(),
        (_, Some(last)) => last,
        (_, None) => "1".to_owned(),
    };
    format!("{name} = {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_property_is_true_or_false() {
        let of = |text: &str| requires_partition_filter(&[(REQUIRE_PARTITION_FILTER.to_owned(), text.to_owned())].into());
        assert!(of("TRUE").unwrap() && !of(" false ").unwrap());
        assert!(of("yes").unwrap_err().message().contains("\"yes\""));
        assert!(!requires_partition_filter(&Properties::new()).unwrap());
    }

    #[test]
    fn an_example_is_written_as_the_key_is_typed() {
        for (name, hive_type, written) in [
            ("year", HiveType::Int, "year = 1"),
            ("day", HiveType::Date, "day = DATE '2025-01-31'"),
            ("region", HiveType::String, "region = '...'"),
            ("1st \"key\"", HiveType::BigInt, "\"1st \"\"key\"\"\" = 1"),
        ] {
            let key = Column::new(name, hive_type);
            let index = PartitionIndex::empty(std::slice::from_ref(&key)).unwrap();
            assert_eq!(example(&key, &index), written);
        }
    }
}
