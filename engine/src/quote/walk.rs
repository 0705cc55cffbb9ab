//! The scans of a physical plan, each with what lies above it.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, InputOrderMode, aggregates::AggregateExec, recursive_query::RecursiveQueryExec};

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

/// How many of a step's rows are asked for before the query ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    All,
    /// The first of each of its streams, and maybe more.
    First,
    /// Maybe none: without rows on one side, a join may leave the other alone.
    Unknown,
}

/// Steps that ask each stream of their input for rows as they give them, and for all in the end.
const STREAMING: [&str; 10] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "CoalesceBatchesExec",
    "CooperativeExec",
    "FilterExec",
    "GlobalLimitExec",
    "LocalLimitExec",
    "ProjectionExec",
    "UnnestExec",
    "WindowAggExec",
];

/// Steps that give the rows of several streams, whichever come first.
const MERGING: [&str; 4] = ["CoalescePartitionsExec", "InterleaveExec", "RepartitionExec", "UnionExec"];

/// The scans of a plan, in its order.
pub(super) fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    // Plans nest too deeply for functions that do.
    let mut left = vec![(plan, Above { answer: None, repeats: false, asked: Asked::All })];
    while let Some((node, above)) = left.pop() {
        if let Some(scan) = node.downcast_ref::<LakeScan>() {
            let Above { answer, repeats, asked } = above;
            found.push(Found { scan, answer, repeats, is_drained: asked == Asked::All });
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
    asked: Asked,
}

impl<'a> Above<'a> {
    /// What lies above a node's child at `at`.
    fn below(self, node: &'a Arc<dyn ExecutionPlan>, at: usize) -> Self {
        let is_step = at == 1 && node.is::<RecursiveQueryExec>();
        Self {
            answer: node.downcast_ref::<FooterAggregate>().or(self.answer),
            repeats: self.repeats || is_step,
            asked: asked(node, self.asked),
        }
    }
}

/// How many rows a node asks its inputs for, of which so many are asked.
fn asked(node: &Arc<dyn ExecutionPlan>, of: Asked) -> Asked {
    if of == Asked::Unknown {
        return of;
    }
    let name = node.name();
    // What gives its first row when it has seen all.
    let is_blocking = match node.downcast_ref::<AggregateExec>() {
        Some(aggregate) => aggregate.limit_options().is_none() && *aggregate.input_order_mode() == InputOrderMode::Linear,
        None => name.starts_with("SortExec"),
    };
    let stops = of == Asked::First
        || node.fetch().is_some()
        || node.downcast_ref::<AggregateExec>().is_some_and(|aggregate| aggregate.limit_options().is_some());
    let most = if stops { Asked::First } else { Asked::All };
    match name {
        _ if is_blocking => Asked::All,
        // It gives a row when it has one of each stream.
        "SortPreservingMergeExec" | "FooterAggregate" => most,
        _ if STREAMING.contains(&name) => most,
        _ if MERGING.contains(&name) => {
            let streams: usize = node.children().into_iter().map(|child| child.properties().partitioning.partition_count()).sum();
            if stops && streams > 1 { Asked::Unknown } else { most }
        }
        _ => Asked::Unknown,
    }
}
