//! A statement from text to result: the only place that names every stage of a query, in their order.
//!
//! [`plan`] takes it in under the limits of its workgroup, and [`prepare`] parses and plans it on a planning thread; [`PlannedQuery::run`] checks
//! access again, waits for a slot, and executes it. Whatever happens in between, the guard ends the query.

use std::{sync::Arc, time::Instant};

use arrow::array::RecordBatch;
use futures::{StreamExt, stream};

use super::{
    context,
    executor::Executor,
    explain, limits,
    parameters::Parameters,
    physical::{Plans, plans},
    planned::{PlannedQuery, Work},
    planning, quoting,
    shared::Shared,
    start::{in_turn, needs_slot},
    views::Views,
};
use crate::{
    access::Guarded,
    error::{Error, Result},
    failure::from_datafusion,
    lifecycle::{self, Entry, Executing, Failure, Query, QueryGuard},
    plan::PlanContext,
    quote,
    scan::Basis,
    session::{Session, SessionOptions},
    sql::{self, Explain, ExplainWhat, Statement},
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
    // A limit that is too tight for any statement must not keep the statement from running that changes it.
    let only_sets = sql::only_sets(text);
    if only_sets {
        options.timeout = None;
    }
    let guard = shared.queries.receive(options, text)?;
    let mut refusal = None;
    if !only_sets {
        match guard.run(limits::in_force(shared, guard.options())).await {
            Ok(limits) => guard.enforce(limits),
            Err(error) if limits::may_define(guard.options(), &error) => refusal = Some(error),
            Err(error) => return Err(guard.fail(error).await),
        }
    }
    let prepared = prepare(Arc::clone(shared), Arc::clone(guard.entry()), text.to_owned(), parameters.clone(), refusal);
    let prepared = planning::apart(&shared.planning, &guard.options().user, Box::pin(prepared));
    match guard.run(prepared).await {
        Ok(Prepared { work, access, quoted_bytes }) => {
            let (shared, session, guard) = (Arc::clone(shared), session.clone(), guard.planned());
            Ok(PlannedQuery { shared, session, guard, work, access, quoted_bytes, planned_at: Instant::now() })
        }
        Err(error) => Err(guard.fail(error).await),
    }
}

/// What is to be done.
struct Prepared {
    work: Work,
    /// The catalog that it was planned on.
    access: Option<Arc<Guarded>>,
    /// Bytes of table data that it scans at most, if it was judged by that.
    quoted_bytes: Option<u64>,
}

/// Parses and plans a statement. With a `refusal` of its workgroup, queries are refused.
async fn prepare(
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    text: String,
    parameters: Parameters,
    refusal: Option<Error>,
) -> Result<Prepared> {
    let statement = sql::parse(&text)?;
    entry.classify(statement.kind(), statement.is_billable());
    let Some(query) = statement.query() else {
        parameters.none_wanted()?;
        return Ok(Prepared { work: Work::Statement(Box::new(statement)), access: None, quoted_bytes: None });
    };
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let context = context::for_query(&shared, &entry.meter, &entry.options, &entry.limits());
    let access = Some(Arc::clone(&context.guard));
    let work = match &statement {
        Statement::Explain(explain) => prepare_explain(explain, &shared, &entry, &context, &parameters).await?,
        _ => {
            let Plans { plans, context, output } = plans(&context, &entry, query, &parameters, false).await?;
            Work::Run { plans, context, output }
        }
    };
    let quoted_bytes = match work.plans() {
        Some(plans) => quoting::judged(&shared, &entry, plans).await?,
        None => None,
    };
    Ok(Prepared { work, access, quoted_bytes })
}

async fn prepare_explain(
    explain: &Explain,
    shared: &Shared,
    entry: &Arc<Entry>,
    context: &PlanContext,
    parameters: &Parameters,
) -> Result<Work> {
    let query = &explain.query;
    if !explain.needs_plan() {
        let (state, logical) = context.logical(query, &context.session.database).await?;
        let bound = parameters.bind(logical, query.parameters)?;
        parameters.one_row()?;
        let logical = bound.first().ok_or_else(|| Error::internal("a statement was bound to no values"))?;
        return explain::answer(explain.what, &state, logical).await.map(Work::Answer);
    }
    let (plan, task) = plans(context, entry, query, parameters, true).await?.into_one()?;
    if explain.analyze {
        return Ok(Work::Analyze { plan, context: task });
    }
    let answer = if explain.what == ExplainWhat::Io {
        explain::document(&quote::document(&plan)?)
    } else {
        let (planning, tariff) = (entry.meter.detail(), entry.tariff());
        let quote = quoting::of_plans(shared, vec![plan], planning, tariff, Basis::Footers).await?;
        explain::cost(&quote, explain.format)
    };
    answer.map(Work::Answer)
}

impl PlannedQuery {
    /// Runs it: a statement that changes something has done so when this returns, a query has begun. Access is checked again.
    ///
    /// # Errors
    /// The error with the query's report.
    pub async fn run(self) -> Result<Query, Failure> {
        if let Err(error) = self.guard.run(self.check_again()).await {
            return Err(self.guard.fail(error).await);
        }
        let quoted_bytes = self.most_scanned();
        let Self { shared, session, guard, work, .. } = self;
        match work {
            Work::Answer(batch) => Ok(answered(guard.start(), batch)),
            Work::Statement(statement) => {
                let guard = if statement.nature().scans { guard.admit().await? } else { guard.start() };
                // Its settings are those that it was planned with; who asks is decided now.
                let SessionOptions { user, groups, role, .. } = session.options();
                let options = SessionOptions { user, groups, role, ..guard.options().clone() };
                let context = context::for_query(&shared, guard.meter(), &options, &guard.entry().limits());
                match guard.run(carry_out(&statement, &shared, &session, &context)).await {
                    Ok(batch) => Ok(answered(guard, batch)),
                    Err(error) => Err(guard.fail(error).await),
                }
            }
            Work::Run { plans, context, output } => {
                let executor = plans.iter().any(needs_slot).then_some(&*shared.executor);
                let mut guard = if executor.is_some() { guard.admit_quoted(quoted_bytes).await? } else { guard.start() };
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
            Work::Analyze { plan, context } => {
                let guard = guard.admit_quoted(quoted_bytes).await?;
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
