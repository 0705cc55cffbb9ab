//! The databases and tables that a query of a system table is about: those that its filters name, or all. Tables that are dropped in the meantime, or
//! hidden from the caller, are left out.

use glaux_catalog::{
    Metastore, TableName,
    model::{Database, Table},
};

use super::narrowing::Narrowing;
use crate::error::{ErrorKind, Result};

/// The databases that the filter on `column` lets through, by name.
pub(super) async fn databases(metastore: &dyn Metastore, narrowing: &Narrowing, column: &str) -> Result<Vec<Database>> {
    let Some(names) = narrowing.values(column) else {
        return metastore.databases().await;
    };
    let mut databases = Vec::new();
    for name in names {
        databases.extend(existing(metastore.database(name).await)?);
    }
    Ok(databases)
}

/// The tables and views that the filters on both columns let through, by database and name. Definitions that are not asked for are not
/// read.
pub(super) async fn tables(
    metastore: &dyn Metastore,
    narrowing: &Narrowing,
    database_column: &str,
    table_column: &str,
) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for database in databases(metastore, narrowing, database_column).await? {
        match narrowing.values(table_column) {
            Some(names) => {
                for name in names {
                    tables.extend(existing(metastore.table(&TableName::new(&database.name, name)).await)?);
                }
            }
            None => tables.extend(existing(metastore.tables(&database.name).await)?.into_iter().flatten()),
        }
    }
    Ok(tables)
}

fn existing<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => Ok(None),
        Err(error) => Err(error),
    }
}
