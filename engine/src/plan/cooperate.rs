//! Makes operators that produce many rows from few yield now and then, so that they stop when their query is cancelled.
//!
//! A task is cancelled where it yields, and DataFusion yields where data comes in. A join that multiplies rows hardly ever asks for more input, so a
//! query with one would keep computing after it was cancelled, and block its thread for others.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    error::Result as DataFusionResult,
    physical_plan::{
        ExecutionPlan,
        coop::CooperativeExec,
        joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec},
        unnest::UnnestExec,
    },
};

use super::interruptible::{Stop, interruptible};
use crate::{error::Result, failure::from_datafusion};

/// The plan with its joins and unnests giving way after every so many batches, and its joins' conditions looking whether to stop.
///
/// # Errors
/// `Internal` if DataFusion does not take its own plan.
pub(crate) fn cooperative(plan: Arc<dyn ExecutionPlan>, stop: &Stop) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| match multiplying(&node, stop)? {
        Some(node) => Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)),
        None => Ok(Transformed::no(node)),
    });
    wrapped.map(|wrapped| wrapped.data).map_err(from_datafusion)
}

/// The step, if it is one that makes many rows of few.
fn multiplying(node: &Arc<dyn ExecutionPlan>, stop: &Stop) -> DataFusionResult<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let filter = join.filter().map(|filter| interruptible(filter, stop));
        return Ok(Some(Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?)));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let filter = join.filter().map(|filter| interruptible(filter, stop));
        return join.builder().with_filter(filter).build_exec().map(Some);
    }
    let multiplies = node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>() || node.is::<UnnestExec>();
    Ok(multiplies.then(|| Arc::clone(node)))
}
