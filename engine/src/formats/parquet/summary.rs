//! `count`, `min` and `max` of a file, told by its footer where that is exact.

use arrow::array::Array;
use datafusion::{
    common::ScalarValue,
    physical_expr::{
        expressions::{Column, Literal},
        projection::ProjectionExprs,
    },
};
use parquet::{arrow::arrow_reader::statistics::StatisticsConverter, file::metadata::ParquetMetaData};

use super::{belief::has_exact_bounds, shape::Shape};
use crate::scan::{Asked, ScanSpec, merge};

/// What one file answers; `None` if its footer is not exact.
pub(super) fn of_file(
    spec: &ScanSpec,
    projection: &ProjectionExprs,
    shape: &Shape,
    metadata: &ParquetMetaData,
    asked: &Asked,
) -> Option<ScalarValue> {
    let rows = metadata.row_groups().iter().try_fold(0_i64, |rows, group| rows.checked_add(group.num_rows()))?;
    let of = match asked {
        Asked::Count(None) => return Some(ScalarValue::Int64(Some(rows))),
        Asked::Count(Some(of)) | Asked::Min(of) | Asked::Max(of) => of,
    };
    // The same expression as this file has it: a column, a value that all its rows share, or something that has to be computed.
    let at = spec.projection.expr_iter().position(|expr| expr.eq(of))?;
    let in_file = projection.expr_iter().nth(at)?;
    if let Some(literal) = in_file.downcast_ref::<Literal>() {
        let value = literal.value();
        return Some(match asked {
            Asked::Count(_) => ScalarValue::Int64(Some(if value.is_null() { 0 } else { rows })),
            _ if rows == 0 => ScalarValue::try_new_null(&value.data_type()).ok()?,
            _ => value.clone(),
        });
    }
    let column = in_file.downcast_ref::<Column>()?;
    let converter = StatisticsConverter::try_new(column.name(), &shape.file, &shape.parquet).ok()?;
    let converter = converter.with_missing_null_counts_as_zero(false);
    let groups = || metadata.row_groups();
    let nulls = converter.row_group_null_counts(groups()).ok()?;
    if let Asked::Count(_) = asked {
        if nulls.null_count() > 0 {
            return None;
        }
        let nulls = nulls.values().iter().try_fold(0_u64, |sum, nulls| sum.checked_add(*nulls))?;
        return Some(ScalarValue::Int64(Some(rows.checked_sub(i64::try_from(nulls).ok()?)?)));
    }
    let data_type = shape.file.field_with_name(column.name()).ok()?.data_type().clone();
    let is_min = matches!(asked, Asked::Min(_));
    let values = if is_min { converter.row_group_mins(groups()) } else { converter.row_group_maxes(groups()) }.ok()?;
    if !has_exact_bounds(&data_type) {
        return None;
    }
    let is_exact = match is_min {
        true => converter.row_group_is_min_value_exact(groups()),
        false => converter.row_group_is_max_value_exact(groups()),
    };
    let is_exact = is_exact.ok()?;
    let mut best = ScalarValue::try_new_null(&data_type).ok()?;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        if values.is_null(at) {
            // Without a value, it must be known that there is none.
            let all_null = nulls.is_valid(at) && i64::try_from(nulls.value(at)).ok()? == group.num_rows();
            if all_null { continue } else { return None }
        }
        if is_exact.is_null(at) || !is_exact.value(at) {
            return None;
        }
        best = merge(asked, best, ScalarValue::try_from_array(&values, at).ok()?)?;
    }
    Some(best)
}
