//! A statement between planning and running: what its result will look like and what it will read at most are known, nothing has been
//! read or changed.
//!
//! A front end that tells before it runs holds one of these; dropping it ends the query as cancelled, with what planning cost.

use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use datafusion::{
    common::{
        internal_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    datasource::{memory::MemorySourceConfig, source::DataSourceExec},
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

use super::{
    estimate::Estimate,
    executor::Executor,
    explain,
    output::Output,
    statement,
};
use crate::{
    access::Guarded,
    error::{Result, from_datafusion},
    lifecycle::{Canceller, Executing, Failure, Planned, Query, QueryGuard, QueryId, QueryReport},
    runtime::Shared,
    session::{Session, SessionOptions},
    sql::Statement,
    statements,
    system::SystemScan,
};

/// What is left to do.
pub(super) enum Work {
    /// `EXPLAIN`: the answer itself.
    Answer(RecordBatch),
    /// A definition, `SHOW`, or a statement about the session: carried out when it is run.
    Statement(Box<Statement>),
    /// A query, or one for each row of its parameters, whose rows follow one another.
    Run { plans: Vec<Arc<dyn ExecutionPlan>>, context: Arc<TaskContext>, output: Output, estimate: Estimate },
    /// `EXPLAIN ANALYZE`: runs, and tells how it went.
    Analyze { plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>, estimate: Estimate },
}

/// A statement that has been planned and not been run.
pub struct PlannedQuery {
    shared: Arc<Shared>,
    session: Session,
    guard: QueryGuard<Planned>,
    work: Work,
    /// The catalog that it was planned on.
    access: Option<Arc<Guarded>>,
}

impl PlannedQuery {
    pub(super) fn new(
        shared: &Arc<Shared>,
        session: &Session,
        guard: QueryGuard<Planned>,
        work: Work,
        access: Option<Arc<Guarded>>,
    ) -> Self {
        Self { shared: Arc::clone(shared), session: session.clone(), guard, work, access }
    }

    /// Whose it is now: groups and roles may have changed since it was planned, and the same user may fetch it in another session.
    pub fn asked_by(&self, session: &Session) {
        let SessionOptions { user, groups, role, workgroup, workgroup_bound, .. } = session.options();
        self.session.identify(&user, &groups, role, workgroup_bound.then_some(workgroup.as_str()));
    }

    /// Whether the session's user may still read all that was planned on; grants may have changed since.
    ///
    /// # Errors
    /// `Denied`; those of the catalog.
    pub async fn check_access(&self) -> Result<()> {
        match &self.access {
            Some(access) => access.renew(statement::caller(&self.shared, &self.session.options())).await,
            None => Ok(()),
        }
    }

    #[must_use]
    pub fn id(&self) -> QueryId {
        self.guard.id()
    }

    /// The schema of the result; without columns for statements that give none.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        match &self.work {
            Work::Answer(batch) => batch.schema(),
            Work::Statement(statement) => statements::schema(statement),
            Work::Run { output, .. } => output.schema(),
            Work::Analyze { .. } => explain::schema(),
        }
    }

    /// Whether running it can wait until its rows are wanted, and is no change of anything if they never are.
    #[must_use]
    pub fn is_query(&self) -> bool {
        match &self.work {
            Work::Answer(_) | Work::Run { .. } | Work::Analyze { .. } => true,
            Work::Statement(statement) => statement.nature().waits(),
        }
    }

    /// What it will read at most; `None` for statements that scan nothing.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        match &self.work {
            Work::Run { estimate, .. } | Work::Analyze { estimate, .. } => Some(*estimate),
            Work::Answer(_) | Work::Statement(_) => None,
        }
    }

    /// Whether the order of the rows is part of the result.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        match &self.work {
            Work::Run { plans, .. } => match plans.as_slice() {
                [plan] => plan.properties().output_ordering().is_some(),
                _ => true,
            },
            Work::Answer(_) | Work::Statement(_) | Work::Analyze { .. } => true,
        }
    }

    /// The figures so far: those of planning.
    #[must_use]
    pub fn report(&self) -> QueryReport {
        self.guard.report()
    }

    /// A handle that stops the query from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.guard.canceller()
    }

    /// Runs it: a statement that changes something has done so when this returns, a query has begun. Rights are looked up again.
    ///
    /// # Errors
    /// The error with the query's report.
    pub async fn run(self) -> Result<Query, Failure> {
        if let Err(error) = self.guard.run(self.check_access()).await {
            return Err(self.guard.fail(error).await);
        }
        let Self { shared, session, guard, work, .. } = self;
        match work {
            Work::Answer(batch) => Ok(answered(guard.start(), batch)),
            Work::Statement(statement) => {
                let guard = guard.start();
                // Its settings are those that it was planned with; who asks is decided now.
                let SessionOptions { user, groups, role, .. } = session.options();
                let options = SessionOptions { user, groups, role, ..guard.options().clone() };
                let context = statement::plan_context(&shared, guard.meter(), &options);
                match guard.run(statement::answer(&statement, &shared, &session, &context)).await {
                    Ok(batch) => Ok(answered(guard, batch)),
                    Err(error) => Err(guard.fail(error).await),
                }
            }
            Work::Run { plans, context, output, .. } => {
                let executor = plans.iter().any(needs_place).then_some(&*shared.executor);
                let mut guard = if executor.is_some() { guard.admit().await? } else { guard.start() };
                let place = guard.take_place();
                let batches = {
                    let _entered = executor.and_then(Executor::enter);
                    in_turn(plans, context)
                };
                match batches {
                    Ok(batches) => Ok(Query::new(guard, output.schema(), output.shape(batches, place, executor))),
                    Err(error) => Err(guard.fail(from_datafusion(error)).await),
                }
            }
            Work::Analyze { plan, context, .. } => {
                let guard = guard.admit().await?;
                let (meter, executor) = (Arc::clone(guard.meter()), Arc::clone(&shared.executor));
                let analyzed = async move { executor.run(explain::analyze(plan, context, meter)).await };
                Ok(Query::new(guard, explain::schema(), stream::once(analyzed).boxed()))
            }
        }
    }
}

/// Whether a query takes one of the places of those that run, and the executor's threads. One that reads no store and computes no more than the catalog and the
/// history hold need not wait for those that do: whoever looks for what is wrong must be answered while all places hang.
fn needs_place(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut needs = false;
    let walked = plan.apply(|node| {
        let is_small = if node.children().is_empty() {
            match node.downcast_ref::<SystemScan>() {
                Some(scan) => !scan.reads_stores(),
                None => node.is::<PlaceholderRowExec>() || node.is::<EmptyExec>() || is_memory(node),
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

/// Whether a leaf shows rows that the statement itself holds: `VALUES`.
fn is_memory(node: &Arc<dyn ExecutionPlan>) -> bool {
    let source = node.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    source.is_some_and(|source| source.downcast_ref::<MemorySourceConfig>().is_some())
}

/// The batches of several plans of one schema, each begun when the one before has ended; the first at once.
fn in_turn(
    plans: Vec<Arc<dyn ExecutionPlan>>,
    context: Arc<TaskContext>,
) -> datafusion::error::Result<SendableRecordBatchStream> {
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

fn answered(guard: QueryGuard<Executing>, batch: RecordBatch) -> Query {
    Query::new(guard, batch.schema(), stream::iter([Ok(batch)]).boxed())
}

impl fmt::Debug for PlannedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedQuery").field("id", &self.id()).field("schema", &self.schema()).finish_non_exhaustive()
    }
}
