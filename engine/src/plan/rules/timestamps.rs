//! Comparisons of milliseconds with constants that are finer, as comparisons with milliseconds that have the same result. DataFusion
//! would cut the constant when it moves the cast away from the column.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{DFSchema, Result, ScalarValue, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, binary_expr, expr::InList, lit},
};

const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let rewritten = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            compare(left, *op, right, schema).or_else(|| compare(right, op.swap()?, left, schema))
        }
        Expr::Between(between) => rewrite_between(between, schema),
        Expr::InList(list) => rewrite_list(list, schema),
        _ => None,
    };
    Ok(rewritten.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

pub(super) fn is_comparison(op: Operator) -> bool {
    use Operator as O;
    matches!(op, O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq | O::IsDistinctFrom | O::IsNotDistinctFrom)
}

fn is_millis(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| data_type == MILLIS)
}

/// A constant timestamp that is finer: its milliseconds, rounded down, and whether that is all of it.
fn constant(expr: &Expr) -> Option<(i64, bool)> {
    let value = match expr {
        Expr::Literal(value, _) => value.clone(),
        Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
            Expr::Literal(text @ ScalarValue::Utf8(Some(_)), _) => text.cast_to(field.data_type()).ok()?,
            _ => return None,
        },
        _ => return None,
    };
    let (value, per_milli) = match value {
        ScalarValue::TimestampMicrosecond(Some(value), None) => (value, 1_000),
        ScalarValue::TimestampNanosecond(Some(value), None) => (value, 1_000_000),
        _ => return None,
    };
    Some((value.div_euclid(per_milli), value.rem_euclid(per_milli) == 0))
}

fn millis(value: i64) -> Expr {
    lit(ScalarValue::TimestampMillisecond(Some(value), None))
}

fn compare(expr: &Expr, op: Operator, with: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (value, is_whole) = constant(with)?;
    if !is_millis(expr, schema) {
        return None;
    }
    let to = |op| binary_expr(expr.clone(), op, millis(value));
    if is_whole {
        return Some(to(op));
    }
    // No value equals the constant, and a NULL remains one.
    match op {
        Operator::Lt | Operator::LtEq => Some(to(Operator::LtEq)),
        Operator::Gt | Operator::GtEq => Some(to(Operator::Gt)),
        Operator::Eq => Some(to(Operator::Lt).and(to(Operator::Gt))),
        Operator::NotEq => Some(to(Operator::LtEq).or(to(Operator::Gt))),
        Operator::IsDistinctFrom => Some(lit(true)),
        Operator::IsNotDistinctFrom => Some(lit(false)),
        _ => None,
    }
}

fn rewrite_between(between: &Between, schema: &DFSchema) -> Option<Expr> {
    let Between { expr, negated, low, high } = between;
    if constant(low).is_none() && constant(high).is_none() || !is_millis(expr, schema) {
        return None;
    }
    let side = |op, bound: &Expr| {
        compare(expr, op, bound, schema).unwrap_or_else(|| binary_expr(expr.as_ref().clone(), op, bound.clone()))
    };
    Some(if *negated {
        side(Operator::Lt, low).or(side(Operator::Gt, high))
    } else {
        side(Operator::GtEq, low).and(side(Operator::LtEq, high))
    })
}

/// Leaves out what no value equals.
fn rewrite_list(list: &InList, schema: &DFSchema) -> Option<Expr> {
    let constants: Vec<_> = list.list.iter().map(constant).collect();
    if constants.iter().all(Option::is_none) || !is_millis(&list.expr, schema) {
        return None;
    }
    let kept = list.list.iter().zip(&constants).filter_map(|(item, constant)| match constant {
        None => Some(item.clone()),
        Some((value, true)) => Some(millis(*value)),
        Some((_, false)) => None,
    });
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() {
        let op = if list.negated { Operator::NotEq } else { Operator::Eq };
        return compare(&list.expr, op, list.list.first()?, schema);
    }
    Some(Expr::InList(InList::new(list.expr.clone(), kept, list.negated)))
}
