//! The one table provider of all system tables: a source of rows that is asked when the query runs, not while it is planned.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{
        Column, DFSchema,
        tree_node::{Transformed, TreeNode},
    },
    error::Result as DataFusionResult,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction},
    physical_plan::ExecutionPlan,
};
use futures::stream::BoxStream;

use super::{narrowing::Narrowing, scan::SystemScan};
use crate::error::{Result, to_datafusion};

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
        let support = |filter: &&Expr| match is_of_the_row(filter) {
            Ok(true) => TableProviderFilterPushDown::Exact,
            Ok(false) | Err(_) => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let narrowing = Narrowing::of(filters);
        self.0.check(&narrowing).map_err(to_datafusion)?;
        let schema = DFSchema::try_from(self.0.schema())?;
        let unqualified = |filter: &Expr| unqualified(filter.clone());
        let filter = conjunction(filters.iter().map(unqualified).collect::<DataFusionResult<Vec<_>>>()?);
        let predicate = filter.map(|filter| state.create_physical_expr(filter, &schema)).transpose()?;
        Ok(Arc::new(SystemScan::try_new(Arc::clone(&self.0), narrowing, predicate, projection, limit)?))
    }
}

/// Whether a filter is about one row alone, and so can be applied to the rows as they come.
fn is_of_the_row(filter: &Expr) -> DataFusionResult<bool> {
    let asks_elsewhere = filter.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    })?;
    Ok(!asks_elsewhere)
}

/// A filter whose columns are named without their table, as the table's own schema has them.
fn unqualified(filter: Expr) -> DataFusionResult<Expr> {
    let renamed = filter.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) if column.relation.is_some() => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(renamed.data)
}
