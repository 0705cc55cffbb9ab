//! Describes a statement without running or recording it: for prepared statements.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::{execution::context::SessionState, logical_expr::LogicalPlan};

use super::{context, explain, output::Output, parameters, planning, shared::Shared};
use crate::{
    accounting::Meter,
    error::Result,
    failure::from_datafusion,
    lifecycle::{CancelReason, Limits},
    session::Session,
    sql::{self, Answer, Statement},
    statements,
};

/// A statement's result and parameters.
#[derive(Debug, Clone)]
pub struct Description {
    /// Without columns if the statement returns none. A column whose type depends on a parameter of unknown type has the type `Null` until the
    /// parameter is bound.
    pub schema: SchemaRef,
    /// One field for each parameter, by position; of type `Null` where the type is not known.
    pub parameters: SchemaRef,
    /// Whether it reads rows, and changes nothing.
    pub is_query: bool,
}

/// Describes a statement without taking it in as a query.
pub(crate) async fn describe(shared: &Arc<Shared>, session: &Session, text: &str) -> Result<Description> {
    let (of_engine, options, text) = (Arc::clone(shared), session.options(), text.to_owned());
    let (limits, user) = (Limits::of_session(&options), options.user.clone());
    let work = Box::pin(async move {
        let statement = sql::parse(&text)?;
        let answer = statement.nature().answer;
        // Of a query that is explained, only the parameters are to be found out.
        let Some(query) = statement.query().filter(|query| query.parameters > 0 || answer == Answer::Rows) else {
            return Ok(Description::of_statement(&statement));
        };
        let limits = Limits::of_session(&options);
        let context = context::for_query(&of_engine, &Meter::new(options.max_scan), &options, &limits);
        let (state, logical) = context.logical(query, &options.database).await?;
        match answer {
            Answer::Rows => Description::of_query(&state, logical, query.parameters),
            Answer::Plan | Answer::Text(_) | Answer::Nothing => Description::of_explain(logical, query.parameters),
        }
    });
    let described = planning::apart(&shared.planning, &user, work);
    match limits.timeout {
        None => described.await,
        Some(limit) => {
            let in_time = tokio::time::timeout(limit.value, described).await;
            in_time.unwrap_or_else(|_| Err(CancelReason::Timeout.error(&limits)))
        }
    }
}

impl Description {
    /// A statement without parameters.
    fn of_statement(statement: &Statement) -> Self {
        let nature = statement.nature();
        let schema = match nature.answer {
            Answer::Plan => explain::schema(),
            // That of a query's rows is found by planning it.
            Answer::Nothing | Answer::Text(_) | Answer::Rows => statements::schema(statement),
        };
        Self { schema, parameters: Arc::new(Schema::empty()), is_query: nature.waits() }
    }

    /// `EXPLAIN` of a query: its parameters are the query's.
    fn of_explain(plan: LogicalPlan, parameters: usize) -> Result<Self> {
        let (_, parameters) = parameters::describe(plan, parameters)?;
        Ok(Self { schema: explain::schema(), parameters, is_query: true })
    }

    fn of_query(state: &SessionState, plan: LogicalPlan, parameters: usize) -> Result<Self> {
        let (plan, parameters) = parameters::describe(plan, parameters)?;
        let optimized = state.optimize(&plan).map_err(from_datafusion)?;
        Ok(Self { schema: Output::of(&optimized).schema(), parameters, is_query: true })
    }
}
