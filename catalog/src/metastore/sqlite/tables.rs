//! Databases and tables as rows: their names, and their definitions as JSON.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{changes, fault::Fault};
use crate::{
    error::Error,
    ident::TableName,
    metastore::{TableVersion, rules},
    model::{Database, Table},
};

pub(super) fn encode(definition: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(definition)
        .map_err(|error| Fault::Catalog(Error::internal("a definition could not be encoded").with_source(error)))
}

pub(super) fn decode<T: DeserializeOwned>(what: &str, name: &str, definition: &str) -> Result<T, Fault> {
    serde_json::from_str(definition).map_err(|error| {
        let error = Error::corrupt(format!("the stored definition of {what} \"{name}\" cannot be decoded")).with_source(error);
        Fault::Catalog(error.with_hint("Restore a backup of the catalog"))
    })
}

pub(super) fn names(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map(parameters, |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

pub(super) fn check_database(connection: &Connection, name: &str) -> Result<(), Fault> {
    if connection.prepare_cached("SELECT 1 FROM databases WHERE name = ?1")?.exists([name])? {
        return Ok(());
    }
    let existing = names(connection, "SELECT name FROM databases ORDER BY name", [])?;
    Err(Fault::Catalog(rules::no_database(name, existing.iter().map(String::as_str))))
}

pub(super) fn databases(connection: &Connection) -> Result<Vec<Database>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, definition FROM databases ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut databases = Vec::new();
    while let Some(row) = rows.next()? {
        databases.push(read_database(row)?);
    }
    Ok(databases)
}

fn read_database(row: &Row<'_>) -> Result<Database, Fault> {
    let name: String = row.get(0)?;
    let database: Database = decode("database", &name, &row.get::<_, String>(1)?)?;
    Ok(Database { name, ..database })
}

pub(super) fn database(connection: &Connection, name: &str) -> Result<Database, Fault> {
    check_database(connection, name)?;
    let mut statement = connection.prepare_cached("SELECT name, definition FROM databases WHERE name = ?1")?;
    let mut rows = statement.query([name])?;
    match rows.next()? {
        Some(row) => read_database(row),
        None => Err(Fault::Catalog(rules::no_database(name, []))),
    }
}

pub(super) fn insert_database(connection: &Connection, database: &Database) -> Result<(), Fault> {
    let sql = "INSERT INTO databases (name, definition) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    match connection.execute(sql, params![database.name, encode(database)?])? {
        0 => Err(Fault::Catalog(rules::database_exists(&database.name))),
        _ => Ok(()),
    }
}

pub(super) fn replace_database(connection: &Connection, database: &Database) -> Result<(), Fault> {
    check_database(connection, &database.name)?;
    connection.execute("UPDATE databases SET definition = ?2 WHERE name = ?1", params![database.name, encode(database)?])?;
    Ok(())
}

pub(super) fn drop_database(connection: &Connection, name: &str, cascade: bool) -> Result<(), Fault> {
    let tables = table_names(connection, name)?;
    if !tables.is_empty() && !cascade {
        return Err(Fault::Catalog(rules::database_not_empty(name, &tables)));
    }
    connection.execute("DELETE FROM tables WHERE database = ?1", [name])?;
    connection.execute("DELETE FROM databases WHERE name = ?1", [name])?;
    Ok(())
}

pub(super) fn table_names(connection: &Connection, database: &str) -> Result<Vec<String>, Fault> {
    check_database(connection, database)?;
    names(connection, "SELECT name FROM tables WHERE database = ?1 ORDER BY name", [database])
}

fn read_table(row: &Row<'_>) -> Result<Table, Fault> {
    let name = TableName { database: row.get(2)?, table: row.get(3)? };
    let table: Table = decode("table", &name.to_string(), &row.get::<_, String>(4)?)?;
    Ok(Table { id: row.get(0)?, version: row.get(1)?, name, ..table })
}

pub(super) fn tables(connection: &Connection, database: &str) -> Result<Vec<Table>, Fault> {
    check_database(connection, database)?;
    let mut statement = connection
        .prepare_cached("SELECT id, version, database, name, definition FROM tables WHERE database = ?1 ORDER BY name")?;
    let mut rows = statement.query([database])?;
    let mut tables = Vec::new();
    while let Some(row) = rows.next()? {
        tables.push(read_table(row)?);
    }
    Ok(tables)
}

