//! What a statement is, without running or recording it: for those who prepare statements.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::{execution::context::SessionState, logical_expr::LogicalPlan};

use super::{explain, output::Output, parameters, statement};
use crate::{
    error::{Result, from_datafusion},
    session::ResultTypes,
    sql::Statement,
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
    pub(super) fn of_statement(statement: &Statement) -> Self {
        let (schema, parameters) = match statement {
            Statement::Explain(explain) => (explain::schema(), parameters::untyped(explain.query.parameters)),
            other => (statement::schema(other), Arc::new(Schema::empty())),
        };
        Self { is_query: matches!(statement, Statement::Explain(_)), schema, parameters }
    }

    pub(super) fn of_query(state: &SessionState, plan: LogicalPlan, parameters: usize, types: ResultTypes) -> Result<Self> {
        let (plan, parameters) = parameters::describe(plan, parameters)?;
        let optimized = state.optimize(&plan).map_err(from_datafusion)?;
        Ok(Self { schema: Output::of(&optimized, types).schema(), parameters, is_query: true })
    }
}
