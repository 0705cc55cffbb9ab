//! Steps that make many rows of few give way now and then.
//!
//! A task is cancelled where it gives way, and DataFusion gives way where data comes in. A join that multiplies rows hardly ever asks for
//! more, so that a query with one would compute on after it was cancelled, and keep everybody else from the thread.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    physical_plan::{
        ExecutionPlan,
        coop::CooperativeExec,
        joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec},
        unnest::UnnestExec,
    },
};

use crate::error::{Result, from_datafusion};

/// The plan with its joins and unnests giving way after every so many batches.
///
/// # Errors
/// `Internal` if DataFusion does not take its own plan.
pub(crate) fn cooperative(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        if multiplies(&node) {
            return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>));
        }
        Ok(Transformed::no(node))
    });
    wrapped.map(|wrapped| wrapped.data).map_err(from_datafusion)
}

fn multiplies(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<CrossJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<HashJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<UnnestExec>()
}
