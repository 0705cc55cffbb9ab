//! Arithmetic with Trino's results: that of integers fails where the result does not fit, quotients of decimals have Trino's scale.

use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator},
};

use crate::functions::{Arithmetic, divide, is_decimal_division};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Ok(Transformed::no(expr)) };
    let operation = match op {
        Operator::Plus => Some(Arithmetic::Add),
        Operator::Minus => Some(Arithmetic::Subtract),
        Operator::Multiply => Some(Arithmetic::Multiply),
        Operator::Divide => None,
        _ => return Ok(Transformed::no(expr)),
    };
    // An expression without a type is DataFusion's to refuse.
    let (Ok(of_left), Ok(of_right)) = (left.get_type(schema), right.get_type(schema)) else { return Ok(Transformed::no(expr)) };
    let applies = match operation {
        Some(_) => of_left.is_signed_integer() && of_right.is_signed_integer(),
        None => is_decimal_division(&of_left, &of_right),
    };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) if applies => Ok(Transformed::yes(match operation {
            Some(operation) => operation.call(*left, *right),
            None => divide(*left, *right),
        })),
        expr => Ok(Transformed::no(expr)),
    }
}
