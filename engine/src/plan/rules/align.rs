//! Gives values of different types a common one where they are compared or are alternative results. Decimals and floats become floats, as in Trino;
//! DataFusion would make decimals of them, and lose what a decimal cannot hold. Dates and timestamps become timestamps of the same unit; DataFusion
//! would use nanoseconds, which only reach from 1677 to 2262. Decimals without a common type of 38 digits are compared as longer ones.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{Column, DFSchema, Result, ScalarValue, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Union,
        expr::{InList, InSubquery, ScalarFunction},
        expr_schema::cast_subquery,
    },
    optimizer::AnalyzerRule,
};

use super::operands::is_comparison;

const MOST_DIGITS: i16 = 38;

/// Functions whose arguments are compared with each other, or are all possible results.
const ALIGNED: [&str; 7] = ["coalesce", "greatest", "ifnull", "least", "make_array", "nullif", "nvl"];

pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => false,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => align(&mut [left, right], schema, compared),
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => align(&mut [left, right], schema, common_float),
        Expr::Between(Between { expr, low, high, .. }) => align(&mut [expr, low, high], schema, compared),
        Expr::InList(InList { expr, list, .. }) => {
            align(&mut std::iter::once(expr.as_mut()).chain(list).collect::<Vec<_>>(), schema, compared)
        }
        Expr::Case(case) => align_case(case, schema),
        Expr::ScalarFunction(ScalarFunction { func, args }) if ALIGNED.contains(&func.name()) => {
            align(&mut args.iter_mut().collect::<Vec<_>>(), schema, common)
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
        && let Some(target) = compared(&[left_type.clone(), right_type.clone()])
    {
        target.cast(&mut left, &left_type);
        target.cast(&mut right, &right_type);
    }
    (left, right)
}

/// The same for the columns of `UNION`.
#[derive(Debug)]
pub(super) struct UnionColumns;

impl AnalyzerRule for UnionColumns {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut has_changed = false;
        let align = |plan: LogicalPlan| match plan {
            LogicalPlan::Union(union) => {
                let aligned = align_union(union)?;
                has_changed |= aligned.transformed;
                Ok(aligned)
            }
            // Types may have changed below.
            plan if has_changed => Ok(Transformed::no(plan.recompute_schema()?)),
            plan => Ok(Transformed::no(plan)),
        };
        Ok(plan.transform_up_with_subqueries(align)?.data)
    }

    fn name(&self) -> &str {
        "glaux_union_columns"
    }
}

fn align_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let columns = union.schema.fields().len();
    let targets: Vec<Option<Target>> = (0..columns)
        .map(|at| {
            let types = union.inputs.iter().map(|input| input.schema().fields().get(at).map(|field| field.data_type().clone()));
            common(&types.collect::<Option<Vec<_>>>()?)
        })
        .collect();
    if targets.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let aligned = |input: Arc<LogicalPlan>| -> Result<Arc<LogicalPlan>> {
        let columns = input.schema().iter().zip(&targets).map(|((qualifier, field), target)| {
            let mut column = Expr::Column(Column::from((qualifier, field)));
            match target {
                Some(target) if target.takes(field.data_type()) => {
                    target.cast(&mut column, field.data_type());
                    column.alias_qualified(qualifier.cloned(), field.name())
                }
                _ => column,
            }
        });
        let columns: Vec<Expr> = columns.collect();
        Ok(Arc::new(LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build()?))
    };
    let inputs = union.inputs.into_iter().map(aligned).collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

fn align_case(case: &mut Case, schema: &DFSchema) -> bool {
    let mut values: Vec<&mut Expr> = Vec::new();
    let mut results: Vec<&mut Expr> = Vec::new();
    let is_simple = case.expr.is_some();
    values.extend(case.expr.as_deref_mut());
    for (when, then) in &mut case.when_then_expr {
        if is_simple {
            values.push(when);
        }
        results.push(then);
    }
    results.extend(case.else_expr.as_deref_mut());
    let changed = align(&mut values, schema, compared);
    align(&mut results, schema, common) || changed
}

