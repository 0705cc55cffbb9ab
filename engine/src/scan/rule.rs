//! The last rule of physical planning: replaces each planned scan of a table by the node that executes it, with what the plan above it needs of
//! its rows.

use std::sync::Arc;

use datafusion::{
    common::Result,
    config::ConfigOptions,
    datasource::{memory::MemorySourceConfig, physical_plan::FileScanConfig, source::DataSourceExec},
    error::DataFusionError,
    physical_expr::expressions::Column,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        coalesce_partitions::CoalescePartitionsExec,
        coop::CooperativeExec,
        joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec},
        limit::{GlobalLimitExec, LocalLimitExec},
        projection::ProjectionExec,
        repartition::RepartitionExec,
        replace_children_if_necessary,
        sorts::{sort::SortExec, sort_preserving_merge::SortPreservingMergeExec},
        unnest::UnnestExec,
    },
};

use super::{answer::FooterAggregate, exec::LakeScan, spec::TopRows};

/// Swaps planned scans for [`LakeScan`]s.
#[derive(Debug, Default)]
pub(crate) struct UseLakeScan;

impl PhysicalOptimizerRule for UseLakeScan {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        swap(plan, &Above::default())
    }

    fn name(&self) -> &str {
        "use_lake_scan"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What lies above a node.
#[derive(Debug, Clone, Default)]
struct Above {
    /// Somebody may stop before the rows end.
    is_limited: bool,
    top: Option<TopRows>,
    /// A merge of sorted streams that takes that many rows lies right above.
    merged: Option<usize>,
}

/// Leaves of plans that read no store.
const SOURCES_WITHOUT_BYTES: [&str; 5] = ["EmptyExec", "PlaceholderRowExec", "WorkTableExec", "LazyMemoryExec", "SystemScan"];

/// The error of a source that is not known here: what it reads would not be counted.
fn not_billed(name: &str) -> DataFusionError {
    DataFusionError::Internal(format!("the plan has a source of data that is not billed: {name}"))
}

fn swap(plan: Arc<dyn ExecutionPlan>, above: &Above) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
        let source = source.data_source();
        if source.is::<MemorySourceConfig>() {
            return Ok(plan);
        }
        let planned = source.downcast_ref::<FileScanConfig>();
        let scan = planned.and_then(|planned| LakeScan::of(planned, above.is_limited, above.top.as_ref()));
        return Ok(Arc::new(scan.ok_or_else(|| not_billed(plan.name()))?));
    }
    let children: Vec<Arc<dyn ExecutionPlan>> = plan
        .children()
        .into_iter()
        .enumerate()
        .map(|(at, child)| swap(Arc::clone(child), &below(plan.as_ref(), at, above)))
        .collect::<Result<_>>()?;
    if children.is_empty() {
        let is_known = SOURCES_WITHOUT_BYTES.contains(&plan.name());
        return if is_known { Ok(plan) } else { Err(not_billed(plan.name())) };
    }
    let plan = replace_children_if_necessary(plan, children)?;
    Ok(match FooterAggregate::of(&plan) {
        Some(answer) => Arc::new(answer),
        None => plan,
    })
}

/// What lies above the child at `at` of a node.
fn below(node: &dyn ExecutionPlan, at: usize, above: &Above) -> Above {
    let is_limited = above.is_limited || node.fetch().is_some();
    if let Some(sort) = node.downcast_ref::<SortExec>() {
        // A sort reads all it can get; with a fetch, only the best rows matter, if they are the best of all streams.
        let fetch =
            sort.fetch().filter(|fetch| !sort.preserve_partitioning() || above.merged.is_some_and(|merged| merged <= *fetch));
        let keys = sort.expr().iter().map(|key| (Arc::clone(&key.expr), key.options)).collect();
        return Above { is_limited: false, top: fetch.map(|fetch| TopRows { keys, fetch }), merged: None };
    }
    if node.is::<SortPreservingMergeExec>() {
        return Above { is_limited, top: None, merged: node.fetch() };
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        return Above { is_limited, top: above.top.as_ref().and_then(|top| through(projection, top)), merged: None };
    }
    let passes = node.is::<RepartitionExec>() || node.is::<CoalescePartitionsExec>() || node.is::<CooperativeExec>();
    if passes && node.fetch().is_none() {
        return Above { is_limited, top: above.top.clone(), merged: None };
    }
    // Rows stream through these; others take in all their rows before they give one, or may.
    let streams = passes
        || node.is::<GlobalLimitExec>()
        || node.is::<LocalLimitExec>()
        || node.is::<datafusion::physical_plan::filter::FilterExec>()
        || node.is::<datafusion::physical_plan::union::UnionExec>()
        || node.is::<UnnestExec>()
        || (at == 1 && (node.is::<HashJoinExec>() || node.is::<CrossJoinExec>() || node.is::<NestedLoopJoinExec>()));
    Above { is_limited: is_limited && streams, top: None, merged: None }
}

/// The same rows told by a projection's input.
fn through(projection: &ProjectionExec, top: &TopRows) -> Option<TopRows> {
    let keys = top.keys.iter().map(|(key, options)| {
        let column = key.downcast_ref::<Column>()?;
        let source = projection.expr().get(column.index())?;
        source.expr.is::<Column>().then(|| (Arc::clone(&source.expr), *options))
    });
    Some(TopRows { keys: keys.collect::<Option<_>>()?, fetch: top.fetch })
}
