//! The one table provider of all system tables: its source makes rows when the query runs, not while it is planned.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
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

use super::{narrowing::Narrowing, scan::SystemScan, source::RowSource};
use crate::{conditional::lazily, error::to_datafusion};

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
        let planned = |filter| lazily(&state.create_physical_expr(filter, &schema)?, schema.as_arrow());
        let predicate = filter.map(planned).transpose()?;
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
