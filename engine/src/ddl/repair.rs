//! `MSCK REPAIR TABLE`: finds the partitions' directories below a table's location and adds those that the catalog does not have.
//!
//! As in Athena, it only adds: partitions whose directories are gone are told, not dropped. All are added in one transaction.

use glaux_catalog::{
    discovery::{WalkOptions, diff, walk},
    metastore::PartitionChange,
    partition::hive_name,
};

use super::{
    StatementContext, find_table,
    rows::{Row, row},
};
use crate::{error::Result, sql::TableRef};

pub(super) async fn repair(table: &TableRef, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let table = find_table(table, "MSCK REPAIR TABLE", context).await?;
    if !table.is_partitioned() {
        return Ok(vec![row([&format!("Table {} is not partitioned: there is nothing to repair", table.name)])]);
    }
    let location = context.stores.open(&table.storage.location)?;
    let walked = walk(location.lister.as_ref(), &location.prefix, &table.partition_keys, &WalkOptions::default()).await?;
    let index = context.metastore.partition_index(&table).await?;
    let repair = diff(&walked.found, &table, &index, context.clock.now());

    let of_table = |name: &str| format!("{}:{name}", table.name.table);
    let added: Vec<String> = repair
        .missing_in_metastore
        .iter()
        .map(|partition| of_table(&hive_name(&table.partition_keys, &partition.values)))
        .collect();
    let mut rows = Vec::with_capacity(added.len() + 3);
    if !added.is_empty() {
        // Another repair may have added some meanwhile: that is no error.
        let change = PartitionChange { add: repair.missing_in_metastore, skip_existing: true, ..Default::default() };
        context.metastore.change_partitions(&table, change).await?;
        rows.push(row([&format!("Partitions not in metastore:\t{}", added.join("\t"))]));
    }
    if !repair.missing_from_storage.is_empty() {
        let missing: Vec<_> = repair.missing_from_storage.iter().map(|name| of_table(name)).collect();
        rows.push(row([&format!("Partitions missing from filesystem:\t{}", missing.join("\t"))]));
    }
    rows.extend(added.iter().map(|name| row([&format!("Repair: Added partition to metastore {name}")])));
    let ignored = walked.ignored.iter().chain(&repair.ignored);
    rows.extend(ignored.map(|ignored| row([&format!("Ignored: {}: {}", of_table(&ignored.path), ignored.reason)])));
    let more = walked.ignored_count.saturating_sub(walked.ignored.len());
    if more > 0 {
        rows.push(row([&format!("Ignored: {more} more directories")]));
    }
    Ok(rows)
}
