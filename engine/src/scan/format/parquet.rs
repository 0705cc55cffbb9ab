//! Parquet: DataFusion's own source, with the file named in every error of reading it.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use arrow::{array::RecordBatch, error::ArrowError};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    config::ConfigOptions,
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileOpener, FileScanConfig, FileSource, ParquetSource},
        table_schema::TableSchema,
    },
    error::{DataFusionError, Result},
    physical_expr::{EquivalenceProperties, PhysicalSortExpr, projection::ProjectionExprs},
    physical_plan::{
        DisplayFormatType, PhysicalExpr, SortOrderPushdownResult, filter_pushdown::FilterPushdownPropagation,
        metrics::ExecutionPlanMetricsSet,
    },
};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::{StreamExt, stream::BoxStream};
use object_store::ObjectStore;

use super::super::{footer::unreadable, reader::PlannedFile};
use crate::error::{self, Error};

/// DataFusion's Parquet source under our name.
#[derive(Debug, Clone)]
pub(crate) struct LakeParquet(pub ParquetSource);

impl LakeParquet {
    fn wrap(source: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        match source.downcast_ref::<ParquetSource>() {
            Some(parquet) => Arc::new(Self(parquet.clone())),
            None => source,
        }
    }
}

impl FileSource for LakeParquet {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.0.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        Ok(Box::new(NamingMorselizer(self.0.create_morselizer(store, config, partition)?)))
    }

    fn table_schema(&self) -> &TableSchema {
        self.0.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Self::wrap(self.0.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.0.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.0.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.0.metrics()
    }

    fn file_type(&self) -> &str {
        self.0.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_extra(t, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.0.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.0.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(Self::wrap);
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.0.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: Self::wrap(inner) },
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact { inner: Self::wrap(inner) },
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.0.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.0.try_pushdown_projection(projection)?.map(Self::wrap))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.0.apply_expressions(f)
    }
}

/// Gives an error of reading a file the file's name, and damaged data their kind.
fn named(error: DataFusionError, file: &str) -> DataFusionError {
    if !error::carries_ours(&error) {
        match error.find_root() {
            DataFusionError::ParquetError(parquet) => return error::to_datafusion(unreadable(file, &parquet.to_string())),
            // What a decoder met on its way to a batch comes as text.
            DataFusionError::ArrowError(arrow, _) if matches!(arrow.as_ref(), ArrowError::ParquetError(_)) => {
                return error::to_datafusion(unreadable(file, &arrow.to_string()));
            }
            _ => {}
        }
    }
    let ours: Error = error::from_datafusion(error);
    let is_named = ours.to_string().contains(file);
    error::to_datafusion(if is_named { ours } else { ours.with_context("file", file) })
}

#[derive(Debug)]
struct NamingMorselizer(Box<dyn Morselizer>);

impl Morselizer for NamingMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let name: Arc<str> = match file.extension::<Arc<PlannedFile>>() {
            Some(planned) => Arc::from(planned.file.url()),
            None => Arc::from(file.path().as_ref()),
        };
        let inner = self.0.plan_file(file).map_err(|error| named(error, &name))?;
        Ok(Box::new(NamingPlanner { inner, name }))
    }
}

#[derive(Debug)]
struct NamingPlanner {
    inner: Box<dyn MorselPlanner>,
    name: Arc<str>,
}

impl MorselPlanner for NamingPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let name = self.name;
        let Some(mut plan) = self.inner.plan().map_err(|error| named(error, &name))? else { return Ok(None) };
        let planner = |inner| -> Box<dyn MorselPlanner> { Box::new(NamingPlanner { inner, name: Arc::clone(&name) }) };
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| -> Box<dyn Morsel> { Box::new(NamingMorsel { inner, name: Arc::clone(&name) }) });
        let mut wrapped = MorselPlan::new()
            .with_morsels(morsels.collect())
            .with_planners(plan.take_ready_planners().into_iter().map(planner).collect());
        if let Some(pending) = plan.take_pending_planner() {
            let name = Arc::clone(&name);
            wrapped.set_pending_planner(async move {
                let inner = pending.into_future().await.map_err(|error| named(error, &name))?;
                Ok(Box::new(Self { inner, name }) as Box<dyn MorselPlanner>)
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct NamingMorsel {
    inner: Box<dyn Morsel>,
    name: Arc<str>,
}

impl Morsel for NamingMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let name = self.name;
        let batches = AssertUnwindSafe(self.inner.into_stream()).catch_unwind();
        batches
            .map(move |batch| match batch {
                Ok(batch) => batch.map_err(|error| named(error, &name)),
                // Decoders meet damage that they did not foresee; the query fails, not the process.
                Err(_) => Err(error::to_datafusion(unreadable(&name, "its data pages do not decode"))),
            })
            .boxed()
    }
}
