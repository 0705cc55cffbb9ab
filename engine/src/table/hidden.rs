//! Trino's hidden columns of a file: `"$path"`, `"$file_size"`, `"$file_modified_time"`. They exist where a query names them and never
//! in `SELECT *`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;

use crate::{scan::DataFile, sql::rewrite::HIDDEN_COLUMNS};

/// The columns as fields, in the order of [`HIDDEN_COLUMNS`] and [`values`]: never null, the time in UTC.
pub(super) fn fields() -> Vec<FieldRef> {
    let types = [DataType::Utf8, DataType::Int64, DataType::Timestamp(TimeUnit::Millisecond, None)];
    HIDDEN_COLUMNS.iter().zip(types).map(|(name, data_type)| Arc::new(Field::new(*name, data_type, false))).collect()
}

/// The columns' values for a file.
pub(super) fn values(file: &DataFile) -> [ScalarValue; 3] {
    [
        ScalarValue::Utf8(Some(file.url())),
        ScalarValue::Int64(Some(i64::try_from(file.meta.size).unwrap_or(i64::MAX))),
        ScalarValue::TimestampMillisecond(Some(file.meta.last_modified.timestamp_millis()), None),
    ]
}
