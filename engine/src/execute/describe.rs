//! What a statement is, without running or recording it: for those who prepare statements.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::{execution::context::SessionState, logical_expr::LogicalPlan};

use super::{explain, output::Output, parameters};
use crate::{
    error::{Result, from_datafusion},
    sql::{Answer, Statement},
    statements,
};

/// A statement's result and parameters.
#[derive(Debug, Clone)]
pub struct Description {
    /// Without columns if the statement gives none. A column whose type hangs on a parameter that nothing tells the type of is of type
    /// `Null` until the parameter is bound.
    pub schema: SchemaRef,
    /// One field a parameter, by position; of type `Null` where nothing tells the type.
    pub parameters: SchemaRef,
    /// Whether it reads rows, and changes nothing.
    pub is_query: bool,
}

impl Description {
    /// A statement without parameters.
    pub(super) fn of_statement(statement: &Statement) -> Self {
        let nature = statement.nature();
        let schema = match nature.answer {
            Answer::Plan => explain::schema(),
            // That of a query's rows is found by planning it.
            Answer::Nothing | Answer::Text(_) | Answer::Rows => statements::schema(statement),
        };
        Self { schema, parameters: Arc::new(Schema::empty()), is_query: nature.waits() }
    }

    /// `EXPLAIN` of a query: its parameters are the query's.
    pub(super) fn of_explain(plan: LogicalPlan, parameters: usize) -> Result<Self> {
        let (_, parameters) = parameters::describe(plan, parameters)?;
        Ok(Self { schema: explain::schema(), parameters, is_query: true })
    }

    pub(super) fn of_query(state: &SessionState, plan: LogicalPlan, parameters: usize) -> Result<Self> {
        let (plan, parameters) = parameters::describe(plan, parameters)?;
        let optimized = state.optimize(&plan).map_err(from_datafusion)?;
        Ok(Self { schema: Output::of(&optimized).schema(), parameters, is_query: true })
    }
}
