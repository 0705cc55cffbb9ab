//! A statement from text to result: the only place that names every stage of a query's life.

use std::sync::Arc;

use glaux_catalog::Metastore;

use super::{
    describe::Description,
    estimate::Estimate,
    explain,
    output::Output,
    parameters::Parameters,
    planned::{PlannedQuery, Work},
    planning, statement,
};
use crate::{
    access::Guarded,
    accounting::Meter,
    error::{Error, Result, from_datafusion},
    lifecycle::{CancelReason, Entry, Failure, Query},
    plan::{Stop, bounded, cooperative},
    runtime::Shared,
    session::Session,
    sql::{self, Statement},
    system::Browser,
};

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
    let guard = shared.queries.receive(session, text)?;
    let prepared = prepare(Arc::clone(shared), Arc::clone(guard.entry()), text.to_owned(), parameters.clone());
    let prepared = planning::apart(shared.queries.planning(), &guard.options().user, Box::pin(prepared));
    match guard.run(prepared).await {
        Ok((work, access)) => Ok(PlannedQuery::new(shared, session, guard.planned(), work, access)),
        Err(error) => Err(guard.fail(error).await),
    }
}

/// What is to be done, and what a query was planned on.
type Prepared = (Work, Option<Arc<Guarded>>);

async fn prepare(shared: Arc<Shared>, entry: Arc<Entry>, text: String, parameters: Parameters) -> Result<Prepared> {
    let statement = sql::parse(&text)?;
    entry.classify(statement.kind(), statement.is_billable());
    let (query, explain) = match &statement {
        Statement::Query(query) => (query, None),
        Statement::Explain(explain) => (&explain.query, Some(explain)),
        _ => return parameters.none_wanted().map(|()| (Work::Statement(Box::new(statement)), None)),
    };
    let context = statement::plan_context(&shared, &entry.meter, &entry.options);
    let access = Some(Arc::clone(&context.guard));
    let (state, logical) = context.logical(query, &context.session.database).await?;
    let (mut plans, mut output) = (Vec::new(), None);
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
    let estimate = Estimate::of(&plans, shared.queries.tariff());
    let context = state.task_ctx();
    let unbound = || Error::internal("a statement was bound to no values");
    let work = match explain {
        Some(_) => Work::Analyze { plan: plans.pop().ok_or_else(unbound)?, context, estimate },
        None => Work::Run { plans, context, output: output.ok_or_else(unbound)?, estimate },
    };
    Ok((work, access))
}

/// Describes a statement without taking it in as a query.
pub(crate) async fn describe(shared: &Arc<Shared>, session: &Session, text: &str) -> Result<Description> {
    let (shared, options, text) = (Arc::clone(shared), session.options(), text.to_owned());
    let (timeout, user, queries) = (options.timeout, options.user.clone(), Arc::clone(&shared.queries));
    let work = Box::pin(async move {
        let statement = sql::parse(&text)?;
        let query = match statement.query() {
            // Of one that is explained, only the parameters are to be found out.
            Some(query) if query.parameters > 0 || matches!(statement, Statement::Query(_)) => query,
            _ => return Ok(Description::of_statement(&statement)),
        };
        let context = statement::plan_context(&shared, &Meter::new(options.max_scan), &options);
        let (state, logical) = context.logical(query, &options.database).await?;
        match &statement {
            Statement::Explain(_) => Description::of_explain(logical, query.parameters),
            _ => Description::of_query(&state, logical, query.parameters),
        }
    });
    let described = planning::apart(queries.planning(), &user, work);
    match timeout {
        None => described.await,
        Some(limit) => {
            tokio::time::timeout(limit, described).await.unwrap_or_else(|_| Err(CancelReason::Timeout.error(timeout, None)))
        }
    }
}

/// The catalog as a session's user has it.
pub(crate) fn catalog(shared: &Arc<Shared>, session: &Session) -> Arc<dyn Metastore> {
    statement::caller(shared, &session.options()).guard(&shared.metastore)
}

/// Looks around for a session.
pub(crate) fn browse(shared: &Arc<Shared>, session: &Session) -> Browser {
    let options = session.options();
    let deps = statement::plan_context(shared, &Meter::new(None), &options).system;
    Browser::new(deps, statement::caller(shared, &options), Arc::clone(&shared.metastore))
}
