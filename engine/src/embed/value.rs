//! Values of Rust as the values of a statement's parameters.

use arrow::array::RecordBatch;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use datafusion::common::ScalarValue;

use crate::{
    error::{Error, Result},
    execute::Parameters,
    failure::from_datafusion,
};

/// The number of 1970-01-01, counted from 0001-01-01 as the first day.
const EPOCH: i32 = 719_163;

/// A value for a parameter (`?`) of a statement. Numbers, text, bytes, dates, timestamps, and options of them become one by `From`; any other value of
/// Arrow by [`ScalarValue`].
///
/// It takes the type of its place in the statement if that loses nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Value(ScalarValue);

impl Value {
    /// NULL, which fits every place.
    pub const NULL: Self = Self(ScalarValue::Null);
}

/// Types of Rust, and the variants of [`ScalarValue`] that hold them without loss.
macro_rules! from {
    ($($rust:ty => $variant:ident),* $(,)?) => {
        $(impl From<$rust> for Value {
            fn from(value: $rust) -> Self {
                Self(ScalarValue::$variant(Some(value.into())))
            }
        })*
    };
}

from! {
    bool => Boolean,
    i8 => Int8,
    i16 => Int16,
    i32 => Int32,
    i64 => Int64,
    u8 => Int16,
    u16 => Int32,
    u32 => Int64,
    f32 => Float32,
    f64 => Float64,
    &str => Utf8,
    &String => Utf8,
    String => Utf8,
    &[u8] => Binary,
    Vec<u8> => Binary,
}

impl From<NaiveDate> for Value {
    fn from(date: NaiveDate) -> Self {
        Self(ScalarValue::Date32(Some(date.num_days_from_ce() - EPOCH)))
    }
}

/// A timestamp without time zone, in microseconds.
impl From<NaiveDateTime> for Value {
    fn from(timestamp: NaiveDateTime) -> Self {
        Self(ScalarValue::TimestampMicrosecond(Some(timestamp.and_utc().timestamp_micros()), None))
    }
}

/// A timestamp with time zone, in microseconds.
impl From<DateTime<Utc>> for Value {
    fn from(timestamp: DateTime<Utc>) -> Self {
        Self(ScalarValue::TimestampMicrosecond(Some(timestamp.timestamp_micros()), Some("UTC".into())))
    }
}

impl From<ScalarValue> for Value {
    fn from(value: ScalarValue) -> Self {
        Self(value)
    }
}

/// `None` is NULL.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NULL, Into::into)
    }
}

impl Parameters {
    /// One row of values: the first is that of the first parameter.
    ///
    /// # Errors
    /// `Unsupported` for a value of a type that no value of the engine can have.
    pub fn from_values(values: impl IntoIterator<Item = Value>) -> Result<Self> {
        let column = |(at, Value(value)): (usize, Value)| {
            let column = value.to_array().map_err(from_datafusion)?;
            Ok::<_, Error>((format!("${at}"), column, true))
        };
        let columns = (1..).zip(values).map(column).collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Ok(Self::default());
        }
        let row = RecordBatch::try_from_iter_with_nullable(columns);
        let row = row.map_err(|error| Error::internal(format!("the values of parameters do not make a row: {error}")))?;
        Self::from_batches(&[row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_counted_from_1970() {
        let date = NaiveDate::from_ymd_opt(2025, 1, 2).unwrap();
        let noon = date.and_hms_micro_opt(12, 0, 0, 7).unwrap();
        assert_eq!(Value::from(NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()), Value(ScalarValue::Date32(Some(0))));
        // `date -u -d 2025-01-02T12:00 +%s` is 1735819200.
        assert_eq!(Value::from(date), Value(ScalarValue::Date32(Some(1_735_819_200 / 86_400))));
        assert_eq!(Value::from(noon), Value(ScalarValue::TimestampMicrosecond(Some(1_735_819_200_000_007), None)));
        let utc = ScalarValue::TimestampMicrosecond(Some(1_735_819_200_000_007), Some("UTC".into()));
        assert_eq!(Value::from(noon.and_utc()), Value(utc));
    }

    #[test]
    fn values_make_one_row() {
        let none: Option<i64> = None;
        let values = [Value::from(1), "x".into(), Value::from(2.5), true.into(), none.into(), Some(7_u32).into()];
        let parameters = Parameters::from_values(values).unwrap();
        assert_eq!((parameters.len(), parameters.rows()), (6, 1));
        assert_eq!(Parameters::from_values([]).unwrap(), Parameters::default());
    }
}
