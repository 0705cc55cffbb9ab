//! Replaces operators whose results have other types in Trino than in DataFusion, or that fail in Trino only. This happens during planning, since the
//! expressions around an operator are typed by it.

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, ScalarValue},
    logical_expr::{
        Expr, ExprSchemable, GetFieldAccess, lit,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr},
    },
};
use sqlparser::ast::BinaryOperator;

use crate::functions::{DecimalArithmetic, concat, is_concat, is_decimal_arithmetic, is_multiple, multiple, subscript};

#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_field_access(&self, expr: RawFieldAccessExpr, schema: &DFSchema) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let is_struct = expr.expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Struct(_)));
        let RawFieldAccessExpr { field_access, expr } = expr;
        Ok(match field_access {
            GetFieldAccess::ListIndex { key } if !is_struct => PlannerResult::Planned(subscript(expr, *key)),
            // A field of a row, unless it is none: then it is a key in brackets.
            GetFieldAccess::NamedStructField { name } if is_map(&expr, schema) => {
                PlannerResult::Planned(subscript(expr, lit(name)))
            }
            field_access => PlannerResult::Original(RawFieldAccessExpr { field_access, expr }),
        })
    }

    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let operation = match expr.op {
            BinaryOperator::Plus => DecimalArithmetic::Add,
            BinaryOperator::Minus => DecimalArithmetic::Subtract,
            BinaryOperator::Multiply => DecimalArithmetic::Multiply,
            BinaryOperator::Divide => DecimalArithmetic::Divide,
            BinaryOperator::Modulo => DecimalArithmetic::Modulo,
            BinaryOperator::StringConcat => return Ok(planned_concat(expr, schema)),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // An expression without a type is DataFusion's to refuse.
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        Ok(match (&expr.op, is_multiple(&left, &right)) {
            (BinaryOperator::Multiply, Some(true)) => PlannerResult::Planned(multiple(expr.left, expr.right)),
            (BinaryOperator::Multiply, Some(false)) => PlannerResult::Planned(multiple(expr.right, expr.left)),
            _ if is_decimal_arithmetic(&left, &right) => {
                PlannerResult::Planned(operation.call(integer(expr.left), integer(expr.right)))
            }
            _ => PlannerResult::Original(expr),
        })
    }
}

/// `||` of texts or of bytes.
fn planned_concat(expr: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    match (expr.left.get_type(schema), expr.right.get_type(schema)) {
        (Ok(left), Ok(right)) if is_concat(&left, &right) => PlannerResult::Planned(concat(expr.left, expr.right)),
        _ => PlannerResult::Original(expr),
    }
}

/// A whole number that is written down is an INTEGER beside a decimal, if it is one: it has fewer digits than a BIGINT.
fn integer(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Expr::Literal(ScalarValue::Int32(Some(value)), metadata),
            Err(_) => Expr::Literal(ScalarValue::Int64(Some(value)), metadata),
        },
        other => other,
    }
}

fn is_map(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Map(..)))
}
