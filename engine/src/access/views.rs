//! Views whose text may be shown: to callers who may read everything that it names. Others see the view's name and its columns.

use datafusion::{
    common::TableReference,
    sql::{parser::Statement as PlannedStatement, resolve::resolve_table_references},
};
use glaux_catalog::{TableName, ident::fold, model::Access, model::Table};
use sqlparser::ast;

use super::rights::Rights;
use crate::{
    error::{Error, ErrorKind},
    reserved::{PARTITIONS_SUFFIX, is_system_schema},
    sql::{self, Statement, rewrite::HIDDEN_SUFFIX},
};

/// Functions in FROM, which look like tables.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "range", "unnest"];

/// Whether the caller may read all tables and views that a view's text names. A text that does not parse, such as one of Hive's, is not shown.
pub(super) fn is_open(view: &Table, rights: &Rights) -> bool {
    let Some(text) = &view.view_text else { return false };
    let Ok(Statement::Query(query)) = sql::parse(text) else { return false };
    let statement = PlannedStatement::Statement(Box::new(ast::Statement::Query(query.ast.clone())));
    let Ok((tables, _)) = resolve_table_references(&statement, true) else { return false };
    let database = view.view_database.as_deref().unwrap_or(&view.name.database);
    tables.iter().all(|table| is_readable(table, database, rights))
}

fn is_readable(table: &TableReference, database: &str, rights: &Rights) -> bool {
    let plain = table.table();
    if table.schema().is_none() && TABLE_FUNCTIONS.contains(&plain) {
        return true;
    }
    let schema = fold(table.schema().unwrap_or(database));
    let plain = plain.strip_suffix(HIDDEN_SUFFIX).unwrap_or(plain);
    let plain = plain.strip_suffix(PARTITIONS_SUFFIX).unwrap_or(plain);
    is_system_schema(&schema) || rights.on_table(&TableName::new(&schema, plain)) > Access::None
}

/// The error for a view that reads what the caller may not read. The message does not name that.
pub(crate) fn denied(view: &TableName) -> Error {
    Error::new(ErrorKind::Denied, format!("access to what view \"{view}\" reads is denied"))
        .with_hint("An administrator can grant access to the tables that the view reads")
}
