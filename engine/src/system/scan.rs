//! The plan node that reads a system table: it passes the source what is known of the wanted rows, applies every filter to the result, and stops
//! when there are enough rows.

use std::{fmt, sync::Arc};

use arrow::{array::BooleanArray, compute::filter_record_batch, datatypes::SchemaRef};
use datafusion::{
    common::{Result, cast::as_boolean_array, tree_node::TreeNodeRecursion},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr, expressions::Column, utils::collect_columns},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SortOrderPushdownResult,
        coop::cooperative,
        execution_plan::{Boundedness, EmissionType, SchedulingType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt, TryStreamExt, future, stream};

use super::{
    narrowing::Narrowing,
    source::{RowSource, Wanted},
};
use crate::error::to_datafusion;

/// Shows the rows of one system table.
#[derive(Debug, Clone)]
pub(crate) struct SystemScan {
    source: Arc<dyn RowSource>,
    narrowing: Narrowing,
    /// Over all columns of the table.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// The columns that are shown, by number.
    projection: Vec<usize>,
    /// Whether the rows come newest first or oldest first, by the source's column of time.
    newest_first: Option<bool>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl SystemScan {
    pub(super) fn try_new(
        source: Arc<dyn RowSource>,
        narrowing: Narrowing,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Self> {
        let all = source.schema();
        let projection = projection.cloned().unwrap_or_else(|| (0..all.fields().len()).collect());
        let schema: SchemaRef = Arc::new(all.project(&projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self { source, narrowing, predicate, projection, newest_first: None, limit, properties: Arc::new(properties) })
    }

    /// Whether making its rows reads a store, and not only what is known here.
    pub(crate) fn reads_stores(&self) -> bool {
        self.source.reads_stores()
    }

    fn wanted(&self) -> Wanted {
        let mut columns = self.projection.clone();
        columns.extend(self.predicate.iter().flat_map(collect_columns).map(|column| column.index()));
        Wanted {
            narrowing: self.narrowing.clone(),
            columns,
            newest_first: self.newest_first,
            // Of the rows that the source makes, more may be left out.
            limit: self.limit.filter(|_| self.predicate.is_none()),
        }
    }
}

impl DisplayAs for SystemScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemScan: {:?}", self.source.name())?;
        if let Some(predicate) = &self.predicate {
            write!(f, ", predicate={predicate}")?;
        }
        match self.newest_first {
            Some(true) => f.write_str(", newest first")?,
            Some(false) => f.write_str(", oldest first")?,
            None => {}
        }
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for SystemScan {
    fn name(&self) -> &str {
        "SystemScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.predicate.as_ref().map_or(Ok(TreeNodeRecursion::Continue), f)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Self { limit, ..self.clone() }))
    }

    /// The order of time, either way, alone: the time is never NULL, and rows of the same time come as they may.
    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let [key] = order else { return Ok(SortOrderPushdownResult::Unsupported) };
        let column = key.expr.downcast_ref::<Column>().and_then(|column| self.projection.get(column.index()));
        if column.is_none() || column.copied() != self.source.time_column() {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        // With a limit of its own it is about other rows.
        if self.limit.is_some() {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        let mut equivalences = EquivalenceProperties::new(self.schema());
        equivalences.add_ordering([key.clone()]);
        let properties = Arc::new(self.properties.as_ref().clone().with_eq_properties(equivalences));
        let ordered = Self { newest_first: Some(key.options.descending), properties, ..self.clone() };
        Ok(SortOrderPushdownResult::Exact { inner: Arc::new(ordered) })
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (predicate, projection) = (self.predicate.clone(), self.projection.clone());
        let shown = Arc::clone(&self.source).rows(self.wanted()).map_err(to_datafusion).and_then(move |batch| {
            let filtered = || {
                let batch = match &predicate {
                    Some(predicate) => {
                        let passes = predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
                        let passes: &BooleanArray = as_boolean_array(&passes)?;
                        filter_record_batch(&batch, passes)?
                    }
                    None => batch.clone(),
                };
                Ok(batch.project(&projection)?)
            };
            future::ready(filtered())
        });
        let left = self.limit.unwrap_or(usize::MAX);
        // Stops asking as soon as there are enough.
        let enough = stream::try_unfold((shown.boxed(), left), |(mut shown, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let Some(batch) = shown.try_next().await? else { return Ok(None) };
            let batch = batch.slice(0, batch.num_rows().min(left));
            let left = left - batch.num_rows();
            Ok(Some((batch, (shown, left))))
        });
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), enough.boxed()))))
    }
}
