//! Whether a row group's filter columns are read before its other columns: decided from the footer alone (sizes, statistics, where pages lie), so
//! that the same scan of the same files always reads, and pays for, the same.

use arrow::{array::ArrayRef, datatypes::Schema};
use datafusion::{
    common::ScalarValue,
    functions::math::nans::IsNanFunc,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr},
    },
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{RowSelection, statistics::StatisticsConverter},
    },
    file::metadata::{ParquetMetaData, RowGroupMetaData},
    schema::types::SchemaDescriptor,
};

use super::{belief, shape::Shape};

/// Bytes that must be saved, as expected, for another round of requests.
const WORTH_A_ROUND: f64 = 48.0 * 1024.0;

/// The share of the bytes that must be saved for it.
const WORTH_A_SHARE: f64 = 0.2;

/// What is taken to pass a condition nothing is known of.
const UNKNOWN: f64 = 0.3;

/// The compressed bytes of a row group's columns.
pub(super) fn bytes_of(group: &RowGroupMetaData, mask: &ProjectionMask) -> u64 {
    let chunks = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
    chunks.map(|(_, chunk)| chunk.byte_range().1).sum()
}

/// The bytes of the columns that only the result needs.
pub(super) fn rest_of(group: &RowGroupMetaData, filter: &ProjectionMask, all: &ProjectionMask) -> u64 {
    let rest = |leaf: usize| all.leaf_included(leaf) && !filter.leaf_included(leaf);
    let chunks = group.columns().iter().enumerate().filter(|(leaf, _)| rest(*leaf));
    chunks.map(|(_, chunk)| chunk.byte_range().1).sum()
}

/// Whether the filter's columns of a row group are read before its other columns: `top` best rows are wanted of it, if only these are, and of its `rows`.
pub(super) fn is_late(
    top: Option<usize>,
    shape: &Shape,
    metadata: &ParquetMetaData,
    at: usize,
    fixed_holds: bool,
    rows: Option<&RowSelection>,
) -> bool {
    let group = metadata.row_group(at);
    let rest = rest_of(group, &shape.filter_mask, &shape.all_mask);
    let stretch = stretch(shape, metadata, at);
    let fixed = shape.fixed.as_ref().filter(|_| !fixed_holds);
    let expected = fixed.map(|fixed| expected_rows(fixed.as_ref(), &shape.file, &shape.parquet, group));
    let total = rows.map_or_else(|| group.num_rows() as f64, |rows| rows.row_count() as f64);
    let rest = (rest as f64 * total / (group.num_rows() as f64).max(1.0)) as u64;
    let is_late = match top {
        // The keys tell which few rows are wanted.
        Some(top) => {
            let expected = (top as f64).min(expected.unwrap_or(total));
            pays(rest, expected, total, stretch) || rest > bytes_of(group, &shape.filter_mask)
        }
        None => expected.is_some_and(|expected| pays(rest, expected, total, stretch)),
    };
    // Of one that its footer contradicts, all rows are counted.
    is_late && belief::is_sound(group)
}

/// How many rows one read of a column that only the result needs brings at least: those of a page, or of the row group.
fn stretch(shape: &Shape, metadata: &ParquetMetaData, group: usize) -> f64 {
    let rows = metadata.row_group(group).num_rows() as f64;
    let Some(offsets) = metadata.offset_index().and_then(|offsets| offsets.get(group)) else { return rows };
    let (mut pages, mut columns) = (0, 0);
    for (leaf, offsets) in offsets.iter().enumerate() {
        if shape.all_mask.leaf_included(leaf) && !shape.filter_mask.leaf_included(leaf) {
            pages += offsets.page_locations().len().max(1);
            columns += 1;
        }
    }
    if columns == 0 { rows } else { rows * f64::from(columns) / pages as f64 }
}

/// Rows that are expected to pass, at least one: a filter that lets none pass was pruned by.
pub(super) fn expected_rows(
    filter: &dyn PhysicalExpr,
    schema: &Schema,
    parquet: &SchemaDescriptor,
    group: &RowGroupMetaData,
) -> f64 {
    passes(filter, &Known { schema, parquet, group }) * group.num_rows() as f64
}

/// Whether reading the filter's columns first is expected to pay: of `rest` other bytes, those in stretches of `stretch` rows (a page, or the whole
/// row group) without one of `expected` rows that pass are saved.
fn pays(rest: u64, expected: f64, rows: f64, stretch: f64) -> bool {
    if rest == 0 || rows <= 0.0 {
        return false;
    }
    let share = (expected / rows).clamp(0.0, 1.0);
    // The chance that a stretch has none of them, as if they lay anywhere.
    let saved = rest as f64 * (1.0 - share).powf(stretch.clamp(1.0, rows));
    saved >= WORTH_A_ROUND && saved >= WORTH_A_SHARE * rest as f64
}

struct Known<'a> {
    schema: &'a Schema,
    parquet: &'a SchemaDescriptor,
    group: &'a RowGroupMetaData,
}

