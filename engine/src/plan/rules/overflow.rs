//! Arithmetic of integers that fails where the result does not fit, as in Trino.

use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator},
};

use crate::functions::Arithmetic;

pub(super) fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Ok(Transformed::no(expr)) };
    // An expression without a type is DataFusion's to refuse.
    let is_checked = [left, right].iter().all(|side| side.get_type(schema).is_ok_and(|of| of.is_signed_integer()));
    let operation = operation(*op).filter(|_| is_checked);
    match (expr, operation) {
        (Expr::BinaryExpr(BinaryExpr { left, right, .. }), Some(operation)) => {
            Ok(Transformed::yes(operation.call(*left, *right)))
        }
        (expr, _) => Ok(Transformed::no(expr)),
    }
}

fn operation(operator: Operator) -> Option<Arithmetic> {
    match operator {
        Operator::Plus => Some(Arithmetic::Add),
        Operator::Minus => Some(Arithmetic::Subtract),
        Operator::Multiply => Some(Arithmetic::Multiply),
        _ => None,
    }
}
