//! Comparisons of floats as in IEEE 754 and Trino: NaN is only ever different, and the two zeros are equal. Arrow orders by bits, so that NaN is greater
//! than any number (or less, by its sign), and -0.0 less than 0.0. Where a value is not compared with a number, both are made `comparable`.
//!
//! Parquet's statistics leave NaN out. A comparison with a number can be used for pruning, negated as well: a condition that NaN passes has an
//! alternative that statistics do not decide.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{Column, DFSchema, Result, ScalarValue, tree_node::Transformed},
    config::ConfigOptions,
    functions::math::isnan,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Subquery, binary_expr,
        expr::{InList, InSubquery, ScalarFunction, SetComparison},
        lit, when,
    },
};

use super::operands::{can_repeat, has_floats, is_comparison};
use crate::functions::{Nan, comparable, is_comparable};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, schema),
        Expr::Between(between) => ranged(between, schema),
        Expr::InList(list) => listed(list, schema),
        Expr::InSubquery(InSubquery { expr: value, subquery, negated }) => found(value, Operator::Eq, subquery, schema)?
            .map(|(value, subquery)| Expr::InSubquery(InSubquery::new(Box::new(value), subquery, *negated))),
        Expr::SetComparison(SetComparison { expr: value, subquery, op, quantifier }) => found(value, *op, subquery, schema)?
            .map(|(value, subquery)| Expr::SetComparison(SetComparison::new(Box::new(value), subquery, *op, *quantifier))),
        Expr::Case(case) => searched(case, schema)?,
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "nullif" => null_if(args, schema)?,
        _ => None,
    };
    Ok(changed.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// The same for two keys of a join.
pub(super) fn rewrite_pair(
    (left, right): (Expr, Expr),
    op: Operator,
    left_schema: &DFSchema,
    right_schema: &DFSchema,
) -> (Expr, Expr) {
    let (nan_left, nan_right) = Nan::of(op);
    (key(&left, nan_left, left_schema), key(&right, nan_right, right_schema))
}

/// `left op right`, if it compares floats and has to be told otherwise.
fn compared(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    if !is_comparison(op) {
        return None;
    }
    if !are_numbers(&[left, right], schema) || !(may_be_odd(left, schema) || may_be_odd(right, schema)) {
        return None;
    }
    if is_number(right) && can_repeat(left) {
        return with_number(left, op, right, schema);
    }
    if is_number(left) && can_repeat(right) {
        return with_number(right, op.swap()?, left, schema);
    }
    let (nan_left, nan_right) = Nan::of(op);
    Some(binary_expr(key(left, nan_left, schema), op, key(right, nan_right, schema)))
}

/// `value op number`, such that statistics of the value decide.
fn with_number(value: &Expr, op: Operator, number: &Expr, schema: &DFSchema) -> Option<Expr> {
    let compared = match is_zero(number) {
        true => with_zero(value, op, schema)?,
        false => binary_expr(value.clone(), op, number.clone()),
    };
    Some(guarded(compared, op, value))
}

/// `value op 0`, for both zeros.
fn with_zero(value: &Expr, op: Operator, schema: &DFSchema) -> Option<Expr> {
    let (least, greatest) = zeros(&value.get_type(schema).ok()?)?;
    let than = |op: Operator, zero: &ScalarValue| binary_expr(value.clone(), op, lit(zero.clone()));
    let is_zero = || than(Operator::GtEq, &least).and(than(Operator::LtEq, &greatest));
    Some(match op {
        Operator::Eq => is_zero(),
        Operator::NotEq => !is_zero(),
        Operator::IsNotDistinctFrom => is_zero().is_true(),
        Operator::IsDistinctFrom => is_zero().is_not_true(),
        Operator::Lt | Operator::GtEq => than(op, &least),
        _ => than(op, &greatest),
    })
}

/// A comparison of a value with a number that is false, or true if it asks for a difference, where the value is NaN.
fn guarded(comparison: Expr, op: Operator, value: &Expr) -> Expr {
    let is_nan = isnan().call(vec![value.clone()]);
    match op {
        Operator::NotEq | Operator::IsDistinctFrom => comparison.or(is_nan),
        _ => comparison.and(!is_nan),
    }
}

fn ranged(between: &Between, schema: &DFSchema) -> Option<Expr> {
    let Between { expr, negated, low, high } = between;
    if !can_repeat(expr) {
        return None;
    }
    let bounds = [(Operator::GtEq, low), (Operator::LtEq, high)];
    if bounds.iter().all(|(op, bound)| compared(expr, *op, bound, schema).is_none()) {
        return None;
    }
    let [low, high] = bounds.map(|(op, bound)| {
        compared(expr, op, bound, schema).unwrap_or_else(|| binary_expr((**expr).clone(), op, (**bound).clone()))
    });
    let within = low.and(high);
    Some(if *negated { !within } else { within })
}

fn listed(list: &InList, schema: &DFSchema) -> Option<Expr> {
    let all: Vec<&Expr> = std::iter::once(list.expr.as_ref()).chain(&list.list).collect();
    if !are_numbers(&all, schema) || !all.iter().any(|expr| may_be_odd(expr, schema)) {
        return None;
    }
    // NULLs are kept apart: NaN is not known to differ from them either.
    let (nulls, mut values): (Vec<Expr>, Vec<Expr>) = list.list.iter().cloned().partition(is_null);
    if values.is_empty() {
        return None;
    }
    let condition =
        if can_repeat(&list.expr) && may_be_odd(&list.expr, schema) && values.iter().all(|value| constant(value).is_some()) {
            if values.iter().any(is_zero) {
                let (least, greatest) = zeros(&list.expr.get_type(schema).ok()?)?;
                values.extend([lit(least), lit(greatest)]);
            }
            let condition = Expr::InList(InList::new(list.expr.clone(), values, list.negated));
            guarded(condition, if list.negated { Operator::NotEq } else { Operator::Eq }, &list.expr)
        } else {
            let (nan_value, nan_listed) = Nan::of(Operator::Eq);
            let values = values.iter().map(|value| key(value, nan_listed, schema)).collect();
            Expr::InList(InList::new(Box::new(key(&list.expr, nan_value, schema)), values, list.negated))
        };
    let unknown = lit(ScalarValue::Boolean(None));
    Some(match (nulls.is_empty(), list.negated) {
        (true, _) => condition,
        (false, true) => condition.and(unknown),
        (false, false) => condition.or(unknown),
    })
}

/// A value and the subquery whose values it is compared with, such that all bits may be compared.
pub(super) fn found(value: &Expr, op: Operator, subquery: &Subquery, schema: &DFSchema) -> Result<Option<(Expr, Subquery)>> {
    let plan = subquery.subquery.as_ref();
    let other = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let (nan_value, nan_found) = Nan::of(op);
    let keyed_value = key(value, nan_value, schema);
    if keyed_value == *value && key(&other, nan_found, plan.schema()) == other {
        return Ok(None);
    }
    // In the place of the select list's: what the subquery refers to outside of itself is looked for there.
    let keyed = match plan {
        LogicalPlan::Projection(Projection { expr, input, .. }) if expr.len() == 1 => {
            let of = expr[0].clone().unalias();
            Projection::try_new(vec![key(&of, nan_found, input.schema())], Arc::clone(input))?
        }
        _ => Projection::try_new(vec![key(&other, nan_found, plan.schema())], Arc::clone(&subquery.subquery))?,
    };
    let subquery = subquery.with_plan(Arc::new(LogicalPlan::Projection(keyed)));
    Ok(Some((keyed_value, subquery)))
}

/// `CASE value WHEN ...` of floats with conditions instead of values.
fn searched(case: &Case, schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(value) = case.expr.as_deref().filter(|value| can_repeat(value)) else { return Ok(None) };
    if case.when_then_expr.iter().all(|(other, _)| compared(value, Operator::Eq, other, schema).is_none()) {
        return Ok(None);
    }
    let branches = case.when_then_expr.iter().map(|(other, then)| {
        let equal = compared(value, Operator::Eq, other, schema).unwrap_or_else(|| value.clone().eq((**other).clone()));
        (Box::new(equal), then.clone())
    });
    Ok(Some(Expr::Case(Case::new(None, branches.collect(), case.else_expr.clone()))))
}

/// `nullif` of floats.
fn null_if(args: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
    let [value, other] = args else { return Ok(None) };
    let data_type = value.get_type(schema)?;
    let equal = compared(value, Operator::Eq, other, schema).filter(|_| data_type.is_floating() && can_repeat(value));
    let Some(equal) = equal else { return Ok(None) };
    Ok(Some(when(equal, lit(ScalarValue::try_new_null(&data_type)?)).otherwise(value.clone())?))
}

/// Whether these are compared as floats, as far as their types tell.
fn are_numbers(exprs: &[&Expr], schema: &DFSchema) -> bool {
    let is_number =
        |expr: &&Expr| expr.get_type(schema).is_ok_and(|data_type| data_type.is_numeric() || data_type == DataType::Null);
    exprs.iter().all(is_number)
}

/// Whether it may be NaN or -0.0.
fn may_be_odd(expr: &Expr, schema: &DFSchema) -> bool {
    if let Some(value) = constant(expr) {
        return value.is_nan();
    }
    match expr {
        // Numbers of other types have neither.
        Expr::Cast(Cast { expr, field }) if field.data_type().is_floating() => {
            may_be_odd(expr, schema) || expr.get_type(schema).map_or(true, |from| !from.is_numeric())
        }
        _ => expr.get_type(schema).is_ok_and(|data_type| data_type.is_floating()),
    }
}

/// An expression such that all bits of it may be compared.
fn key(expr: &Expr, nan: Nan, schema: &DFSchema) -> Expr {
    let is_odd = !is_comparable(expr)
        && expr.get_type(schema).is_ok_and(|data_type| match zeros(&data_type) {
            Some(_) => may_be_odd(expr, schema) || is_zero(expr),
            None => data_type.is_nested() && has_floats(&data_type),
        });
    if is_odd { comparable(expr.clone(), nan) } else { expr.clone() }
}

/// -0.0 and 0.0 of a type.
fn zeros(data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
    match data_type {
        DataType::Float64 => Some((ScalarValue::Float64(Some(-0.0)), ScalarValue::Float64(Some(0.0)))),
        DataType::Float32 => Some((ScalarValue::Float32(Some(-0.0)), ScalarValue::Float32(Some(0.0)))),
        _ => None,
    }
}

fn is_zero(expr: &Expr) -> bool {
    constant(expr) == Some(0.0)
}

fn is_number(expr: &Expr) -> bool {
    constant(expr).is_some_and(|number| !number.is_nan())
}

fn is_null(expr: &Expr) -> bool {
    value(expr).is_some_and(|value| value.is_null())
}

/// The number that a literal is, written with a sign or a cast or without.
fn constant(expr: &Expr) -> Option<f64> {
    match value(expr)?.cast_to(&DataType::Float64).ok()? {
        ScalarValue::Float64(value) => value,
        _ => None,
    }
}

fn value(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Negative(inner) => value(inner)?.arithmetic_negate().ok(),
        Expr::Cast(Cast { expr, field }) => value(expr)?.cast_to(field.data_type()).ok(),
        _ => None,
    }
}
