//! Arithmetic of integers that fails where the result does not fit, as in Trino.

use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator},
};

use crate::functions::Arithmetic;

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Ok(Transformed::no(expr)) };
    let operation = match op {
        Operator::Plus => Arithmetic::Add,
        Operator::Minus => Arithmetic::Subtract,
        Operator::Multiply => Arithmetic::Multiply,
        _ => return Ok(Transformed::no(expr)),
    };
    // An expression without a type is DataFusion's to refuse.
    let is_checked = [left, right].iter().all(|side| side.get_type(schema).is_ok_and(|of| of.is_signed_integer()));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) if is_checked => Ok(Transformed::yes(operation.call(*left, *right))),
        expr => Ok(Transformed::no(expr)),
    }
}
