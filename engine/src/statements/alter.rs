//! `ALTER DATABASE` and `ALTER TABLE`. A table that somebody else changed in the meantime gives `Conflict`; nothing is retried.

use glaux_catalog::{
    metastore::{DropPartition, PartitionChange},
    model::{Column, Partition, Properties, Table},
};

use super::{columns, context::StatementContext, create::touch, location, lookup::find_table, partitions, rows::Row};
use crate::{
    error::{Error, Result},
    sql::{AlterTable, PartitionSpec, TableRef},
    table::{LISTING, ListingPolicy, requires_partition_filter},
};

pub(super) async fn database(name: &str, properties: &Properties, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let mut database = context.metastore().database(name).await?;
    database.properties.extend(properties.clone());
    context.metastore().replace_database(database).await?;
    Ok(Vec::new())
}

pub(super) async fn table(name: &TableRef, action: &AlterTable, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let table = find_table(name, "ALTER TABLE", context).await?;
    match action {
        AlterTable::AddPartitions { if_not_exists, partitions } => {
            add_partitions(&table, *if_not_exists, partitions, context).await?
        }
        AlterTable::DropPartitions { if_exists, partitions } => {
            let drop = |spec| Ok(DropPartition { values: partitions::values(&table, spec)?, if_exists: *if_exists });
            let change = PartitionChange { drop: partitions.iter().map(drop).collect::<Result<_>>()?, ..Default::default() };
            context.metastore().change_partitions(&table, change).await?;
        }
        AlterTable::RenamePartition { from, to } => {
            let rename = vec![(partitions::values(&table, from)?, partitions::values(&table, to)?)];
            context.metastore().change_partitions(&table, PartitionChange { rename, ..Default::default() }).await?;
        }
        AlterTable::AddColumns { partition, columns: new } => {
            change_columns(table, partition.as_ref(), context, |table, old| columns::add(table, old, new)).await?;
        }
        AlterTable::ReplaceColumns { partition, columns: new } => {
            change_columns(table, partition.as_ref(), context, |table, _| columns::replace(table, new)).await?;
        }
        AlterTable::ChangeColumn { partition, old: name, column, position } => {
            change_columns(table, partition.as_ref(), context, |table, old| {
                columns::change(table, old, name, column, position.as_ref())
            })
            .await?;
        }
        AlterTable::SetLocation { partition, location } => set_location(table, partition.as_ref(), location, context).await?,
        AlterTable::SetProperties { properties } => set_properties(table, properties, context).await?,
        AlterTable::UnsetProperties { if_exists, keys } => unset_properties(table, *if_exists, keys, context).await?,
    }
    Ok(Vec::new())
}

async fn add_partitions(
    table: &Table,
    if_not_exists: bool,
    specs: &[(PartitionSpec, Option<String>)],
    context: &StatementContext<'_>,
) -> Result<()> {
    let now = context.now();
    let add = |(spec, at): &(PartitionSpec, Option<String>)| {
        let mut partition = Partition::new(partitions::values(table, spec)?, now);
        partition.location = at.as_deref().map(|at| location::for_partition(at, context)).transpose()?;
        Ok(partition)
    };
    let change = PartitionChange {
        add: specs.iter().map(add).collect::<Result<_>>()?,
        skip_existing: if_not_exists,
        ..Default::default()
    };
    context.metastore().change_partitions(table, change).await?;
    Ok(())
}

/// Changes the columns of the table or of one partition. Partitions without columns of their own follow the table.
async fn change_columns(
    mut table: Table,
    partition: Option<&PartitionSpec>,
    context: &StatementContext<'_>,
    change: impl FnOnce(&Table, &[Column]) -> Result<Vec<Column>> + Send,
) -> Result<()> {
    match partition {
        None => {
            table.storage.columns = change(&table, &table.storage.columns)?;
            replace(table, context).await
        }
        Some(spec) => {
            let mut partition = partitions::find(&table, spec, context).await?;
            partition.columns = Some(change(&table, partition.columns.as_ref().unwrap_or(&table.storage.columns))?);
            replace_partition(&table, partition, context).await
        }
    }
}

async fn set_location(mut table: Table, spec: Option<&PartitionSpec>, at: &str, context: &StatementContext<'_>) -> Result<()> {
    match spec {
        None => {
            table.storage.location = location::for_definition(at, context)?;
            replace(table, context).await
        }
        Some(spec) => {
            let mut partition = partitions::find(&table, spec, context).await?;
            partition.location = Some(location::for_partition(at, context)?);
            replace_partition(&table, partition, context).await
        }
    }
}

async fn set_properties(mut table: Table, properties: &Properties, context: &StatementContext<'_>) -> Result<()> {
    requires_partition_filter(properties)?;
    for (key, value) in properties {
        if key == LISTING {
            value.parse::<ListingPolicy>()?;
        }
        if key == "comment" {
            table.comment = Some(value.clone());
        }
        // As in Athena, no statement makes an external table another kind of table.
        if key != "EXTERNAL" {
            table.properties.insert(key.clone(), value.clone());
        }
    }
    replace(table, context).await
}

async fn unset_properties(mut table: Table, if_exists: bool, keys: &[String], context: &StatementContext<'_>) -> Result<()> {
    for key in keys {
        let removed = key != "EXTERNAL" && table.properties.remove(key).is_some();
        let comment = key == "comment" && table.comment.take().is_some();
        if !removed && !comment && !if_exists {
            return Err(Error::not_found(format!("table \"{}\" has no property \"{key}\"", table.name))
                .with_hint("Write UNSET TBLPROPERTIES IF EXISTS, or SHOW TBLPROPERTIES for what there is"));
        }
    }
    replace(table, context).await
}

async fn replace(mut table: Table, context: &StatementContext<'_>) -> Result<()> {
    table.updated_at = context.now();
    touch(&mut table.properties, table.updated_at);
    context.metastore().replace_table(table).await?;
    Ok(())
}

async fn replace_partition(table: &Table, partition: Partition, context: &StatementContext<'_>) -> Result<()> {
    let change = PartitionChange { replace: vec![partition], ..Default::default() };
    context.metastore().change_partitions(table, change).await?;
    Ok(())
}
