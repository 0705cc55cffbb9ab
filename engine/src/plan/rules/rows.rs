//! Comparisons of rows and arrays. Rows are equal if all of their fields are; compared field by field, statistics and joins can use the comparison, and
//! NULLs and floats mean what they mean elsewhere. Arrays are compared by a function of ours, since DataFusion treats NULLs in them as equal and compares
//! floats by their bits.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    config::ConfigOptions,
    functions::core::get_field,
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, Operator, binary_expr,
        expr::{InList, ScalarFunction},
        lit,
    },
};

use super::operands::{can_repeat, has_floats, is_comparison};
use crate::functions::{Nan, comparable, equal};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => nested_equal(left, right, schema),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq, right }) => {
            nested_equal(left, right, schema).map(|equal| !equal)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => with_floats(left, *op, right, schema),
        Expr::InList(InList { expr, list, negated }) if can_repeat(expr) => {
            let equal: Option<Vec<Expr>> = list.iter().map(|value| nested_equal(expr, value, schema)).collect();
            equal.and_then(|equal| equal.into_iter().reduce(Expr::or)).map(|any| if *negated { !any } else { any })
        }
        _ => None,
    };
    Ok(changed.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// `left = right` of rows or arrays; `None` for other types, and for those that DataFusion refuses to compare.
fn nested_equal(left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    match (left.get_type(schema).ok()?, right.get_type(schema).ok()?) {
        (DataType::Struct(of_left), DataType::Struct(of_right)) => {
            if of_left.len() != of_right.len() {
                return None;
            }
            let fields = of_left.iter().zip(&of_right).enumerate().map(|(at, (of_left, of_right))| {
                let (left, right) = (field(left, at, of_left.name())?, field(right, at, of_right.name())?);
                Some(nested_equal(&left, &right, schema).unwrap_or_else(|| left.eq(right)))
            });
            fields.collect::<Option<Vec<Expr>>>()?.into_iter().reduce(Expr::and)
        }
        (DataType::List(of_left), DataType::List(of_right)) if !(has_map(&of_left) || has_map(&of_right)) => {
            Some(equal(left.clone(), right.clone()))
        }
        _ => None,
    }
}

/// A field of a row: what it was made of, if that is written beside it.
fn field(row: &Expr, at: usize, name: &str) -> Option<Expr> {
    if let Expr::ScalarFunction(ScalarFunction { func, args }) = row {
        match func.name() {
            "struct" => return args.get(at).cloned(),
            "named_struct" => return args.get(2 * at + 1).cloned(),
            _ => {}
        }
    }
    can_repeat(row).then(|| get_field().call(vec![row.clone(), lit(name)]))
}

/// Other comparisons of values with floats inside of them.
fn with_floats(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (of_left, of_right) = (left.get_type(schema).ok()?, right.get_type(schema).ok()?);
    if !(of_left.is_nested() && has_floats(&of_left) || of_right.is_nested() && has_floats(&of_right)) {
        return None;
    }
    let (nan_left, nan_right) = Nan::of(op);
    Some(binary_expr(comparable(left.clone(), nan_left), op, comparable(right.clone(), nan_right)))
}

fn has_map(field: &FieldRef) -> bool {
    match field.data_type() {
        DataType::Map(..) => true,
        DataType::List(element) => has_map(element),
        DataType::Struct(fields) => fields.iter().any(has_map),
        _ => false,
    }
}