/// The share of a row group's rows that is expected to pass.
fn passes(expr: &dyn PhysicalExpr, known: &Known<'_>) -> f64 {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (left, right) = (binary.left(), binary.right());
        return match binary.op() {
            Operator::And => both(left.as_ref(), right.as_ref(), known),
            Operator::Or => {
                let (left, right) = (passes(left.as_ref(), known), passes(right.as_ref(), known));
                (left + right - left * right).min(1.0)
            }
            op => match (left.downcast_ref::<Column>(), right.downcast_ref::<Literal>()) {
                (Some(column), Some(literal)) => compared(column, *op, literal.value(), known),
                _ => match (left.downcast_ref::<Literal>(), right.downcast_ref::<Column>(), op.swap()) {
                    (Some(literal), Some(column), Some(op)) => compared(column, op, literal.value(), known),
                    _ if *op == Operator::Eq => UNKNOWN / 10.0,
                    _ => UNKNOWN,
                },
            },
        };
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let each = match list.expr().downcast_ref::<Column>() {
            Some(column) => equal_share(column, known),
            None => UNKNOWN / 10.0,
        };
        let share = (each * list.list().len() as f64).min(1.0);
        return if list.negated() { 1.0 - share } else { share };
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return 1.0 - passes(not.arg().as_ref(), known);
    }
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return if matches!(literal.value(), ScalarValue::Boolean(Some(true))) { 1.0 } else { 0.0 };
    }
    if expr.is::<IsNotNullExpr>() {
        return 1.0;
    }
    if expr.is::<IsNullExpr>() {
        return UNKNOWN / 10.0;
    }
    if ScalarFunctionExpr::try_downcast_func::<IsNanFunc>(expr).is_some() {
        // It stands beside comparisons of floats, for the few that are none.
        return 0.0;
    }
    UNKNOWN
}

/// Both of two conditions; two bounds of one column are a range, and not independent.
fn both(left: &dyn PhysicalExpr, right: &dyn PhysicalExpr, known: &Known<'_>) -> f64 {
    let (one, other) = (passes(left, known), passes(right, known));
    match (bounded(left), bounded(right)) {
        (Some(left), Some(right)) if left == right => (one + other - 1.0).max(one * other / 10.0),
        _ => one * other,
    }
}

/// The column that a condition bounds from one side.
fn bounded(expr: &dyn PhysicalExpr) -> Option<&str> {
    let binary = expr.downcast_ref::<BinaryExpr>()?;
    let is_bound = matches!(binary.op(), Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
    is_bound.then_some(())?;
    Some(binary.left().downcast_ref::<Column>()?.name())
}

fn compared(column: &Column, op: Operator, literal: &ScalarValue, known: &Known<'_>) -> f64 {
    match op {
        Operator::Eq => equal_share(column, known),
        Operator::NotEq => 1.0 - equal_share(column, known),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let place = range(column, known).zip(number(literal)).filter(|((min, max), _)| max > min);
            let Some(((min, max), value)) = place else { return UNKNOWN };
            let below = ((value - min) / (max - min)).clamp(0.0, 1.0);
            if matches!(op, Operator::Lt | Operator::LtEq) { below } else { 1.0 - below }
        }
        _ => UNKNOWN,
    }
}

/// The share of one value among those of a column: as if the whole numbers between the least and the greatest were equally many.
fn equal_share(column: &Column, known: &Known<'_>) -> f64 {
    match range(column, known) {
        Some((min, max)) => 1.0 / (max - min + 1.0).max(1.0),
        None => UNKNOWN / 10.0,
    }
}

/// The least and greatest value of a column by the footer, if they are numbers.
fn range(column: &Column, known: &Known<'_>) -> Option<(f64, f64)> {
    let converter = StatisticsConverter::try_new(column.name(), known.schema, known.parquet).ok()?;
    let one = |values: ArrayRef| number(&ScalarValue::try_from_array(&values, 0).ok()?);
    Some((one(converter.row_group_mins([known.group]).ok()?)?, one(converter.row_group_maxes([known.group]).ok()?)?))
}

fn number(value: &ScalarValue) -> Option<f64> {
    Some(match value {
        ScalarValue::Int8(Some(value)) => f64::from(*value),
        ScalarValue::Int16(Some(value)) => f64::from(*value),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => f64::from(*value),
        ScalarValue::Int64(Some(value))
        | ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => *value as f64,
        ScalarValue::UInt8(Some(value)) => f64::from(*value),
        ScalarValue::UInt16(Some(value)) => f64::from(*value),
        ScalarValue::UInt32(Some(value)) => f64::from(*value),
        ScalarValue::UInt64(Some(value)) => *value as f64,
        // As unscaled numbers: both sides of a comparison have one scale.
        ScalarValue::Decimal128(Some(value), ..) => *value as f64,
        ScalarValue::Float32(Some(value)) => f64::from(*value),
        ScalarValue::Float64(Some(value)) => *value,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_in_much_data_pay_and_many_or_little_do_not() {
        let megabyte = 1 << 20;
        assert!(pays(megabyte, 0.01, 30_000.0, 30_000.0), "hardly any row");
        assert!(!pays(megabyte, 3.0, 30_000.0, 30_000.0), "a row in each group, read whole");
        assert!(pays(megabyte, 3.0, 30_000.0, 1_000.0), "a row in each group, read by pages");
        assert!(!pays(megabyte, 29_000.0, 30_000.0, 1_000.0), "most rows");
        assert!(!pays(1_000, 0.01, 30_000.0, 30_000.0), "little data");
    }
}
