//! Timestamps with and without a time zone in one expression: a local time is in the session's time zone, as in Trino. DataFusion would use the zone of
//! the other operand.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, lit},
};

use super::{cast::CastFunction, operands::is_comparison};
use crate::functions::at_timezone;

const UTC: &str = "UTC";

pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            align(&mut [left.as_mut(), right.as_mut()], schema, config)
        }
        Expr::Between(between) => {
            align(&mut [between.expr.as_mut(), between.low.as_mut(), between.high.as_mut()], schema, config)
        }
        Expr::InList(list) => {
            let mut all: Vec<&mut Expr> = std::iter::once(list.expr.as_mut()).chain(&mut list.list).collect();
            align(&mut all, schema, config)
        }
        _ => false,
    };
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// A cast that gives a timestamp a zone, asked for or made by DataFusion where branches of `CASE`, `UNION` and their like differ in their types.
pub(super) fn rewrite_cast(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let Expr::Cast(Cast { expr: inner, field }) = &expr else { return Ok(Transformed::no(expr)) };
    let DataType::Timestamp(unit, Some(name)) = field.data_type() else { return Ok(Transformed::no(expr)) };
    let Ok(DataType::Timestamp(own_unit, None)) = inner.get_type(schema) else { return Ok(Transformed::no(expr)) };
    let zoned = at_timezone().call(vec![inner.as_ref().clone(), lit(name.as_ref())]);
    let to = DataType::Timestamp(*unit, Some(Arc::clone(name)));
    Ok(Transformed::yes(match own_unit == *unit {
        true => zoned,
        false => Expr::Cast(Cast::new(Box::new(zoned), to)),
    }))
}

/// Two expressions that a join compares.
pub(super) fn rewrite_pair(
    (mut left, mut right): (Expr, Expr),
    _op: Operator,
    left_schema: &DFSchema,
    right_schema: &DFSchema,
) -> (Expr, Expr) {
    match (zone(&left, left_schema), zone(&right, right_schema)) {
        (Some(Zone::None), Some(Zone::Own)) => left = zoned(left),
        (Some(Zone::Own), Some(Zone::None)) => right = zoned(right),
        _ => {}
    }
    (left, right)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    None,
    Own,
}

/// Whether an expression's timestamps have a zone; nothing if they are no timestamps.
fn zone(expr: &Expr, schema: &DFSchema) -> Option<Zone> {
    match expr.get_type(schema).ok()? {
        DataType::Timestamp(_, None) => Some(Zone::None),
        DataType::Timestamp(_, Some(_)) => Some(Zone::Own),
        _ => None,
    }
}

/// Makes all timestamps ones with a zone if some are, or local times where that is the same, since clocks in UTC show each but once.
fn align(exprs: &mut [&mut Expr], schema: &DFSchema, config: &ConfigOptions) -> bool {
    let zones: Vec<Option<Zone>> = exprs.iter().map(|expr| zone(expr, schema)).collect();
    if !(zones.contains(&Some(Zone::None)) && zones.contains(&Some(Zone::Own))) {
        return false;
    }
    // Any table's timestamps are local times: statistics tell of those.
    let changed = if config.execution.time_zone.as_deref() == Some(UTC) { Zone::Own } else { Zone::None };
    for (expr, zone) in exprs.iter_mut().zip(zones) {
        if zone == Some(changed) {
            let taken = std::mem::replace(*expr, lit(false));
            **expr = match changed {
                Zone::None => zoned(taken),
                Zone::Own => local(taken, schema),
            };
        }
    }
    true
}

/// A local time as the instant at which the session's clocks show it.
fn zoned(expr: Expr) -> Expr {
    at_timezone().call(vec![expr, lit(UTC)])
}

/// An instant as the time that clocks in UTC show.
fn local(expr: Expr, schema: &DFSchema) -> Expr {
    match expr.get_type(schema) {
        Ok(DataType::Timestamp(unit, _)) => CastFunction::call(zoned(expr), &DataType::Timestamp(unit, None), false),
        _ => expr,
    }
}
