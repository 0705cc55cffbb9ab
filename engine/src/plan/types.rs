//! Types of SQL that the planner does not know, or knows as others: times by their precision, and `varbinary`.

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::{common::Result, logical_expr::planner::TypePlanner};
use sqlparser::ast::{DataType as SqlType, TimezoneInfo};

#[derive(Debug)]
pub(super) struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = match sql_type {
            SqlType::Varbinary(None) => DataType::Binary,
            SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => match precision {
                Some(0) => DataType::Time32(TimeUnit::Second),
                None | Some(3) => DataType::Time32(TimeUnit::Millisecond),
                Some(6) => DataType::Time64(TimeUnit::Microsecond),
                Some(9) => DataType::Time64(TimeUnit::Nanosecond),
                Some(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(Field::new("", data_type, true).into()))
    }
}
