//! The one table provider of all system tables: a source of rows that is asked when the query runs, not while it is planned.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    error::Result as DataFusionResult,
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use futures::{TryStreamExt, stream::BoxStream};

use super::narrowing::Narrowing;
use crate::error::{Result, to_datafusion};

/// What a query wants of a system table.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) narrowing: Narrowing,
    /// The columns that it reads, by number; `None` is all.
    columns: Option<Vec<usize>>,
}

impl Wanted {
    /// Whether the query reads a column.
    pub(super) fn reads(&self, column: usize) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.contains(&column))
    }
}

/// Makes the rows of one system table.
pub(super) trait RowSource: fmt::Debug + Send + Sync {
    fn schema(&self) -> SchemaRef;

    /// The columns by which it can narrow what it makes.
    fn narrows(&self) -> &'static [&'static str];

    /// Refuses, while the query is planned, what the source will not do.
    fn check(&self, _narrowing: &Narrowing) -> Result<()> {
        Ok(())
    }

    /// The rows, with all columns; a column that is not wanted may hold anything of its type.
    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>>;
}

/// A system table.
#[derive(Debug)]
pub(super) struct SystemTable(pub(super) Arc<dyn RowSource>);

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match Narrowing::is_about(filter, self.0.narrows()) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let wanted = Wanted { narrowing: Narrowing::of(filters), columns: projection.cloned() };
        self.0.check(&wanted.narrowing).map_err(to_datafusion)?;
        let rows = Rows { source: Arc::clone(&self.0), schema: self.0.schema(), wanted };
        let plan = StreamingTableExec::try_new(self.0.schema(), vec![Arc::new(rows)], projection, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

#[derive(Debug)]
struct Rows {
    source: Arc<dyn RowSource>,
    schema: SchemaRef,
    wanted: Wanted,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = Arc::clone(&self.source).rows(self.wanted.clone());
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows.map_err(to_datafusion)))
    }
}
