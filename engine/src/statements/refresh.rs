//! `REFRESH TABLE`, and the refresh after a repair or an ingest: updates the catalog's snapshot of a table's files.

use std::{collections::BTreeSet, sync::Arc};

use glaux_catalog::{TableName, model::Table, partition::PartitionIndex};

use super::{
    context::StatementContext,
    partitions,
    rows::{Row, row},
};
use crate::{
    error::{Error, Result},
    plan::PlanContext,
    sql::{PartitionSpec, TableRef},
    table::{Listing, ListingPolicy, Refreshed, refresh},
};

/// Lists the table's files, or those of the partitions that have a specification's values, and records them.
pub(super) async fn table(
    name: &TableRef,
    partition: Option<&PartitionSpec>,
    context: &StatementContext<'_>,
) -> Result<Vec<Row>> {
    let table = find(name, context).await?;
    let index = index(&table, context.plan).await?;
    let rows = partition.map(|spec| partitions::rows(&table, &index, spec)).transpose()?;
    let rows: Option<Vec<u32>> = rows.map(|rows| rows.into_iter().filter_map(|row| u32::try_from(row).ok()).collect());
    if let (Some(rows), Some(spec)) = (&rows, partition)
        && rows.is_empty()
    {
        return Err(Error::not_found(format!("table \"{}\" has no partition with {spec}", table.name))
            .with_hint(format!("SHOW PARTITIONS {} lists the partitions", table.name)));
    }
    let done = match refresh(&context.plan.scan.listing, &table, &index, rows.as_deref()).await? {
        Refreshed::Nothing => format!("Table {} is listed for each query: nothing to refresh", table.name),
        Refreshed::Forgotten => format!("Refresh: the next query of table {} lists its files", table.name),
        Refreshed::Recorded { files, .. } if !table.is_partitioned() => {
            format!("Refresh: {} of table {}", count(files, "file"), table.name)
        }
        Refreshed::Recorded { partitions, files } => {
            format!("Refresh: {} in {} of table {}", count(files, "file"), count(partitions, "partition"), table.name)
        }
    };
    Ok(vec![row([&done])])
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// After a repair. A repair of the tail refreshes the partitions of which nothing is recorded.
pub(super) async fn after_repair(name: &TableRef, tail: bool, context: &StatementContext<'_>) -> Result<()> {
    let table = find(name, context).await?;
    let listing = &context.plan.scan.listing;
    if !table.is_partitioned() {
        return Ok(());
    }
    listing.kept.forget(table.id);
    if ListingPolicy::of(&table, listing.policy)? != ListingPolicy::Snapshot {
        return Ok(());
    }
    let index = index(&table, context.plan).await?;
    let unknown = if tail { Some(listing.unrecorded(&table, &index).await?) } else { None };
    if unknown.as_ref().is_none_or(|rows| !rows.is_empty()) {
        refresh(listing, &table, &index, unknown.as_deref()).await?;
    }
    Ok(())
}

/// After an ingest, so that queries see the new files whatever the table's policy is. The rows are in: an error here does not fail the ingest.
pub(crate) async fn after_ingest(name: &TableName, partitions: &BTreeSet<String>, context: &PlanContext) {
    let refreshed: Result<()> = async {
        let table = context.metastore.table(name).await?;
        let listing = &context.scan.listing;
        listing.kept.forget(table.id);
        if ListingPolicy::of(&table, None)? != ListingPolicy::Snapshot {
            return Ok(());
        }
        let index = index(&table, context).await?;
        let mut rows: Vec<u32> = partitions.iter().filter_map(|name| u32::try_from(index.find(name)?).ok()).collect();
        rows.sort_unstable();
        let rows = table.is_partitioned().then_some(rows.as_slice());
        let snapshot = Listing { policy: Some(ListingPolicy::Snapshot), ..listing.clone() };
        refresh(&snapshot, &table, &index, rows).await.map(drop)
    }
    .await;
    if let Err(error) = refreshed {
        tracing::warn!(table = %name, ?error, "the snapshot of a table's files lacks ingested files; run REFRESH TABLE");
    }
}

async fn find(name: &TableRef, context: &StatementContext<'_>) -> Result<Table> {
    let table = context.metastore().table(&name.resolve(&context.session.database())).await?;
    if table.is_view() {
        return Err(Error::invalid(format!("\"{}\" is a view, and REFRESH TABLE takes a table", table.name))
            .with_hint("Refresh the tables that the view reads"));
    }
    Ok(table)
}

async fn index(table: &Table, context: &PlanContext) -> Result<Arc<PartitionIndex>> {
    match table.is_partitioned() {
        true => context.metastore.partition_index(table).await,
        false => Ok(Arc::new(PartitionIndex::empty(&[])?)),
    }
}
