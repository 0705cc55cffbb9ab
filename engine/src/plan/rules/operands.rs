//! What several rules need to know about comparisons and their operands.

use arrow::datatypes::DataType;
use datafusion::{
    common::tree_node::TreeNode,
    logical_expr::{Expr, Operator},
};

pub(in crate::plan) fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

/// Whether it can stand in an expression twice: it is not evaluated anew with another result, and reads no table.
pub(super) fn can_repeat(expr: &Expr) -> bool {
    let reads = |expr: &Expr| {
        Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
    };
    !expr.is_volatile() && !expr.exists(reads).unwrap_or(true)
}

/// Whether values of the type are floats or have some inside of them.
pub(super) fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(element) => has_floats(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        other => other.is_floating(),
    }
}
