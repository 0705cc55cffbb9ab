//! Ends a recursive query after a number of steps, the session's `max_recursion_depth`, and after a number of rows. Otherwise a recursion without an end
//! would run for ever, and one whose steps multiply rows would practically never reach its depth.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use datafusion::{
    common::{
        Result as DataFusionResult,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execution_plan::replace_children_if_necessary,
        recursive_query::RecursiveQueryExec, stream::RecordBatchStreamAdapter,
    },
};
use futures::{TryStreamExt, future::ready};

use crate::{
    error::{Error, ErrorKind, Result, to_datafusion},
    failure::from_datafusion,
};

/// Rows that all steps of a recursive query make at most.
const MOST_ROWS: u64 = 10_000_000;

/// The plan with the steps and rows of its recursive queries counted, and refused beyond `most` steps and [`MOST_ROWS`].
///
/// # Errors
/// `Internal` if DataFusion does not take its own plan.
pub(crate) fn bounded(plan: Arc<dyn ExecutionPlan>, most: u64) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        let Some(query) = node.downcast_ref::<RecursiveQueryExec>() else { return Ok(Transformed::no(node)) };
        let name: Arc<str> = Arc::from(query.name());
        let (steps, rows) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = |input: &Arc<dyn ExecutionPlan>, role| {
            let (input, name) = (Arc::clone(input), Arc::clone(&name));
            Arc::new(Counted { input, name, steps: Arc::clone(&steps), rows: Arc::clone(&rows), role }) as Arc<dyn ExecutionPlan>
        };
        let (first, next) = (counted(query.static_term(), Role::First), counted(query.recursive_term(), Role::Next { most }));
        Ok(Transformed::yes(replace_children_if_necessary(node, vec![first, next])?))
    });
    wrapped.map(|wrapped| wrapped.data).map_err(from_datafusion)
}

#[derive(Debug, Clone, Copy)]
enum Role {
    /// The query's first part, with which a run begins.
    First,
    /// The part that is run for each step.
    Next { most: u64 },
}

/// A part of a recursive query, whose runs and rows are counted.
#[derive(Debug, Clone)]
struct Counted {
    input: Arc<dyn ExecutionPlan>,
    /// The query's.
    name: Arc<str>,
    /// Steps and rows of this run so far, shared by both parts.
    steps: Arc<AtomicU64>,
    rows: Arc<AtomicU64>,
    role: Role,
}

impl DisplayAs for Counted {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::First => f.write_str("RecursionStart"),
            Role::Next { most } => write!(f, "RecursionStep: most={most}"),
        }
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &str {
        "Recursion"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self { input, ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let stream = self.input.execute(partition, context)?;
        // One more step may be taken, to find that nothing is left.
        let beyond = match self.role {
            Role::First => {
                self.steps.store(0, Relaxed);
                self.rows.store(0, Relaxed);
                None
            }
            Role::Next { most } => Some(most).filter(|most| self.steps.fetch_add(1, Relaxed) >= *most),
        };
        let (rows, name) = (Arc::clone(&self.rows), Arc::clone(&self.name));
        let counted = stream.and_then(move |batch| {
            let new = batch.num_rows() as u64;
            let all = rows.fetch_add(new, Relaxed).saturating_add(new);
            ready(match beyond {
                Some(most) if new > 0 => Err(to_datafusion(too_deep(most))),
                _ if all > MOST_ROWS => Err(to_datafusion(too_many(&name))),
                _ => Ok(batch),
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }
}

fn too_deep(most: u64) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("recursion depth limit exceeded ({most})"))
        .with_hint("Add a condition that ends the recursion, or raise the session setting max_recursion_depth")
}

fn too_many(name: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("recursive query \"{name}\" produces more than {MOST_ROWS} rows"))
        .with_hint("Add a condition that ends the recursion, or produce fewer rows in each step")
}
