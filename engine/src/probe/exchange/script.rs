//! Exports a catalog as a script of DDL that creates the same databases, tables, partitions and views.
//!
//! What DDL has no words for (parameters, columns and SerDes of single partitions) is told in a comment: Glue's JSON holds it.

use std::io::Write;

use glaux_catalog::{
    Metastore, ident::DEFAULT_DATABASE, model::Database, model::Partition, model::Table, partition::HIVE_DEFAULT_PARTITION,
};

use super::{Selection, export::cannot_write, partition_pages};
use crate::{
    definition::{create_table_statement, create_view_statement},
    error::Result,
    sql::{AlterTable, CreateDatabase, PartitionSpec, Statement, TableRef},
};

/// Partitions that one statement adds.
const PARTITIONS: usize = 100;

/// Writes what is meant of a catalog as statements. Views come last, each after the database that its query is written for.
///
/// # Errors
/// Those of the catalog; `Unavailable` if it cannot be written.
pub async fn export_ddl(metastore: &dyn Metastore, selection: &Selection, out: &mut (dyn Write + Send)) -> Result<()> {
    let chosen = selection.of(metastore).await?;
    for (database, tables) in &chosen {
        if database.name != DEFAULT_DATABASE {
            statement(out, &create_database(database))?;
        }
        for table in tables.iter().filter(|table| !table.is_view()) {
            statement(out, &create_table_statement(table))?;
            partition_pages(metastore, table, |partitions| add_partitions(out, table, &partitions)).await?;
        }
    }
    for view in chosen.iter().flat_map(|(_, tables)| tables).filter(|table| table.is_view()) {
        if view.view_text.is_none() {
            writeln!(out, "-- View {} is left out: it reads tables that you may not read.\n", view.name).map_err(cannot_write)?;
            continue;
        }
        let database = view.view_database.as_ref().unwrap_or(&view.name.database);
        statement(out, &Statement::Use { database: database.clone() })?;
        statement(out, &create_view_statement(view)?)?;
    }
    out.flush().map_err(cannot_write)
}

fn statement(out: &mut (dyn Write + Send), statement: &Statement) -> Result<()> {
    writeln!(out, "{statement};\n").map_err(cannot_write)
}

fn create_database(database: &Database) -> Statement {
    Statement::CreateDatabase(CreateDatabase {
        database: database.name.clone(),
        if_not_exists: true,
        comment: database.comment.clone(),
        location: database.location.clone(),
        properties: database.properties.clone(),
    })
}

fn add_partitions(out: &mut (dyn Write + Send), table: &Table, partitions: &[Partition]) -> Result<()> {
    let spec = |partition: &Partition| {
        let values = partition.values.iter().map(|value| value.as_deref().unwrap_or(HIVE_DEFAULT_PARTITION).to_owned());
        let keys = table.partition_keys.iter().map(|key| key.name.clone());
        (PartitionSpec(keys.zip(values).collect()), partition.location.clone())
    };
    let reference = TableRef { database: Some(table.name.database.clone()), table: table.name.table.clone() };
    for partitions in partitions.chunks(PARTITIONS) {
        let more =
            |partition: &&Partition| partition.columns.is_some() || partition.serde.is_some() || !partition.properties.is_empty();
        let more = partitions.iter().filter(more).count();
        if more > 0 {
            writeln!(
                out,
                "-- {more} of these partitions have parameters, columns or a SerDe of their own, which only Glue's JSON holds."
            )
            .map_err(cannot_write)?;
        }
        let action = AlterTable::AddPartitions { if_not_exists: true, partitions: partitions.iter().map(spec).collect() };
        statement(out, &Statement::AlterTable { table: reference.clone(), action })?;
    }
    Ok(())
}
