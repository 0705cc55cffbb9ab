//! A statement from text to result: the only place that names every stage of a query, in their order.
//!
//! [`plan`] takes it in, and [`prepare`] parses and plans it on a planning thread; [`PlannedQuery::run`] checks access again, waits for a slot,
//! and executes it. Whatever happens in between, the guard ends the query.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, stream};

use super::{
    context,
    estimate::Estimate,
    executor::Executor,
    explain,
    output::Output,
    parameters::Parameters,
    planned::{PlannedQuery, Work},
    planning,
    shared::Shared,
    start::{in_turn, needs_slot},
    views::Views,
};
use crate::{
    access::Guarded,
    error::{Error, Result},
    failure::from_datafusion,
    lifecycle::{self, Entry, Executing, Failure, Query, QueryGuard},
    plan::{PlanContext, Stop, bounded, cooperative},
    session::{Session, SessionOptions},
    sql::{self, Statement},
    statements,
};

// The history keeps all of a statement that can be parsed.
const _: () = assert!(lifecycle::MAX_KEPT >= sql::MAX_STATEMENT);

/// Plans a statement and runs it.
pub(crate) async fn submit(shared: &Arc<Shared>, session: &Session, text: &str) -> Result<Query, Failure> {
    plan(shared, session, text, &Parameters::default()).await?.run().await
}

/// Takes a statement in and plans it. Nothing has been changed, and no table data read, when this returns.
pub(crate) async fn plan(
    shared: &Arc<Shared>,
    session: &Session,
    text: &str,
    parameters: &Parameters,
) -> Result<PlannedQuery, Failure> {
    let mut options = session.options();
    // A time limit that is too short for any statement must not keep the statement from running that raises it.
    if sql::only_sets(text) {
        options.timeout = None;
    }
    let guard = shared.queries.receive(options, text)?;
    let prepared = prepare(Arc::clone(shared), Arc::clone(guard.entry()), text.to_owned(), parameters.clone());
    let prepared = planning::apart(&shared.planning, &guard.options().user, Box::pin(prepared));
    match guard.run(prepared).await {
        Ok((work, access)) => {
            let (shared, session, guard) = (Arc::clone(shared), session.clone(), guard.planned());
            Ok(PlannedQuery { shared, session, guard, work, access })
        }
        Err(error) => Err(guard.fail(error).await),
    }
}

/// What is to be done, and the catalog that it was planned on.
type Prepared = (Work, Option<Arc<Guarded>>);

async fn prepare(shared: Arc<Shared>, entry: Arc<Entry>, text: String, parameters: Parameters) -> Result<Prepared> {
    let statement = sql::parse(&text)?;
    entry.classify(statement.kind(), statement.is_billable());
    let Some(query) = statement.query() else {
        return parameters.none_wanted().map(|()| (Work::Statement(Box::new(statement)), None));
    };
    let explain = if let Statement::Explain(explain) = &statement { Some(explain) } else { None };
    let context = context::for_query(&shared, &entry.meter, &entry.options);
    let access = Some(Arc::clone(&context.guard));
    let (state, logical) = context.logical(query, &context.session.database).await?;
    let (mut plans, mut output) = (Vec::new(), None);
    let tariff = Arc::clone(&entry.tariff);
    let stop: Stop = Arc::new(move || entry.stopped_with());
    for logical in parameters.bind(logical, query.parameters)? {
        if let Some(explain) = explain {
            parameters.one_row()?;
            if !explain.analyze {
                return explain::answer(explain.what, &state, &logical).await.map(|answer| (Work::Answer(answer), access));
            }
        }
        let optimized = state.optimize(&logical).map_err(from_datafusion)?;
        output.get_or_insert_with(|| Output::of(&optimized));
        let plan = state.query_planner().create_physical_plan(&optimized, &state).await.map_err(from_datafusion)?;
        plans.push(bounded(cooperative(plan, &stop)?, context.session.max_recursion_depth)?);
    }
    let estimate = Estimate::of(&plans, &tariff);
    let context = state.task_ctx();
    let unbound = || Error::internal("a statement was bound to no values");
    let work = match explain {
        Some(_) => Work::Analyze { plan: plans.pop().ok_or_else(unbound)?, context, estimate },
        None => Work::Run { plans, context, output: output.ok_or_else(unbound)?, estimate },
    };
    Ok((work, access))
}

impl PlannedQuery {
    /// Runs it: a statement that changes something has done so when this returns, a query has begun. Access is checked again.
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
                let guard = if statement.nature().scans { guard.admit().await? } else { guard.start() };
                // Its settings are those that it was planned with; who asks is decided now.
                let SessionOptions { user, groups, role, .. } = session.options();
                let options = SessionOptions { user, groups, role, ..guard.options().clone() };
                let context = context::for_query(&shared, guard.meter(), &options);
                match guard.run(carry_out(&statement, &shared, &session, &context)).await {
                    Ok(batch) => Ok(answered(guard, batch)),
                    Err(error) => Err(guard.fail(error).await),
                }
            }
            Work::Run { plans, context, output, .. } => {
                let executor = plans.iter().any(needs_slot).then_some(&*shared.executor);
                let mut guard = if executor.is_some() { guard.admit().await? } else { guard.start() };
                let slot = guard.take_slot();
                let batches = {
                    let _entered = executor.and_then(Executor::enter);
                    in_turn(plans, context)
                };
                match batches {
                    Ok(batches) => Ok(Query::new(guard, output.schema(), output.shape(batches, slot, executor))),
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

/// Carries out a statement that is no query, if its user may.
async fn carry_out(statement: &Statement, shared: &Shared, session: &Session, plan: &PlanContext) -> Result<RecordBatch> {
    shared.caller(&plan.session).check(statement, &session.database(), shared.metastore.as_ref()).await?;
    let views = Views { plan, slots: &shared.planning };
    statements::execute(statement, &context::for_statement(shared, session, plan, &views)).await
}

fn answered(guard: QueryGuard<Executing>, batch: RecordBatch) -> Query {
    Query::new(guard, batch.schema(), stream::iter([Ok(batch)]).boxed())
}
