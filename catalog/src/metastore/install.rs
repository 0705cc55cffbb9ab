//! Installing a table with its partitions by other means of a metastore, for those that have no transaction over both.

use super::{DropPartition, Metastore, PartitionChange};
use crate::{
    error::{ErrorKind, Result},
    ident::TableName,
    model::{Partition, Table},
};

/// A new table is put together under another name, and renamed when it is whole. One that exists gets its new definition first, and then its
/// partitions.
pub(super) async fn in_steps<M: Metastore + ?Sized>(
    metastore: &M,
    table: Table,
    partitions: Vec<Partition>,
    replace: bool,
) -> Result<Table> {
    match metastore.table(&table.name).await {
        Ok(existing) if replace => return in_place(metastore, existing, table, partitions).await,
        Ok(_) => return metastore.create_table(table).await,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if partitions.is_empty() {
        return metastore.create_table(table).await;
    }
    let name = table.name.clone();
    let staged = TableName::new(&name.database, format!("{}__being_installed", name.table));
    match metastore.drop_table(&staged).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let created = metastore.create_table(Table { name: staged.clone(), ..table }).await?;
    let filled = async {
        let change = PartitionChange { add: partitions, ..PartitionChange::default() };
        metastore.change_partitions(&created, change).await?;
        let whole = metastore.table(&staged).await?;
        metastore.replace_table(Table { name, ..whole }).await
    };
    match filled.await {
        Ok(table) => Ok(table),
        Err(error) => {
            // What is left of it goes at the next attempt at the latest.
            let _ = metastore.drop_table(&staged).await;
            Err(error)
        }
    }
}

async fn in_place<M: Metastore + ?Sized>(
    metastore: &M,
    existing: Table,
    table: Table,
    partitions: Vec<Partition>,
) -> Result<Table> {
    let old: Vec<_> = match existing.is_partitioned() {
        true => {
            let index = metastore.partition_index(&existing).await?;
            (0..index.len()).map(|row| DropPartition { values: index.raw_values(row), if_exists: true }).collect()
        }
        false => Vec::new(),
    };
    let replaced = metastore.replace_table(Table { id: existing.id, version: existing.version, ..table }).await?;
    if !old.is_empty() || !partitions.is_empty() {
        let change = PartitionChange { drop: old, add: partitions, ..PartitionChange::default() };
        metastore.change_partitions(&replaced, change).await?;
    }
    let kept = metastore.attachments(&replaced, "").await?;
    metastore.set_attachments(&replaced, kept.into_iter().map(|kept| (kept.name, None)).collect()).await?;
    metastore.table(&replaced.name).await
}
