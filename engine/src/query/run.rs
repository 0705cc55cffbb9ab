//! A statement from text to result: the only place that names every stage of a query's life.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, stream};

use super::{
    explain,
    guard::{QueryGuard, Received},
    manager::{Failure, Query},
    output::Output,
    statement,
};
use crate::{
    error::{Result, from_datafusion},
    runtime::Shared,
    session::Session,
    sql::{self, Statement},
};

/// A statement that has been planned.
enum Prepared {
    /// DDL, SHOW and session statements: the answer itself.
    Answer(RecordBatch),
    /// A query, ready to run.
    Run { plan: Arc<dyn ExecutionPlan>, context: Arc<datafusion::execution::TaskContext>, output: Output },
    /// EXPLAIN ANALYZE: runs, and tells how it went.
    Analyze { plan: Arc<dyn ExecutionPlan>, context: Arc<datafusion::execution::TaskContext> },
}

pub(crate) async fn submit(shared: &Arc<Shared>, session: &Session, text: &str) -> Result<Query, Failure> {
    let guard = shared.queries.receive(session, text);
    let prepared = match guard.run(prepare(shared, session, &guard, text)).await {
        Ok(prepared) => prepared,
        Err(error) => return Err(guard.fail(error).await),
    };
    let (guard, schema, batches) = match prepared {
        Prepared::Answer(batch) => {
            let schema = batch.schema();
            (guard.planned().start(), schema, stream::iter([Ok(batch)]).boxed())
        }
        Prepared::Run { plan, context, output } => {
            let guard = guard.planned().admit().await?;
            match execute_stream(plan, context) {
                Ok(batches) => (guard, output.schema(), output.shape(batches)),
                Err(error) => return Err(guard.fail(from_datafusion(error)).await),
            }
        }
        Prepared::Analyze { plan, context } => {
            let guard = guard.planned().admit().await?;
            let meter = Arc::clone(guard.meter());
            (guard, explain::schema(), stream::once(explain::analyze(plan, context, meter)).boxed())
        }
    };
    Ok(Query::new(guard, schema, batches))
}

async fn prepare(shared: &Arc<Shared>, session: &Session, guard: &QueryGuard<Received>, text: &str) -> Result<Prepared> {
    let statement = sql::parse(text)?;
    guard.classify(statement.kind(), statement.is_billable());
    let context = statement::plan_context(shared, guard);
    let (query, explain) = match &statement {
        Statement::Query(query) => (query, None),
        Statement::Explain(explain) => (&explain.query, Some(explain)),
        other => return statement::answer(other, shared, session, &context).await.map(Prepared::Answer),
    };
    let (state, logical) = context.logical(query, &context.session.database).await?;
    match explain {
        Some(explain) if !explain.analyze => explain::answer(explain.what, &state, &logical).await.map(Prepared::Answer),
        explain => {
            let plan = state.create_physical_plan(&logical).await.map_err(from_datafusion)?;
            let context = state.task_ctx();
            Ok(match explain {
                Some(_) => Prepared::Analyze { plan, context },
                None => Prepared::Run { output: Output::of(plan.as_ref()), plan, context },
            })
        }
    }
}