fn align_subquery(subquery: &mut InSubquery, schema: &DFSchema) -> Result<bool> {
    let Ok(left) = subquery.expr.get_type(schema) else { return Ok(false) };
    let [field] = subquery.subquery.subquery.schema().fields().as_ref() else { return Ok(false) };
    let right = field.data_type().clone();
    let Some(target) = compared(&[left.clone(), right.clone()]) else { return Ok(false) };
    target.cast(&mut subquery.expr, &left);
    if target.takes(&right) {
        subquery.subquery = cast_subquery(subquery.subquery.clone(), &target.data_type)?;
    }
    Ok(true)
}

/// Gives those of the expressions a common type that need it. What has no type yet is left to DataFusion's errors.
fn align(exprs: &mut [&mut Expr], schema: &DFSchema, common: fn(&[DataType]) -> Option<Target>) -> bool {
    let Ok(types) = exprs.iter().map(|expr| expr.get_type(schema)).collect::<Result<Vec<_>>>() else { return false };
    let Some(target) = common(&types) else { return false };
    for (expr, of) in exprs.iter_mut().zip(&types) {
        target.cast(expr, of);
    }
    true
}

/// A type that some of several expressions are cast to.
#[derive(Debug)]
struct Target {
    data_type: DataType,
}

impl Target {
    /// Whether values of a type are cast.
    fn takes(&self, of: &DataType) -> bool {
        match self.data_type {
            DataType::Timestamp(..) => *of == DataType::Date32,
            _ => of.is_decimal(),
        }
    }

    fn cast(&self, expr: &mut Expr, of: &DataType) {
        if !self.takes(of) {
            return;
        }
        if let Expr::Literal(value, _) = expr
            && let Some(value) = literal(value, &self.data_type)
        {
            *expr = Expr::Literal(value, None);
        } else {
            *expr = Expr::Cast(Cast::new(Box::new(std::mem::take(expr)), self.data_type.clone()));
        }
    }
}

/// The type for expressions of these types that are compared.
fn compared(types: &[DataType]) -> Option<Target> {
    common(types).or_else(|| long_decimal(types))
}

/// The type for expressions of these types that are possible results of another.
fn common(types: &[DataType]) -> Option<Target> {
    common_float(types).or_else(|| common_timestamp(types))
}

/// The float type, if some are floats and some decimals.
fn common_float(types: &[DataType]) -> Option<Target> {
    if !types.iter().any(DataType::is_decimal) {
        return None;
    }
    let float = [DataType::Float64, DataType::Float32].into_iter().find(|float| types.contains(float))?;
    Some(Target { data_type: float })
}

/// A timestamp without a zone, if some are dates and some timestamps: in the unit that these have, in which every date of the calendar has a place.
/// Beside nanoseconds it is one of milliseconds.
fn common_timestamp(types: &[DataType]) -> Option<Target> {
    if !types.contains(&DataType::Date32) {
        return None;
    }
    let units = types.iter().filter_map(|of| match of {
        DataType::Timestamp(unit, _) => Some(if *unit == TimeUnit::Nanosecond { TimeUnit::Millisecond } else { *unit }),
        _ => None,
    });
    units.max().map(|unit| Target { data_type: DataType::Timestamp(unit, None) })
}

/// A decimal of more than 38 digits, if that is what all of these take.
fn long_decimal(types: &[DataType]) -> Option<Target> {
    let decimals = types.iter().filter_map(|of| match of {
        DataType::Decimal128(precision, scale) => Some((i16::from(*precision) - i16::from(*scale), i16::from(*scale))),
        _ => None,
    });
    let (whole, scale) = decimals.reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)))?;
    let precision = u8::try_from(whole + scale).ok().filter(|precision| i16::from(*precision) > MOST_DIGITS)?;
    Some(Target { data_type: DataType::Decimal256(precision, i8::try_from(scale).ok()?) })
}

/// The float nearest to a decimal; by its digits, for a division of long numbers would round twice.
fn literal(value: &ScalarValue, float: &DataType) -> Option<ScalarValue> {
    if !float.is_floating() {
        return None;
    }
    let text = value.cast_to(&DataType::Utf8).ok()?;
    let text = text.try_as_str()??;
    match float {
        DataType::Float32 => text.parse().ok().map(|number| ScalarValue::Float32(Some(number))),
        _ => text.parse().ok().map(|number| ScalarValue::Float64(Some(number))),
    }
}
