//! Decimals beside floats become floats, as in Trino; DataFusion would make both decimals, and lose what a decimal cannot hold.

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, ScalarValue, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, Operator,
        expr::{InList, InSubquery, ScalarFunction},
        expr_schema::cast_subquery,
    },
};

/// Functions whose arguments are compared with each other, or are all possible results.
const ALIGNED: [&str; 7] = ["coalesce", "greatest", "ifnull", "least", "make_array", "nullif", "nvl"];

pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => false,
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => align(&mut [left, right], schema),
        Expr::Between(Between { expr, low, high, .. }) => align(&mut [expr, low, high], schema),
        Expr::InList(InList { expr, list, .. }) => {
            align(&mut std::iter::once(expr.as_mut()).chain(list).collect::<Vec<_>>(), schema)
        }
        Expr::Case(case) => align_case(case, schema),
        Expr::ScalarFunction(ScalarFunction { func, args }) if ALIGNED.contains(&func.name()) => {
            align(&mut args.iter_mut().collect::<Vec<_>>(), schema)
        }
        Expr::InSubquery(compared) => align_subquery(compared, schema)?,
        _ => false,
    };
    Ok(Transformed::new_transformed(expr, changed))
}

/// The same for two keys of a join.
pub(super) fn rewrite_pair(
    (mut left, mut right): (Expr, Expr),
    _op: Operator,
    left_schema: &DFSchema,
    right_schema: &DFSchema,
) -> (Expr, Expr) {
    if let (Ok(left_type), Ok(right_type)) = (left.get_type(left_schema), right.get_type(right_schema))
        && let Some(float) = common_float(&[left_type.clone(), right_type.clone()])
    {
        if is_decimal(&left_type) {
            to_float(&mut left, &float);
        }
        if is_decimal(&right_type) {
            to_float(&mut right, &float);
        }
    }
    (left, right)
}

fn align_case(case: &mut Case, schema: &DFSchema) -> bool {
    let mut compared: Vec<&mut Expr> = Vec::new();
    let mut results: Vec<&mut Expr> = Vec::new();
    let is_simple = case.expr.is_some();
    compared.extend(case.expr.as_deref_mut());
    for (when, then) in &mut case.when_then_expr {
        if is_simple {
            compared.push(when);
        }
        results.push(then);
    }
    results.extend(case.else_expr.as_deref_mut());
    let changed = align(&mut compared, schema);
    align(&mut results, schema) || changed
}

fn align_subquery(compared: &mut InSubquery, schema: &DFSchema) -> Result<bool> {
    let Ok(left) = compared.expr.get_type(schema) else { return Ok(false) };
    let [field] = compared.subquery.subquery.schema().fields().as_ref() else { return Ok(false) };
    let right = field.data_type().clone();
    let Some(float) = common_float(&[left.clone(), right]) else { return Ok(false) };
    if is_decimal(&left) {
        to_float(&mut compared.expr, &float);
    } else {
        compared.subquery = cast_subquery(compared.subquery.clone(), &float)?;
    }
    Ok(true)
}

/// Makes the decimals among the expressions floats, if there are floats. What has no type yet is left to DataFusion's errors.
fn align(exprs: &mut [&mut Expr], schema: &DFSchema) -> bool {
    let Ok(types) = exprs.iter().map(|expr| expr.get_type(schema)).collect::<Result<Vec<_>>>() else { return false };
    let Some(float) = common_float(&types) else { return false };
    for (expr, _) in exprs.iter_mut().zip(&types).filter(|(_, data_type)| is_decimal(data_type)) {
        to_float(expr, &float);
    }
    true
}

/// The float type for expressions of these types, if some are floats and some decimals.
fn common_float(types: &[DataType]) -> Option<DataType> {
    if !types.iter().any(is_decimal) {
        return None;
    }
    [DataType::Float64, DataType::Float32].into_iter().find(|float| types.contains(float))
}

fn is_decimal(data_type: &DataType) -> bool {
    data_type.is_decimal()
}

fn to_float(expr: &mut Expr, float: &DataType) {
    if let Expr::Literal(value, _) = expr
        && let Some(value) = literal(value, float)
    {
        *expr = Expr::Literal(value, None);
    } else {
        *expr = Expr::Cast(Cast::new(Box::new(std::mem::take(expr)), float.clone()));
    }
}

/// The float nearest to a decimal; by its digits, for a division of long numbers would round twice.
fn literal(value: &ScalarValue, float: &DataType) -> Option<ScalarValue> {
    let text = value.cast_to(&DataType::Utf8).ok()?;
    let text = text.try_as_str()??;
    match float {
        DataType::Float32 => text.parse().ok().map(|number| ScalarValue::Float32(Some(number))),
        _ => text.parse().ok().map(|number| ScalarValue::Float64(Some(number))),
    }
}