pub(super) fn table(connection: &Connection, name: &TableName) -> Result<Table, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT id, version, database, name, definition FROM tables WHERE database = ?1 AND name = ?2")?;
    let mut rows = statement.query([&name.database, &name.table])?;
    match rows.next()? {
        Some(row) => read_table(row),
        None => {
            let existing = table_names(connection, &name.database)?;
            Err(Fault::Catalog(rules::no_table(&name.database, &name.table, existing.iter().map(String::as_str))))
        }
    }
}

pub(super) fn table_by_id(connection: &Connection, id: i64) -> Result<Option<Table>, Fault> {
    let mut statement = connection.prepare_cached("SELECT id, version, database, name, definition FROM tables WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read_table).transpose()
}

pub(super) fn versions(connection: &Connection) -> Result<Vec<TableVersion>, Fault> {
    let mut statement = connection.prepare_cached("SELECT database, name, id, version FROM tables ORDER BY database, name")?;
    let versions = statement.query_map([], |row| {
        Ok(TableVersion { name: TableName { database: row.get(0)?, table: row.get(1)? }, id: row.get(2)?, version: row.get(3)? })
    })?;
    Ok(versions.collect::<Result<_, _>>()?)
}

fn check_free(connection: &Connection, name: &TableName) -> Result<(), Fault> {
    check_database(connection, &name.database)?;
    let mut statement = connection.prepare_cached("SELECT 1 FROM tables WHERE database = ?1 AND name = ?2")?;
    if statement.exists([&name.database, &name.table])? {
        return Err(Fault::Catalog(rules::table_exists(&name.database, &name.table)));
    }
    Ok(())
}

pub(super) fn create_table(connection: &Connection, mut table: Table) -> Result<Table, Fault> {
    check_free(connection, &table.name)?;
    table.version = rules::FIRST_VERSION;
    connection.execute(
        "INSERT INTO tables (database, name, version, definition) VALUES (?1, ?2, ?3, ?4)",
        params![table.name.database, table.name.table, table.version, encode(&table)?],
    )?;
    table.id = connection.last_insert_rowid();
    Ok(table)
}

pub(super) fn replace_table(connection: &Connection, mut table: Table) -> Result<Table, Fault> {
    let old = match table_by_id(connection, table.id)? {
        Some(old) if old.version == table.version => old,
        _ => return Err(Fault::Catalog(rules::table_changed(&table))),
    };
    rules::check_same_keys(&old, &table)?;
    if old.name != table.name {
        check_free(connection, &table.name)?;
    }
    table.version += 1;
    if old.root() != table.root() {
        changes::pin_locations(connection, table.id, &old.root(), &table.root())?;
    } else {
        changes::record_none(connection, table.id, table.version)?;
    }
    connection.execute(
        "UPDATE tables SET database = ?2, name = ?3, version = ?4, definition = ?5 WHERE id = ?1",
        params![table.id, table.name.database, table.name.table, table.version, encode(&table)?],
    )?;
    Ok(table)
}

pub(super) fn drop_table(connection: &Connection, name: &TableName) -> Result<(), Fault> {
    // By its id, so that a table with a damaged definition can be dropped.
    let id = table_id(connection, name)?;
    connection.execute("DELETE FROM tables WHERE id = ?1", [id])?;
    Ok(())
}

/// The id and version of a table, if it exists, without reading its definition.
pub(super) fn find_id(connection: &Connection, name: &TableName) -> Result<Option<(i64, i64)>, Fault> {
    let sql = "SELECT id, version FROM tables WHERE database = ?1 AND name = ?2";
    Ok(connection.query_row(sql, [&name.database, &name.table], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The id of a table, without reading its definition.
pub(super) fn table_id(connection: &Connection, name: &TableName) -> Result<i64, Fault> {
    let sql = "SELECT id FROM tables WHERE database = ?1 AND name = ?2";
    match connection.query_row(sql, [&name.database, &name.table], |row| row.get(0)).optional()? {
        Some(id) => Ok(id),
        None => table(connection, name).map(|table| table.id),
    }
}

pub(super) fn raise_version(connection: &Connection, id: i64) -> Result<(), Fault> {
    connection.execute("UPDATE tables SET version = version + 1 WHERE id = ?1", [id])?;
    Ok(())
}
