//! Tables about the engine itself, that any client can query: `system.{files,partitions,queries,repair_findings,usage}`, `information_schema`, and
//! Trino's `"t$partitions"`.
//!
//! They only show what others hold: the history, the metastore, a listing. Nothing is asked while a query is planned; filters on names
//! keep what is not wanted from being read.

mod browse;
mod columns;
mod files;
mod information_schema;
mod lookup;
mod narrowing;
mod partitions;
mod provider;
mod queries;
mod repair_findings;
mod scan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use glaux_catalog::{Metastore, model::Table};

pub use self::browse::Browser;
pub use self::files::{FileLister, TableFile};
pub(crate) use self::scan::SystemScan;
use self::{
    files::Files,
    information_schema::{InformationSchema, View},
    partitions::{Partitions, PartitionsOf},
    provider::{RowSource, SystemTable},
    queries::{Queries, UsageByDay},
    repair_findings::RepairFindings,
};
use crate::{
    error::Result,
    lifecycle::{History, QueryManager},
    session::SessionOptions,
};

/// The schema of the engine's own tables.
pub const SYSTEM: &str = "system";
/// The standard's schema of what there is.
pub const INFORMATION_SCHEMA: &str = "information_schema";
/// The schemas whose tables are the engine's own.
const SYSTEM_SCHEMAS: [&str; 2] = [INFORMATION_SCHEMA, SYSTEM];
/// What follows a table's name in the name of the table of its partitions, as in Trino.
pub const PARTITIONS_SUFFIX: &str = "$partitions";

const SYSTEM_TABLES: [&str; 5] = ["files", "partitions", "queries", "repair_findings", "usage"];

/// What the system tables show; of one query, so that what it lists is counted by its meter.
#[derive(Debug, Clone)]
pub struct SystemDeps {
    /// The catalog as the session's user may see it.
    pub metastore: Arc<dyn Metastore>,
    pub history: Arc<History>,
    pub running: Arc<QueryManager>,
    pub session: SessionOptions,
    pub files: Arc<dyn FileLister>,
}

/// Whether a schema holds system tables only, and no database can have its name.
#[must_use]
pub fn is_system_schema(name: &str) -> bool {
    SYSTEM_SCHEMAS.contains(&name)
}

/// The tables of a system schema, by name; of any other schema none.
#[must_use]
pub fn table_names(schema: &str) -> Vec<&'static str> {
    match schema {
        SYSTEM => SYSTEM_TABLES.to_vec(),
        INFORMATION_SCHEMA => View::ALL.map(View::name).to_vec(),
        _ => Vec::new(),
    }
}

/// A system table by its names in lower case; `None` if there is none.
#[must_use]
pub fn provider(schema: &str, table: &str, deps: &SystemDeps) -> Option<Arc<dyn TableProvider>> {
    let source: Arc<dyn RowSource> = match (schema, table) {
        (SYSTEM, "files") => Arc::new(Files(deps.clone())),
        (SYSTEM, "partitions") => Arc::new(Partitions(Arc::clone(&deps.metastore))),
        (SYSTEM, "queries") => Arc::new(Queries(deps.clone())),
        (SYSTEM, "repair_findings") => Arc::new(RepairFindings(Arc::clone(&deps.metastore))),
        (SYSTEM, "usage") => Arc::new(UsageByDay(deps.clone())),
        (INFORMATION_SCHEMA, name) => {
            let view = View::ALL.into_iter().find(|view| view.name() == name)?;
            Arc::new(InformationSchema { view, deps: deps.clone() })
        }
        _ => return None,
    };
    Some(Arc::new(SystemTable(source)))
}

/// `"t$partitions"` of a table that has been looked up.
///
/// # Errors
/// `NotFound` if the table has no partition keys.
pub fn partitions_of(table: Table, deps: &SystemDeps) -> Result<Arc<dyn TableProvider>> {
    let source = PartitionsOf::try_new(table, Arc::clone(&deps.metastore))?;
    Ok(Arc::new(SystemTable(Arc::new(source))))
}
