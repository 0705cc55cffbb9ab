//! Statements that change or show the catalog: a [`Statement`] and where it runs, in; a record batch of text, out. One file a verb.
//!
//! Nothing here plans or reads a data file; what needs a plan (a view's columns) is asked of an injected [`ViewPlanner`]. Every
//! statement's result has one schema, whatever it finds: [`schema`] tells it before running.

mod alter;
mod columns;
mod create;
mod describe;
mod drop;
mod engine_tables;
mod formats;
mod grant;
mod location;
mod partitions;
mod pattern;
pub(crate) mod refresh;
mod repair;
mod rows;
mod session;
mod show;
mod stats;
#[cfg(test)]
mod tests;

use std::{fmt::Debug, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
pub(crate) use create::definition as new_table;
use glaux_catalog::{
    Metastore, TableName,
    discovery::{RepairProgress, StoreProvider},
    model::Column,
    model::Table,
};
pub use location::normalise as normalise_location;
pub(crate) use show::{create_table as create_table_statement, create_view as create_view_statement};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    session::Session,
    sql::{Statement, TableRef},
};

/// Plans the query of a view, as far as its columns.
#[async_trait]
pub trait ViewPlanner: Debug + Send + Sync {
    /// The output columns of a query, in order, with Hive's types. Unqualified names belong to `database`.
    ///
    /// # Errors
    /// As planning; `Unsupported` for a column whose type Hive does not have.
    async fn columns(&self, query_text: &str, database: &str) -> Result<Vec<Column>>;
}

/// Where a statement runs.
#[derive(Debug, Clone, Copy)]
pub struct StatementContext<'a> {
    pub metastore: &'a Arc<dyn Metastore>,
    pub stores: &'a dyn StoreProvider,
    pub session: &'a Session,
    pub clock: &'a dyn Clock,
    pub views: &'a dyn ViewPlanner,
    /// Is told how far a repair is.
    pub progress: &'a RepairProgress,
    /// Listing requests of a repair in flight.
    pub listing_concurrency: usize,
}

/// Runs a statement of any kind but queries, `EXPLAIN`, `SHOW QUERIES`, `KILL QUERY` and `REFRESH TABLE`.
///
/// # Errors
/// As the metastore's and the stores'; `Invalid`, `NotFound` or `Unsupported` for what the statement asks; `Internal` for a statement that
/// does not belong here.
pub async fn execute(statement: &Statement, context: &StatementContext<'_>) -> Result<RecordBatch> {
    let rows = match statement {
        Statement::CreateDatabase(create) => create::database(create, context).await?,
        Statement::AlterDatabase { database, properties } => alter::database(database, properties, context).await?,
        Statement::DropDatabase { database, if_exists, cascade } => {
            drop::database(database, *if_exists, *cascade, context).await?
        }
        Statement::CreateTable(create) => create::table(create, context).await?,
        Statement::AlterTable { table, action } => alter::table(table, action, context).await?,
        Statement::DropTable { table, if_exists } => drop::table(table, *if_exists, context).await?,
        Statement::CreateView(create) => create::view(create, context).await?,
        Statement::DropView { view, if_exists } => drop::view(view, *if_exists, context).await?,
        Statement::Repair { table, mode, tail } => repair::repair(table, *mode, *tail, context).await?,
        Statement::Grant(what) => grant::grant(what, context).await?,
        Statement::Revoke(what) => grant::revoke(what, context).await?,
        Statement::Show(what) => show::show(what, context).await?,
        Statement::Describe(what) => describe::describe(what, context).await?,
        Statement::Use { database } => session::set_database(database, context).await?,
        Statement::SetSession { name, value } => session::set(name, value, context)?,
        Statement::ResetSession { name } => session::reset(name, context)?,
        Statement::SetTimeZone { zone } => session::set("time_zone", zone, context)?,
        Statement::ShowSession => session::show(context),
        Statement::Analyze(_)
        | Statement::Crawl(_)
        | Statement::Query(_)
        | Statement::Explain(_)
        | Statement::ShowQueries
        | Statement::KillQuery { .. }
        | Statement::Refresh { .. } => {
            return Err(Error::internal(format!("{} is not a statement of the catalog", statement.sub_kind())));
        }
    };
    rows::batch(&schema(statement), rows)
}

/// The schema of a statement's result: columns of nullable text; none for statements that show nothing. That of a query or of `EXPLAIN` is known
/// by planning it, and is none here.
#[must_use]
pub fn schema(statement: &Statement) -> SchemaRef {
    rows::schema(statement)
}

/// A table or view by the name in a statement.
async fn find(table: &TableRef, context: &StatementContext<'_>) -> Result<Table> {
    let name = resolve(table, context);
    engine_tables::refuse(&name)?;
    context.metastore.table(&name).await
}

/// A table by the name in a statement; a view is refused.
async fn find_table(table: &TableRef, verb: &str, context: &StatementContext<'_>) -> Result<Table> {
    let found = find(table, context).await?;
    if found.is_view() {
        return Err(Error::invalid(format!("\"{}\" is a view, and {verb} takes a table", found.name))
            .with_hint("CREATE OR REPLACE VIEW changes a view"));
    }
    Ok(found)
}

fn resolve(table: &TableRef, context: &StatementContext<'_>) -> TableName {
    table.resolve(&context.session.database())
}

/// Whether an object does not exist: for `IF EXISTS`.
fn is_missing<T>(result: &Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}
