//! Starts the plans of a query: with or without an admission slot, one after another.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::{
    common::{
        internal_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    datasource::{memory::MemorySourceConfig, source::DataSourceExec},
    error::Result,
    execution::{SendableRecordBatchStream, TaskContext},
    physical_plan::{
        ExecutionPlan,
        empty::EmptyExec,
        execute_stream,
        joins::{CrossJoinExec, NestedLoopJoinExec},
        placeholder_row::PlaceholderRowExec,
        recursive_query::RecursiveQueryExec,
        stream::RecordBatchStreamAdapter,
        unnest::UnnestExec,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::system::SystemScan;

/// Whether a plan takes a slot, and the executor's threads. A plan that reads no store, and computes no more than the catalog and the history hold,
/// does not wait for those that do: whoever looks for what is wrong must get an answer while all slots are taken.
pub(super) fn needs_slot(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut needs = false;
    let walked = plan.apply(|node| {
        let is_small = if node.children().is_empty() {
            match node.downcast_ref::<SystemScan>() {
                Some(scan) => !scan.reads_stores(),
                None => node.is::<PlaceholderRowExec>() || node.is::<EmptyExec>() || is_small_memory(node),
            }
        } else {
            !(node.is::<CrossJoinExec>()
                || node.is::<NestedLoopJoinExec>()
                || node.is::<RecursiveQueryExec>()
                || node.is::<UnnestExec>())
        };
        needs = !is_small;
        Ok(if needs { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    needs || walked.is_err()
}

/// Rows in memory beyond this are worth a slot.
const FEW_ROWS: usize = 8192;

/// Whether a leaf holds a few rows in memory: those of `VALUES`, or of a small registered table.
fn is_small_memory(node: &Arc<dyn ExecutionPlan>) -> bool {
    let source = node.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    source.and_then(|source| source.downcast_ref::<MemorySourceConfig>()).is_some_and(|memory| {
        let rows: usize = memory.partitions().iter().flatten().map(RecordBatch::num_rows).sum();
        rows <= FEW_ROWS
    })
}

/// The batches of several plans of one schema, each begun when the one before has ended; the first at once.
pub(super) fn in_turn(plans: Vec<Arc<dyn ExecutionPlan>>, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
    let mut plans = plans.into_iter();
    let Some(first) = plans.next() else { return internal_err!("there is no plan to run") };
    let first = execute_stream(first, Arc::clone(&context))?;
    if plans.len() == 0 {
        return Ok(first);
    }
    let schema = first.schema();
    let others = stream::iter(plans).map(move |plan| execute_stream(plan, Arc::clone(&context))).try_flatten();
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, first.chain(others))))
}
