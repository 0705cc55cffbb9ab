//! Runs the statements that are not queries: definitions, `SHOW`, session settings, grants, workgroups, and maintenance. One file for each verb; [`execute`]
//! dispatches.
//!
//! Nothing here plans; what needs a plan (a view's columns) is asked of an injected [`ViewPlanner`]. Every statement's result has one schema,
//! whatever it finds: [`schema`] returns it before it runs.

mod alter;
mod columns;
mod context;
mod create;
mod describe;
mod drop;
mod engine_tables;
mod formats;
mod grant;
mod location;
mod lookup;
mod partitions;
mod pattern;
mod probe;
mod queries;
pub(crate) mod refresh;
mod repair;
mod rows;
mod session;
mod show;
mod stats;
#[cfg(test)]
mod tests;
mod workgroup;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
pub(crate) use context::{StatementContext, ViewPlanner};
pub(crate) use create::definition as new_table;

use crate::{
    error::{Error, Result},
    sql::Statement,
};

/// Carries out a statement of any kind but queries and `EXPLAIN`. Whether its user may is checked before.
///
/// # Errors
/// Those of the metastore and the stores; `Invalid`, `NotFound` or `Unsupported` for what the statement asks; `Internal` for a query.
pub(crate) async fn execute(statement: &Statement, context: &StatementContext<'_>) -> Result<RecordBatch> {
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
        Statement::Refresh { table, partition } => refresh::table(table, partition.as_ref(), context).await?,
        Statement::Analyze(what) => return probe::analyze(what, context).await,
        Statement::Crawl(what) => return probe::crawl(what, context).await,
        Statement::Grant(what) => grant::grant(what, context).await?,
        Statement::Revoke(what) => grant::revoke(what, context).await?,
        Statement::CreateWorkgroup(create) => workgroup::create(create, context).await?,
        Statement::AlterWorkgroup { name, action } => workgroup::alter(name, action, context).await?,
        Statement::DropWorkgroup { name, if_exists } => workgroup::drop(name, *if_exists, context).await?,
        Statement::Show(what) => show::show(what, context).await?,
        Statement::Describe(what) => describe::describe(what, context).await?,
        Statement::DescribeWorkgroup { name } => workgroup::describe(name, context).await?,
        Statement::Use { database } => session::set_database(database, context).await?,
        Statement::SetSession { name, value } => session::set(name, value, context)?,
        Statement::ResetSession { name } => session::reset(name, context)?,
        Statement::SetTimeZone { zone } => session::set("time_zone", zone, context)?,
        Statement::ShowSession => session::show(context),
        Statement::ShowQueries => queries::show(context),
        Statement::KillQuery { id } => queries::kill(id, context).await?,
        Statement::Query(_) | Statement::Explain(_) => {
            return Err(Error::internal(format!("{} must be planned, and cannot be run as a statement", statement.sub_kind())));
        }
    };
    rows::batch(&schema(statement), rows)
}

/// The schema of a statement's result: columns of nullable text; none for statements that return nothing. The schema of a query or of `EXPLAIN` is found
/// by planning it, and is none here.
#[must_use]
pub(crate) fn schema(statement: &Statement) -> SchemaRef {
    rows::schema(statement)
}
