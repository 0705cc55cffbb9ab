//! Operators whose results have other types in Trino than in DataFusion: they are replaced while a query is planned, since what is planned around an
//! expression keeps its type.

use datafusion::{
    common::{DFSchema, Result},
    logical_expr::{
        ExprSchemable,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
};
use sqlparser::ast::BinaryOperator;

use crate::functions::{divide, is_decimal_division};

#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::Divide {
            return Ok(PlannerResult::Original(expr));
        }
        // An expression without a type is DataFusion's to refuse.
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        Ok(match is_decimal_division(&left, &right) {
            true => PlannerResult::Planned(divide(expr.left, expr.right)),
            false => PlannerResult::Original(expr),
        })
    }
}
