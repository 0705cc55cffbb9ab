//! Which casts DataFusion must not see through. It moves a cast from a column to the constant that the column is compared with, and prunes through it by
//! statistics; where the cast loses something, rows would be lost.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::{
    common::{DFSchema, Result, plan_err, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{Cast, Expr, ExprSchemable, TryCast},
};

use super::cast::CastFunction;
use crate::{failure::type_name, functions::is_written_otherwise};

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let (inner, to, is_try) = match &expr {
        Expr::Cast(Cast { expr, field }) => (expr, field.data_type(), false),
        Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type(), true),
        _ => return Ok(Transformed::no(expr)),
    };
    // An expression without a type is DataFusion's to refuse.
    let Ok(from) = inner.get_type(schema) else { return Ok(Transformed::no(expr)) };
    if *to == DataType::Binary && !has_bytes(&from) {
        return plan_err!("cannot cast {} to varbinary", type_name(&from));
    }
    let is_text = *to == DataType::Utf8 && is_written_otherwise(&from);
    if !(is_text || is_lossy(&from, to) || is_try && may_fail(&from, to)) {
        return Ok(Transformed::no(expr));
    }
    let call = CastFunction::call(inner.as_ref().clone(), to, is_try);
    Ok(Transformed::yes(call))
}

/// Whether values have bytes of their own: text and binary, and no numbers, whose bytes DataFusion would give.
fn has_bytes(data_type: &DataType) -> bool {
    use DataType as T;
    data_type.is_string() || matches!(data_type, T::Null | T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_))
}

/// Whether values that differ may become the same.
fn is_lossy(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, DataType::Boolean) => from.is_numeric(),
        (from, to) if from.is_floating() => to.is_integer() || to.is_decimal() || *to == DataType::Float32 && from != to,
        (from, to) if from.is_decimal() && to.is_integer() => scale(from) > 0,
        (from, to) if from.is_decimal() && to.is_decimal() => scale(from) > scale(to),
        (DataType::Timestamp(..), DataType::Time32(_) | DataType::Time64(_)) => true,
        // What clocks show, which DataFusion's is not, and which is there twice when they are put back.
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, None)) => true,
        (DataType::Timestamp(from, _), DataType::Timestamp(to, _)) => to < from,
        (DataType::Time32(from) | DataType::Time64(from), DataType::Time32(to) | DataType::Time64(to)) => to < from,
        // Digits of the text that the type has none for are rounded.
        (from, DataType::Timestamp(unit, _) | DataType::Time32(unit)) => from.is_string() && *unit < TimeUnit::Microsecond,
        _ => false,
    }
}

/// Whether numbers may not fit: `TRY_CAST` makes them NULL, a comparison without the cast does not.
fn may_fail(from: &DataType, to: &DataType) -> bool {
    match (whole_digits(from), whole_digits(to)) {
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

/// How large a number before the point a type holds, in tenths of digits; integers of the same digits differ by their bits.
fn whole_digits(data_type: &DataType) -> Option<i32> {
    match data_type {
        DataType::Int8 => Some(21),
        DataType::Int16 => Some(45),
        DataType::Int32 => Some(93),
        DataType::Int64 => Some(189),
        DataType::UInt64 => Some(192),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((i32::from(*precision) - i32::from(*scale)) * 10)
        }
        _ => None,
    }
}

fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}
