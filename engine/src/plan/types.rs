//! SQL types that the planner does not know, or knows differently: times with a precision, `varbinary`, and maps of other types than arrays and rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::{common::Result, logical_expr::planner::TypePlanner};
use sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};

#[derive(Debug)]
pub(super) struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = match sql_type {
            SqlType::Map(key, value) => map(key, value),
            SqlType::Varbinary(_) => Some(DataType::Binary),
            other => time(other),
        };
        Ok(data_type.map(|data_type| Field::new("", data_type, true).into()))
    }
}

fn time(sql_type: &SqlType) -> Option<DataType> {
    let SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) = sql_type else { return None };
    Some(match precision {
        Some(0) => DataType::Time32(TimeUnit::Second),
        None | Some(3) => DataType::Time32(TimeUnit::Millisecond),
        Some(6) => DataType::Time64(TimeUnit::Microsecond),
        Some(9) => DataType::Time64(TimeUnit::Nanosecond),
        Some(_) => return None,
    })
}

fn map(key: &SqlType, value: &SqlType) -> Option<DataType> {
    let key = Field::new("key", of_map(key)?, false);
    let value = Field::new("value", of_map(value)?, true);
    let entries = Field::new("entries", DataType::Struct([key, value].into_iter().map(Arc::new).collect()), false);
    Some(DataType::Map(Arc::new(entries), false))
}

/// The type of a map's keys or values.
fn of_map(sql_type: &SqlType) -> Option<DataType> {
    Some(match sql_type {
        SqlType::Boolean => DataType::Boolean,
        SqlType::TinyInt(_) => DataType::Int8,
        SqlType::SmallInt(_) => DataType::Int16,
        SqlType::Int(_) | SqlType::Integer(_) => DataType::Int32,
        SqlType::BigInt(_) => DataType::Int64,
        SqlType::Real => DataType::Float32,
        SqlType::Double(ExactNumberInfo::None) => DataType::Float64,
        SqlType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            DataType::Decimal128(u8::try_from(*precision).ok()?, i8::try_from(*scale).ok()?)
        }
        SqlType::Varchar(_) | SqlType::Char(_) => DataType::Utf8,
        SqlType::Varbinary(_) => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp(Some(3), TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(TimeUnit::Millisecond, None)
        }
        SqlType::Map(key, value) => return map(key, value),
        other => return time(other),
    })
}
