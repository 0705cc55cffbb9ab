//! A table's files during planning: accepts the columns and filters that DataFusion pushes down. It reads nothing; the last rule replaces it by
//! [`super::exec::LakeScan`].

use std::{fmt, sync::Arc};

use datafusion::{
    common::{Result, config::ConfigOptions, internal_err, tree_node::TreeNodeRecursion},
    datasource::{
        physical_plan::{FileOpener, FileScanConfig, FileSource, parquet::can_expr_be_pushed_down_with_schemas},
        table_schema::TableSchema,
    },
    physical_expr::{PhysicalExpr, conjunction, projection::ProjectionExprs},
    physical_plan::{
        DisplayFormatType,
        filter_pushdown::{FilterPushdownPropagation, PushedDown},
        metrics::ExecutionPlanMetricsSet,
    },
};
use object_store::ObjectStore;

use super::{format::Format, io::ScanIo, spec::Pruning};
use crate::conditional::may_fail;

/// A planned scan of a table.
#[derive(Debug, Clone)]
pub(crate) struct LakeSource {
    pub(super) table: Arc<str>,
    pub(super) pruning: Arc<Pruning>,
    pub(super) schema: TableSchema,
    pub(super) format: Arc<dyn Format>,
    pub(super) io: ScanIo,
    pub(super) projection: ProjectionExprs,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    metrics: ExecutionPlanMetricsSet,
}

impl LakeSource {
    /// All columns and rows of the partitions of a table that pruning left.
    pub(crate) fn new(table: Arc<str>, pruning: Arc<Pruning>, schema: TableSchema, format: Arc<dyn Format>, io: ScanIo) -> Self {
        let columns: Vec<usize> = (0..schema.table_schema().fields().len()).collect();
        let projection = ProjectionExprs::from_indices(&columns, schema.table_schema());
        Self { table, pruning, schema, format, io, projection, predicate: None, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl FileSource for LakeSource {
    fn create_file_opener(&self, _: Arc<dyn ObjectStore>, _: &FileScanConfig, _: usize) -> Result<Arc<dyn FileOpener>> {
        internal_err!("a planned scan was executed before it was swapped for one that counts")
    }

    fn table_schema(&self) -> &TableSchema {
        &self.schema
    }

    fn with_batch_size(&self, _: usize) -> Arc<dyn FileSource> {
        Arc::new(self.clone())
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.predicate.clone()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        self.format.name()
    }

    fn fmt_extra(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.predicate {
            Some(predicate) => write!(f, ", predicate={predicate}"),
            None => Ok(()),
        }
    }

    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let schema = self.schema.table_schema();
        let (mut is_one_left, mut taken) = (false, Vec::with_capacity(filters.len()));
        for filter in &filters {
            // What may fail on rows that a filter before it leaves out is evaluated above, behind that one.
            let is_taken = can_expr_be_pushed_down_with_schemas(filter, schema) && !(is_one_left && may_fail(filter, schema));
            is_one_left |= !is_taken;
            taken.push(is_taken);
        }
        let told = taken.iter().map(|taken| if *taken { PushedDown::Yes } else { PushedDown::No }).collect();
        let told = FilterPushdownPropagation::with_parent_pushdown_result(told);
        if !taken.contains(&true) {
            return Ok(told);
        }
        let fresh = filters.into_iter().zip(taken).filter(|(_, taken)| *taken).map(|(filter, _)| filter);
        let predicate = conjunction(self.predicate.iter().cloned().chain(fresh));
        Ok(told.with_updated_node(Arc::new(Self { predicate: Some(predicate), ..self.clone() })))
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut next = TreeNodeRecursion::Continue;
        for expr in self.predicate.iter().cloned().chain(self.projection.expr_iter()) {
            next = f(&expr)?;
            if next == TreeNodeRecursion::Stop {
                break;
            }
        }
        Ok(next)
    }
}
