//! What a system table is made of: a source of rows, and what a query wants of them.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::stream::BoxStream;

use super::narrowing::Narrowing;
use crate::error::Result;

/// What a query wants of a system table.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) narrowing: Narrowing,
    /// The columns that it reads, by number.
    pub(super) columns: Vec<usize>,
    /// The order in which it wants them by the source's column of time; `None` is any.
    pub(super) newest_first: Option<bool>,
    /// No more rows than these are needed.
    pub(super) limit: Option<usize>,
}

impl Wanted {
    /// Whether the query reads a column.
    pub(super) fn reads(&self, column: usize) -> bool {
        self.columns.contains(&column)
    }
}

/// Makes the rows of one system table.
pub(super) trait RowSource: fmt::Debug + Send + Sync {
    fn schema(&self) -> SchemaRef;

    /// The table's name, for plans.
    fn name(&self) -> &'static str;

    /// The column of time by which it can order its rows, by number; it is never NULL.
    fn time_column(&self) -> Option<usize> {
        None
    }

    /// Whether making the rows asks a store, and not only what is known here.
    fn reads_stores(&self) -> bool {
        false
    }

    /// Refuses, while the query is planned, what the source will not do.
    fn check(&self, _narrowing: &Narrowing) -> Result<()> {
        Ok(())
    }

    /// The rows, with all columns; a column that is not wanted may hold anything of its type.
    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>>;
}
