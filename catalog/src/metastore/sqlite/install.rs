//! Installs a table with all its partitions.

use rusqlite::{Connection, params};

use super::{changes, fault::Fault, partitions, tables};
use crate::{
    metastore::{PartitionChange, rules},
    model::{Partition, Table},
};

pub(super) fn install(
    connection: &Connection,
    mut table: Table,
    partitions: Vec<Partition>,
    replace: bool,
) -> Result<Table, Fault> {
    tables::check_database(connection, &table.name.database)?;
    let existing = tables::find_id(connection, &table.name)?.filter(|_| replace);
    table = match existing {
        None => tables::create_table(connection, table)?,
        Some((id, version)) => {
            connection.execute("DELETE FROM partitions WHERE table_id = ?1", [id])?;
            connection.execute("DELETE FROM attachments WHERE table_id = ?1", [id])?;
            (table.id, table.version) = (id, version + 1);
            connection.execute(
                "UPDATE tables SET version = ?2, definition = ?3 WHERE id = ?1",
                params![id, table.version, tables::encode(&table)?],
            )?;
            changes::forget(connection, id)?;
            table
        }
    };
    if !partitions.is_empty() {
        let change = PartitionChange { add: partitions, ..PartitionChange::default() };
        partitions::change(connection, &table, change)?;
    }
    tables::table_by_id(connection, table.id)?.ok_or_else(|| Fault::Catalog(rules::table_dropped(&table)))
}
