//! Comparisons of milliseconds and dates with finer constants, rewritten as comparisons with milliseconds or dates that have the same result. DataFusion
//! would cut off the constant's digits when it moves the cast away from the column, and statistics are of less use for a cast date.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{DFSchema, Result, ScalarValue, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{Between, BinaryExpr, Cast, Expr, ExprSchemable, Operator, binary_expr, expr::InList, lit},
};

use super::operands::is_comparison;

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

/// What is compared with constants that may be finer.
struct Coarse<'a> {
    expr: &'a Expr,
    /// Nanoseconds of one.
    step: i128,
    value: fn(i64) -> Option<ScalarValue>,
}

/// Milliseconds, or a date where it is compared as a timestamp.
fn coarse<'a>(expr: &'a Expr, schema: &DFSchema) -> Option<Coarse<'a>> {
    let data_type = expr.get_type(schema).ok()?;
    if let (Expr::Cast(Cast { expr, .. }), DataType::Timestamp(_, None)) = (expr, &data_type)
        && expr.get_type(schema).is_ok_and(|of| of == DataType::Date32)
    {
        let value = |days: i64| Some(ScalarValue::Date32(Some(i32::try_from(days).ok()?)));
        return Some(Coarse { expr, step: 86_400_000_000_000, value });
    }
    let value = |millis: i64| Some(ScalarValue::TimestampMillisecond(Some(millis), None));
    (data_type == MILLIS).then_some(Coarse { expr, step: 1_000_000, value })
}

impl Coarse<'_> {
    /// A constant timestamp that is finer: its steps, rounded down, and whether that is all of it.
    fn constant(&self, expr: &Expr) -> Option<(ScalarValue, bool)> {
        let value = match expr {
            Expr::Literal(value, _) => value.clone(),
            Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
                Expr::Literal(text @ ScalarValue::Utf8(Some(_)), _) => text.cast_to(field.data_type()).ok()?,
                _ => return None,
            },
            _ => return None,
        };
        let (value, step) = match value {
            ScalarValue::TimestampSecond(Some(value), None) => (value, 1_000_000_000),
            ScalarValue::TimestampMillisecond(Some(value), None) => (value, 1_000_000),
            ScalarValue::TimestampMicrosecond(Some(value), None) => (value, 1_000),
            ScalarValue::TimestampNanosecond(Some(value), None) => (value, 1),
            _ => return None,
        };
        let value = (step < self.step).then(|| i128::from(value) * step)?;
        let steps = i64::try_from(value.div_euclid(self.step)).ok()?;
        Some(((self.value)(steps)?, value.rem_euclid(self.step) == 0))
    }
}

fn compare(expr: &Expr, op: Operator, with: &Expr, schema: &DFSchema) -> Option<Expr> {
    let coarse = coarse(expr, schema)?;
    let (value, is_whole) = coarse.constant(with)?;
    let to = |op| binary_expr(coarse.expr.clone(), op, lit(value.clone()));
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
    let coarse = coarse(expr, schema)?;
    if coarse.constant(low).is_none() && coarse.constant(high).is_none() {
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
    let coarse = coarse(&list.expr, schema)?;
    let constants: Vec<_> = list.list.iter().map(|item| coarse.constant(item)).collect();
    // A list has one type: that of a date's constants is another than that of what else it is compared with.
    let is_date = *coarse.expr != *list.expr;
    if constants.iter().all(Option::is_none) || is_date && constants.iter().any(Option::is_none) {
        return None;
    }
    let kept = list.list.iter().zip(constants).filter_map(|(item, constant)| match constant {
        None => Some(item.clone()),
        Some((value, true)) => Some(lit(value)),
        Some((_, false)) => None,
    });
    let kept: Vec<_> = kept.collect();
    if kept.is_empty() {
        let op = if list.negated { Operator::NotEq } else { Operator::Eq };
        return compare(&list.expr, op, list.list.first()?, schema);
    }
    Some(Expr::InList(InList::new(Box::new(coarse.expr.clone()), kept, list.negated)))
}
