//! Columns of system tables (name, type, and what they mean) and the arrays of their values.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use chrono::{DateTime, Utc};

use crate::{
    accounting::Bill,
    error::{Error, Result},
};

/// USD to 10^-18, exactly what a bill holds.
pub(super) const MONEY: DataType = DataType::Decimal128(38, 18);
pub(super) const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// A column of a system table. The meaning is its comment for `DESCRIBE` and `information_schema.columns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) data_type: DataType,
    pub(super) meaning: &'static str,
}

pub(super) const fn text(name: &'static str, meaning: &'static str) -> Column {
    Column { name, data_type: DataType::Utf8, meaning }
}

pub(super) const fn count(name: &'static str, meaning: &'static str) -> Column {
    Column { name, data_type: DataType::Int64, meaning }
}

pub(super) const fn time(name: &'static str, meaning: &'static str) -> Column {
    Column { name, data_type: TIME, meaning }
}

pub(super) const fn day(name: &'static str, meaning: &'static str) -> Column {
    Column { name, data_type: DataType::Date32, meaning }
}

pub(super) const fn money(name: &'static str, meaning: &'static str) -> Column {
    Column { name, data_type: MONEY, meaning }
}

pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, column.data_type.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

pub(super) fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub(super) fn counts(values: impl IntoIterator<Item = Option<u64>>) -> ArrayRef {
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Arc::new(values.into_iter().map(|value| value.map(signed)).collect::<Int64Array>())
}

pub(super) fn times(values: impl IntoIterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    let millis = |value: DateTime<Utc>| value.timestamp_millis();
    Arc::new(values.into_iter().map(|value| value.map(millis)).collect::<TimestampMillisecondArray>())
}

pub(super) fn costs<'a>(bills: impl IntoIterator<Item = &'a Bill>) -> ArrayRef {
    let atto = |bill: &Bill| i128::try_from(bill.total().atto()).unwrap_or(i128::MAX);
    Arc::new(Decimal128Array::from_iter_values(bills.into_iter().map(atto)).with_data_type(MONEY))
}

pub(super) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|e| Error::internal("the rows of a system table do not fit its columns").with_source(e))
}
