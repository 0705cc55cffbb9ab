//! Subscripts after a condition: `cardinality(a) >= 2 AND a[2] = 'x'` asks first whether the element exists. A condition on one table may be evaluated
//! before those on others that are written before it, so a missing element is NULL there and does not fail the query.

use datafusion::{
    common::{
        DFSchema, Result,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    logical_expr::{BinaryExpr, Expr, Operator},
};

use crate::functions::guarded;

pub(super) fn rewrite(expr: Expr, _schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) = expr else {
        return Ok(Transformed::no(expr));
    };
    let right = (*right).transform_up(|expr| Ok(guarded(&expr).map_or_else(|| Transformed::no(expr), Transformed::yes)))?;
    Ok(right.update_data(|right| Expr::BinaryExpr(BinaryExpr { left, op, right: Box::new(right) })))
}
