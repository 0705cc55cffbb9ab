//! The node of a physical plan that reads a table's files.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::{
    common::{Result, Statistics, tree_node::TreeNodeRecursion},
    datasource::{physical_plan::FileScanConfig, source::DataSource},
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::{PhysicalExpr, conjunction, expressions::DynamicFilterTracking, split_conjunction},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        coop::cooperative,
        execution_plan::SchedulingType,
        metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet},
        statistics::StatisticsArgs,
        stream::RecordBatchStreamAdapter,
    },
};

use super::{
    feed::Running,
    format::Format,
    io::ScanIo,
    quote,
    quoted::{Basis, Reads, ScanQuote},
    source::LakeSource,
    spec::{ScanSpec, Split, TopRows},
    stream,
};
use crate::{conditional::lazily, error::Error};

/// Rows that may well be at the beginning of a file that does not tell how many it has.
const FEW_ROWS: usize = 10_000;

/// Reads the rows of a table's files.
#[derive(Debug)]
pub(crate) struct LakeScan {
    spec: Arc<ScanSpec>,
    io: ScanIo,
    format: Arc<dyn Format>,
    properties: Arc<PlanProperties>,
    statistics: Arc<Statistics>,
    metrics: ExecutionPlanMetricsSet,
    run: Mutex<Run>,
}

/// The execution that the streams share, if they do, and the streams it was asked for.
#[derive(Debug, Default)]
struct Run {
    shared: Option<Arc<Running>>,
    streams: HashSet<usize>,
}

