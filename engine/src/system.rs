//! Tables about the engine, which any client can query: those of `system` (files, partitions, queries with their tables and stores, usage, findings of
//! repairs, workgroups), `information_schema`, and Trino's `"t$partitions"`.
//!
//! They only show what others hold: the history, the metastore, a listing. Nothing is looked up while a query is planned; filters on names
//! keep what is not wanted from being read.

mod browse;
mod columns;
mod context;
mod files;
mod history;
mod information_schema;
mod lookup;
mod narrowing;
mod own_table;
mod partitions;
mod provider;
#[cfg(test)]
mod reference;
mod repair_findings;
mod scan;
mod source;
#[cfg(test)]
mod tests;
mod usage;
mod view;
mod workgroups;

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use glaux_catalog::model::Table;

pub use self::browse::Browser;
pub(crate) use self::{
    context::{FileLister, SystemContext, TableFile},
    own_table::{table_columns, table_names},
    scan::SystemScan,
};
use self::{
    files::Files,
    history::Recorded,
    information_schema::InformationSchema,
    own_table::OwnTable,
    partitions::{Partitions, PartitionsOf},
    provider::SystemTable,
    repair_findings::RepairFindings,
    source::RowSource,
    usage::{TableUsageByDay, UsageByDay},
    workgroups::Workgroups,
};
use crate::{error::Result, lifecycle::HistoryTable};

/// A system table by its names in lower case; `None` if there is none.
#[must_use]
pub(crate) fn provider(schema: &str, table: &str, context: &SystemContext) -> Option<Arc<dyn TableProvider>> {
    let metastore = || Arc::clone(&context.metastore);
    let recorded = |table: HistoryTable| Arc::new(Recorded { table, context: context.clone() });
    let source: Arc<dyn RowSource> = match OwnTable::find(schema, table)? {
        OwnTable::InformationSchema(view) => Arc::new(InformationSchema { view, metastore: metastore() }),
        OwnTable::Files => Arc::new(Files(context.clone())),
        OwnTable::Partitions => Arc::new(Partitions(metastore())),
        OwnTable::Queries => recorded(HistoryTable::Queries),
        OwnTable::QueryStores => recorded(HistoryTable::Stores),
        OwnTable::QueryTables => recorded(HistoryTable::Tables),
        OwnTable::RepairFindings => Arc::new(RepairFindings(metastore())),
        OwnTable::TableUsage => Arc::new(TableUsageByDay(context.clone())),
        OwnTable::Usage => Arc::new(UsageByDay(context.clone())),
        OwnTable::Workgroups => Arc::new(Workgroups(metastore())),
    };
    Some(Arc::new(SystemTable(source)))
}

/// `"t$partitions"` of a table that has been looked up.
///
/// # Errors
/// `NotFound` if the table has no partition keys.
pub(crate) fn partitions_of(table: Table, context: &SystemContext) -> Result<Arc<dyn TableProvider>> {
    let source = PartitionsOf::try_new(table, Arc::clone(&context.metastore))?;
    Ok(Arc::new(SystemTable(Arc::new(source))))
}
