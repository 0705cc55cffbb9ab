//! `DROP DATABASE`, `DROP TABLE` and `DROP VIEW`, in the catalog. The files of managed tables are removed elsewhere (`write/ingest/managed`),
//! all others stay where they are.

use super::{StatementContext, find, is_missing, rows::Row};
use crate::{
    error::{Error, Result},
    sql::TableRef,
};

pub(super) async fn database(name: &str, if_exists: bool, cascade: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let dropped = context.metastore.drop_database(name, cascade).await;
    if !(if_exists && is_missing(&dropped)) {
        dropped?;
    }
    Ok(Vec::new())
}

pub(super) async fn table(table: &TableRef, if_exists: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    relation(table, if_exists, false, context).await
}

pub(super) async fn view(view: &TableRef, if_exists: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    relation(view, if_exists, true, context).await
}

async fn relation(table: &TableRef, if_exists: bool, view: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let found = find(table, context).await;
    if if_exists && is_missing(&found) {
        return Ok(Vec::new());
    }
    let found = found?;
    if found.is_view() != view {
        let (is, verb) = if view { ("a table", "DROP TABLE") } else { ("a view", "DROP VIEW") };
        return Err(Error::invalid(format!("\"{}\" is {is}", found.name)).with_hint(format!("Write {verb}")));
    }
    let dropped = context.metastore.drop_table(&found.name).await;
    if !(if_exists && is_missing(&dropped)) {
        dropped?;
    }
    Ok(Vec::new())
}
