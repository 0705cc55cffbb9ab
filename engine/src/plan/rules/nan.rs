//! Comparisons of floats as IEEE 754 has them, and Trino: nothing compares with NaN but by being different, and the two zeros are equal. Arrow
//! orders all bit patterns, so that NaN is greater than any number (or less, by its sign) and -0.0 less than 0.0.
//!
//! Parquet's statistics leave NaN out. What is written here is safe to prune by, negated as well: a condition that NaN passes says so in an
//! alternative that no statistics decide.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, Result, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    functions::math::isnan,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, Operator, binary_expr,
        expr::{InList, InSubquery, ScalarFunction},
        lit, when,
    },
};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, schema),
        Expr::Between(between) => ranged(between, schema),
        Expr::InList(list) => listed(list, schema),
        Expr::InSubquery(InSubquery { expr: value, negated, .. }) => {
            guarded(expr.clone(), if *negated { Operator::NotEq } else { Operator::Eq }, &[value.as_ref()], schema)
        }
        Expr::Case(case) => searched(case, schema)?,
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "nullif" => null_if(args, schema)?,
        _ => None,
    };
    Ok(changed.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// The same for two keys of a join, which match where they are equal: a NaN becomes NULL, which matches nothing.
pub(super) fn rewrite_pair((left, right): (Expr, Expr), left_schema: &DFSchema, right_schema: &DFSchema) -> (Expr, Expr) {
    let key = |expr: Expr, schema: &DFSchema| {
        if !may_be_odd(&expr, schema) {
            return expr;
        }
        let number = one_zero(expr.clone(), schema);
        when(is_nan(expr.clone()).is_not_true(), number).end().unwrap_or(expr)
    };
    (key(left, left_schema), key(right, right_schema))
}

/// `left op right`, if it compares floats and has to be told otherwise.
fn compared(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    if !matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom) {
        return None;
    }
    if !are_numbers(&[left, right], schema) || !(may_be_odd(left, schema) || may_be_odd(right, schema)) {
        return None;
    }
    let told = if is_zero(right) {
        with_zero(left, op, schema)?
    } else if is_zero(left) {
        with_zero(right, op.swap()?, schema)?
    } else if constant(left).is_some() || constant(right).is_some() {
        binary_expr(left.clone(), op, right.clone())
    } else {
        binary_expr(one_zero(left.clone(), schema), op, one_zero(right.clone(), schema))
    };
    if matches!(op, IsDistinctFrom | IsNotDistinctFrom) {
        // By these, NaN is NaN.
        return Some(told);
    }
    Some(guarded(told.clone(), op, &[left, right], schema).unwrap_or(told))
}

/// `value op 0`, for both zeros.
fn with_zero(value: &Expr, op: Operator, schema: &DFSchema) -> Option<Expr> {
    let (least, greatest) = zeros(&value.get_type(schema).ok()?)?;
    let than = |op: Operator, zero: &ScalarValue| binary_expr(value.clone(), op, lit(zero.clone()));
    let is_zero = || {
        // Who is asked twice has to answer the same.
        can_repeat(value).then(|| than(Operator::GtEq, &least).and(than(Operator::LtEq, &greatest)))
    };
    match op {
        Operator::Eq => is_zero(),
        Operator::NotEq => is_zero().map(|is_zero| !is_zero),
        Operator::IsNotDistinctFrom => is_zero().map(Expr::is_true),
        Operator::IsDistinctFrom => is_zero().map(Expr::is_not_true),
        Operator::Lt | Operator::GtEq => Some(than(op, &least)),
        _ => Some(than(op, &greatest)),
    }
}

/// A comparison that is false, or true for `<>`, if one of its sides is NaN; `None` if none can be.
fn guarded(comparison: Expr, op: Operator, sides: &[&Expr], schema: &DFSchema) -> Option<Expr> {
    let mut guards = sides.iter().filter(|side| may_be_odd(side, schema) && can_repeat(side)).map(|side| is_nan((*side).clone()));
    Some(match op {
        // One is enough: a number equals no NaN, however they are compared.
        Operator::NotEq => comparison.or(guards.next()?),
        Operator::Eq => comparison.and(!guards.next()?),
        _ => {
            let first = guards.next()?;
            guards.fold(comparison.and(!first), |guarded, guard| guarded.and(!guard))
        }
    })
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
    if !are_numbers(&all, schema) || !may_be_odd(&list.expr, schema) {
        return None;
    }
    let mut values = list.list.clone();
    if values.iter().any(is_zero) {
        let (least, greatest) = zeros(&list.expr.get_type(schema).ok()?)?;
        values.extend([lit(least), lit(greatest)]);
    }
    let told = Expr::InList(InList::new(list.expr.clone(), values, list.negated));
    let op = if list.negated { Operator::NotEq } else { Operator::Eq };
    Some(guarded(told.clone(), op, &[list.expr.as_ref()], schema).unwrap_or(told))
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

/// Whether it can stand in an expression twice: it is not evaluated anew with another result, and reads no table.
fn can_repeat(expr: &Expr) -> bool {
    let reads = |expr: &Expr| {
        Ok(matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
    };
    !expr.is_volatile() && !expr.exists(reads).unwrap_or(true)
}

fn is_nan(expr: Expr) -> Expr {
    isnan().call(vec![expr])
}

/// The same number with one zero: -0.0 + 0.0 is 0.0.
fn one_zero(expr: Expr, schema: &DFSchema) -> Expr {
    let data_type = expr.get_type(schema).ok().filter(|_| may_be_odd(&expr, schema));
    match data_type.as_ref().and_then(zeros) {
        Some((_, zero)) => binary_expr(expr, Operator::Plus, lit(zero)),
        None => expr,
    }
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
