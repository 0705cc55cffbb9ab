//! The tables and views that statements name.

use glaux_catalog::{TableName, model::Table};

use super::{context::StatementContext, engine_tables};
use crate::{
    error::{Error, ErrorKind, Result},
    sql::TableRef,
};

/// A table or view by the name in a statement.
pub(super) async fn find(table: &TableRef, context: &StatementContext<'_>) -> Result<Table> {
    let name = resolve(table, context);
    engine_tables::refuse(&name)?;
    context.metastore().table(&name).await
}

/// A table by the name in a statement; a view is refused.
pub(super) async fn find_table(table: &TableRef, verb: &str, context: &StatementContext<'_>) -> Result<Table> {
    let found = find(table, context).await?;
    if found.is_view() {
        return Err(Error::invalid(format!("\"{}\" is a view, and {verb} takes a table", found.name))
            .with_hint("CREATE OR REPLACE VIEW changes a view"));
    }
    Ok(found)
}

/// The full name of a table or view.
pub(super) fn resolve(table: &TableRef, context: &StatementContext<'_>) -> TableName {
    table.resolve(&context.session.database())
}

/// Whether an object does not exist: for `IF EXISTS`.
pub(super) fn is_missing<T>(result: &Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
