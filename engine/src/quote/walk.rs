//! The scans of a physical plan, each with what lies above it.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, aggregates::AggregateExec, recursive_query::RecursiveQueryExec};

use crate::scan::{FooterAggregate, LakeScan};

/// A scan, as it stands in a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub scan: &'a LakeScan,
    /// What answers in its place, if footers tell.
    pub answer: Option<&'a FooterAggregate>,
    /// Whether it is run again with every step of a recursive query.
    pub repeats: bool,
    /// Whether whatever lies above it asks for all of its rows.
    pub is_drained: bool,
}

/// Steps that ask for all rows of their inputs before the query ends, unless they stop at a number of rows. Joins do not: without rows on one side they
/// may leave the other alone.
const DRAINING: [&str; 15] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "FilterExec",
    "FooterAggregate",
    "InterleaveExec",
    "ProjectionExec",
    "RepartitionExec",
    "SortExec",
    "SortPreservingMergeExec",
    "UnionExec",
    "UnnestExec",
    "WindowAggExec",
];

/// The scans of a plan, in its order.
pub(super) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    // Plans nest too deeply for functions that do.
    let mut left = vec![(plan, Above { answer: None, repeats: false, is_drained: true })];
    while let Some((node, above)) = left.pop() {
        if let Some(scan) = node.downcast_ref::<LakeScan>() {
            let Above { answer, repeats, is_drained } = above;
            found.push(Found { scan, answer, repeats, is_drained });
            continue;
        }
        let below: Vec<_> = node.children().into_iter().enumerate().map(|(at, child)| (child, above.below(node, at))).collect();
        left.extend(below.into_iter().rev());
    }
    found
}

/// What lies above a node.
#[derive(Debug, Clone, Copy)]
struct Above<'a> {
    answer: Option<&'a FooterAggregate>,
    repeats: bool,
    is_drained: bool,
}

impl<'a> Above<'a> {
    /// What lies above a node's child at `at`.
    fn below(self, node: &'a Arc<dyn ExecutionPlan>, at: usize) -> Self {
        let is_step = at == 1 && node.is::<RecursiveQueryExec>();
        let stops = node.fetch().is_some()
            || node.downcast_ref::<AggregateExec>().is_some_and(|aggregate| aggregate.limit_options().is_some());
        Self {
            answer: node.downcast_ref::<FooterAggregate>().or(self.answer),
            repeats: self.repeats || is_step,
            is_drained: self.is_drained && !stops && DRAINING.contains(&node.name()),
        }
    }
}