impl LakeScan {
    /// The scan that a planned one stands for; `None` if it is none of a table of ours.
    pub(super) fn of(config: &FileScanConfig, is_limited: bool, top: Option<&TopRows>) -> Option<Self> {
        let source = config.file_source.downcast_ref::<LakeSource>()?;
        let mut splits: Vec<Arc<Split>> = Vec::new();
        for file in config.file_groups.iter().flat_map(|group| group.iter()) {
            splits.push(Arc::clone(file.extension::<Arc<Split>>()?));
        }
        splits.sort_by_key(|split| split.position);
        let are_few_wanted = config.limit.is_some_and(|limit| limit <= FEW_ROWS) && source.predicate.is_none();
        if are_few_wanted && source.format.summaries().is_none() {
            splits = joined(splits);
        }
        let columns = source.schema.table_schema();
        let projection = source.projection.clone().try_map_exprs(|expr| lazily(&expr, columns)).ok()?;
        let spec = ScanSpec {
            table: Arc::clone(&source.table),
            pruning: Arc::clone(&source.pruning),
            schema: source.schema.clone(),
            splits,
            projection,
            output: config.projected_schema().ok()?,
            predicate: source.predicate.clone(),
            limit: config.limit,
            is_limited: is_limited || config.limit.is_some(),
            top: top.cloned(),
        };
        let properties = PlanProperties::new(
            config.eq_properties(),
            config.output_partitioning(),
            datafusion::physical_plan::execution_plan::EmissionType::Incremental,
            datafusion::physical_plan::execution_plan::Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Some(Self {
            spec: Arc::new(spec),
            io: source.io.clone(),
            format: Arc::clone(&source.format),
            properties: Arc::new(properties),
            statistics: config.partition_statistics(None).ok()?,
            metrics: ExecutionPlanMetricsSet::new(),
            run: Mutex::default(),
        })
    }

    /// The same scan of something else.
    fn with_spec(&self, spec: ScanSpec) -> Self {
        Self {
            spec: Arc::new(spec),
            io: self.io.clone(),
            format: Arc::clone(&self.format),
            properties: Arc::clone(&self.properties),
            statistics: Arc::clone(&self.statistics),
            metrics: ExecutionPlanMetricsSet::new(),
            run: Mutex::default(),
        }
    }

    pub(crate) fn spec(&self) -> &Arc<ScanSpec> {
        &self.spec
    }

    /// What planning knows of its rows.
    pub(crate) fn known(&self) -> &Statistics {
        &self.statistics
    }

    pub(super) fn io(&self) -> &ScanIo {
        &self.io
    }

    pub(super) fn format(&self) -> &Arc<dyn Format> {
        &self.format
    }

    /// The sizes of the files that it may read.
    pub(crate) fn files(&self) -> impl Iterator<Item = u64> {
        self.spec.files().map(|file| file.file.meta.size)
    }

    /// What it takes at most, each time that it runs: from its start, or after an attempt to answer from its files' metadata alone.
    ///
    /// # Errors
    /// Those of reading and decoding metadata, naming the file.
    pub(crate) async fn quote(&self, basis: Basis, was_asked: bool) -> Result<ScanQuote, Error> {
        let reads = if was_asked { Reads::MetadataThenRows } else { Reads::Rows };
        quote::of_scan(&self.spec, &self.io, &self.format, basis, reads).await
    }

    /// The execution that a stream belongs to: its own; or, where streams share their work, that of the streams before it, or a new one if it was
    /// asked for again.
    fn execution(&self, stream: usize, context: &TaskContext) -> Result<Arc<Running>> {
        let (spec, io, format) = (&self.spec, &self.io, &self.format);
        if !io.fetch.fetcher().shares_splits() {
            let own = spec.splits.iter().filter(|split| split.stream == stream).cloned().collect();
            return Running::new(spec, io, format, own, 1, context);
        }
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if !run.streams.insert(stream) {
            run.streams = HashSet::from([stream]);
            run.shared = None;
        }
        let streams = self.properties.partitioning.partition_count();
        let execution = match &run.shared {
            Some(shared) => Arc::clone(shared),
            None => Running::new(spec, io, format, spec.splits.clone(), streams, context)?,
        };
        // The plan may live on after the last stream has begun; what the execution holds should not.
        if run.streams.len() == streams {
            *run = Run::default();
        } else {
            run.shared = Some(Arc::clone(&execution));
        }
        Ok(execution)
    }
}

/// The splits with those of one file put together: the first of them may have all rows that are wanted, and nobody begins the others beside it.
fn joined(splits: Vec<Arc<Split>>) -> Vec<Arc<Split>> {
    let mut whole: Vec<Arc<Split>> = Vec::new();
    for split in splits {
        match whole.last_mut() {
            Some(last) if Arc::ptr_eq(&last.file, &split.file) && last.range.end == split.range.start => {
                let range = last.range.start..split.range.end;
                *last = Arc::new(Split { range, ..last.as_ref().clone() });
            }
            _ => whole.push(split),
        }
    }
    whole
}

impl DisplayAs for LakeScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.spec;
        write!(
            f,
            "LakeScan: table={}, format={}, files={}, splits={}, streams={}",
            spec.table,
            self.format.name(),
            spec.files().count(),
            spec.splits.len(),
            self.properties.partitioning.partition_count()
        )?;
        let columns: Vec<_> = spec.projection.iter().map(ToString::to_string).collect();
        write!(f, ", columns=[{}]", columns.join(", "))?;
        if let Some(predicate) = &spec.predicate {
            write!(f, ", predicate={predicate}")?;
        }
        if let Some(limit) = spec.limit {
            write!(f, ", limit={limit}")?;
        }
        if let Some(top) = &spec.top {
            let keys: Vec<_> = top.keys.iter().map(|(key, options)| format!("{key} {options}")).collect();
            write!(f, ", top={} by [{}]", top.fetch, keys.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for LakeScan {
    fn name(&self) -> &str {
        "LakeScan"
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
        let mut next = TreeNodeRecursion::Continue;
        for expr in self.spec.predicate.iter().cloned().chain(self.spec.projection.expr_iter()) {
            next = f(&expr)?;
            if next == TreeNodeRecursion::Stop {
                break;
            }
        }
        Ok(next)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        // What was found while the plan ran does not hold for its next run, and not all who found it begin anew.
        let mut spec = ScanSpec::clone(&self.spec);
        let conjuncts = self.spec.predicate.iter().flat_map(split_conjunction);
        let fixed: Vec<_> =
            conjuncts.filter(|conjunct| !DynamicFilterTracking::classify(conjunct).contains_dynamic_filter()).cloned().collect();
        spec.predicate = (!fixed.is_empty()).then(|| conjunction(fixed));
        Ok(Arc::new(self.with_spec(spec)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let execution = self.execution(partition, &context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = stream::batches(execution, partition, metrics, &self.metrics);
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.spec.output), Box::pin(batches));
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(if args.partition().is_some() {
            Arc::new(Statistics::new_unknown(&self.spec.output))
        } else {
            Arc::clone(&self.statistics)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use chrono::DateTime;
    use object_store::{ObjectMeta, memory::InMemory, path::Path};

    use super::*;
    use crate::scan::{DataFile, PlannedFile};

    #[test]
    fn splits_of_one_file_are_put_together() {
        let file = |name: &str| {
            let location = Path::from(name);
            let meta = ObjectMeta { location, last_modified: DateTime::UNIX_EPOCH, size: 30, e_tag: None, version: None };
            let file = DataFile { store: Arc::new(InMemory::new()), store_url: Arc::from("memory:///"), meta, partition: 0 };
            Arc::new(PlannedFile { file, values: Vec::new(), own: None })
        };
        let (a, b) = (file("a"), file("b"));
        let split = |(position, (file, range)): (usize, (&Arc<PlannedFile>, Range<u64>))| {
            Arc::new(Split { file: Arc::clone(file), range, position, stream: position % 2 })
        };
        let splits = [(&a, 0..10), (&a, 10..20), (&a, 20..30), (&b, 0..30)].into_iter().enumerate().map(split).collect();
        let whole = joined(splits);
        let ranges: Vec<_> = whole.iter().map(|split| (split.file.file.url(), split.range.clone(), split.is_whole())).collect();
        assert_eq!(ranges, [("memory:///a".to_owned(), 0..30, true), ("memory:///b".to_owned(), 0..30, true)]);
    }
}
