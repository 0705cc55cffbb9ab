//! `DROP DATABASE`, `DROP TABLE` and `DROP VIEW`. The files of managed tables are removed with them, all others stay where they are.

use super::{
    context::StatementContext,
    lookup::{find, is_missing},
    rows::Row,
};
use crate::{
    error::{Error, Result},
    managed::Managed,
    sql::TableRef,
};

pub(super) async fn database(name: &str, if_exists: bool, cascade: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let metastore = context.metastore();
    let managed = if cascade { Managed::in_database(name, metastore.as_ref()).await? } else { Vec::new() };
    let dropped = metastore.drop_database(name, cascade).await;
    if !(if_exists && is_missing(&dropped)) {
        dropped?;
    }
    for table in managed {
        table.remove_files(context.unguarded, &context.plan.scan.stores).await;
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
    let metastore = context.metastore();
    let managed = if view { None } else { Managed::of(&found, metastore.as_ref()).await? };
    let dropped = metastore.drop_table(&found.name).await;
    if !(if_exists && is_missing(&dropped)) {
        dropped?;
    }
    if let Some(managed) = managed {
        managed.remove_files(context.unguarded, &context.plan.scan.stores).await;
    }
    Ok(Vec::new())
}
