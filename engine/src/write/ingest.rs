//! Adds rows to a table: an existing one, or a new one that their schema defines.
//!
//! `target` finds the table, or decides what it will be; `columns` matches the rows to it and `convert` gives each value the table's
//! type, or refuses it; `place` says where a partition's files go; `commit` lets readers see the files and the catalog know of them,
//! all or nothing. A table that is created here, at no location of the caller's, is managed ([`Managed`](crate::managed::Managed)): its files go with it.
//! The query's life around it is `execute::ingest`. Nothing else that lies in the store already is touched.

mod columns;
mod commit;
mod convert;
mod place;
mod target;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use glaux_catalog::TableName;

pub(crate) use self::{
    commit::{Ingest, give_up},
    target::Resolved,
};
use crate::lifecycle::QueryReport;

/// The rows' table, and what to do if it exists and if it does not.
#[derive(Debug, Clone)]
pub struct IngestTarget {
    /// The session's database if absent.
    pub database: Option<String>,
    pub table: String,
    pub if_not_exists: IfNotExists,
    pub if_exists: IfExists,
    /// Where a new table's files go; they stay there when it is dropped. By default a new folder below the database's location, or else below the
    /// folder `warehouse` of the data directory, whose files are removed with the table.
    pub location: Option<String>,
    /// The columns that partition a new table, outermost first.
    pub partitioned_by: Vec<String>,
    /// The schema of every batch.
    pub schema: SchemaRef,
}

impl IngestTarget {
    /// The table's full name.
    #[must_use]
    pub fn name(&self, current_database: &str) -> TableName {
        TableName::new(self.database.as_deref().unwrap_or(current_database), &self.table)
    }
}

/// What becomes of the rows if there is no such table; Flight SQL's `TableNotExistOption`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IfNotExists {
    /// Refused: whoever asks must choose.
    #[default]
    Unspecified,
    /// A Parquet table is created.
    Create,
    Fail,
}

/// What becomes of the rows if there is such a table; Flight SQL's `TableExistsOption`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IfExists {
    /// Refused: whoever asks must choose.
    #[default]
    Unspecified,
    Fail,
    Append,
    /// Its rows become these, and its columns theirs. Only for tables that were created so: files of others are not removed.
    Replace,
}

/// What was taken in.
#[derive(Debug, Clone)]
pub struct IngestSummary {
    pub rows: u64,
    /// Data files written.
    pub files: u64,
    /// Their bytes, as compressed at rest.
    pub bytes: u64,
    pub report: QueryReport,
}
