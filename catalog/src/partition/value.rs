//! Partition values: raw strings parsed by the key's Hive type into Arrow arrays, and back. NULL is `None`.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Decimal128Builder, PrimitiveBuilder, StringBuilder,
        TimestampMillisecondBuilder,
    },
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimeUnit, TimestampMillisecondType,
    },
};

use super::text;
use crate::{
    error::{Error, Result},
    hive_type::HiveType,
    model::Column,
};

/// Raw values as an array of the type's Arrow type ([`HiveType::to_arrow`]).
///
/// Integers may have a sign and leading zeros; dates are `yyyy-MM-dd`; timestamps `yyyy-MM-dd HH:mm:ss[.fff]` or a date alone, rounded to
/// milliseconds as in Athena; decimals may not have more digits after the point than the type, except zeros; booleans are `true` and
/// `false` in any case; strings are taken as they are, except for the padding of a `char`.
///
/// # Errors
/// `Invalid`, naming the value and the type; also for types that partition keys cannot have (array, map, struct).
pub fn typed_array<'a>(hive_type: &HiveType, values: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef> {
    match hive_type {
        HiveType::Boolean => {
            let mut builder = BooleanBuilder::new();
            for value in values {
                builder.append_option(parsed(hive_type, value, text::parse_boolean)?);
            }
            Ok(Arc::new(builder.finish()))
        }
        HiveType::TinyInt => primitive::<Int8Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::SmallInt => primitive::<Int16Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::Int => primitive::<Int32Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::BigInt => primitive::<Int64Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::Float => primitive::<Float32Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::Double => primitive::<Float64Type>(hive_type, values, |raw| raw.parse().ok()),
        HiveType::Date => primitive::<Date32Type>(hive_type, values, text::parse_date),
        HiveType::Decimal(precision, scale) => {
            let mut builder = Decimal128Builder::new().with_precision_and_scale(*precision, *scale).map_err(|error| {
                Error::invalid(format!("type \"{hive_type}\" has an invalid precision or scale")).with_source(error)
            })?;
            for value in values {
                builder.append_option(parsed(hive_type, value, |raw| text::parse_decimal(raw, *precision, *scale))?);
            }
            Ok(Arc::new(builder.finish()))
        }
        HiveType::Timestamp => {
            let mut builder = TimestampMillisecondBuilder::new();
            for value in values {
                builder.append_option(parsed(hive_type, value, text::parse_timestamp)?);
            }
            Ok(Arc::new(builder.finish()))
        }
        // As in columns, padding does not count; Trino writes it into the names of directories.
        HiveType::Char(_) => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| builder.append_option(value.map(|value| value.trim_end_matches(' '))));
            Ok(Arc::new(builder.finish()))
        }
        HiveType::Varchar(_) | HiveType::String => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| builder.append_option(value));
            Ok(Arc::new(builder.finish()))
        }
        HiveType::Binary => {
            let mut builder = BinaryBuilder::new();
            values.for_each(|value| builder.append_option(value));
            Ok(Arc::new(builder.finish()))
        }
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => {
            Err(Error::invalid(format!("a partition key cannot have the type \"{hive_type}\"")).with_hint("Use a scalar type"))
        }
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    hive_type: &HiveType,
    values: impl Iterator<Item = Option<&'a str>>,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(values.size_hint().0);
    for value in values {
        builder.append_option(parsed(hive_type, value, &parse)?);
    }
    Ok(Arc::new(builder.finish()))
}

fn parsed<T>(hive_type: &HiveType, value: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    value.map(|raw| parse(raw).ok_or_else(|| misfit(hive_type, raw))).transpose()
}

fn misfit(hive_type: &HiveType, raw: &str) -> Error {
    let error = Error::invalid(format!("partition value \"{raw}\" is not of type \"{hive_type}\""));
    match hive_type {
        HiveType::Date => error.with_hint("Write dates as yyyy-MM-dd"),
        HiveType::Timestamp => error.with_hint("Write timestamps as yyyy-MM-dd HH:mm:ss"),
        HiveType::Boolean => error.with_hint("Write booleans as true or false"),
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => error.with_hint("Partition keys have scalar types"),
        _ => error.with_hint("Correct the value, or give the partition key the type string"),
    }
}

/// Checks that a raw value is of the key's type.
///
/// # Errors
/// `Invalid`, naming the value, the type and the key.
pub fn check_value(key: &Column, raw: &str) -> Result<()> {
    let hive_type = &key.hive_type;
    let fits = match hive_type {
        HiveType::Boolean => text::parse_boolean(raw).is_some(),
        HiveType::TinyInt => raw.parse::<i8>().is_ok(),
        HiveType::SmallInt => raw.parse::<i16>().is_ok(),
        HiveType::Int => raw.parse::<i32>().is_ok(),
        HiveType::BigInt => raw.parse::<i64>().is_ok(),
        HiveType::Float => raw.parse::<f32>().is_ok(),
        HiveType::Double => raw.parse::<f64>().is_ok(),
        HiveType::Date => text::parse_date(raw).is_some(),
        HiveType::Decimal(precision, scale) => text::parse_decimal(raw, *precision, *scale).is_some(),
        HiveType::Timestamp => text::parse_timestamp(raw).is_some(),
        HiveType::Char(_) | HiveType::Varchar(_) | HiveType::String | HiveType::Binary => true,
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => false,
    };
    if fits { Ok(()) } else { Err(misfit(hive_type, raw).with_context("key", &key.name)) }
}

/// # Errors
/// `Invalid` if there is not one value for each key.
pub(crate) fn check_count(keys: &[Column], values: &[Option<String>]) -> Result<()> {
    if keys.len() == values.len() {
        return Ok(());
    }
    let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let message = format!("{} partition values were given for the keys \"{}\"", values.len(), names.join("\", \""));
    Err(Error::invalid(message).with_hint("Give one value for each partition key"))
}

/// The canonical text of one typed value, as in the name of a new partition; `None` for NULL.
///
/// Integers are bare digits, decimals have as many digits after the point as their type (as in Trino), floats are as in Java (`1.0`,
/// `1.0E10`), dates and timestamps as [`typed_array`] reads them, with a fraction only where there is one.
///
/// # Errors
/// `Invalid` for types that partition keys cannot have, and bytes that are not UTF-8.
pub fn canonical(array: &dyn Array, row: usize) -> Result<Option<String>> {
    if row >= array.len() {
        return Err(Error::internal(format!("row {row} of an array of {} values", array.len())));
    }
    if array.is_null(row) {
        return Ok(None);
    }
    let text = match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            text::java_float(&format!("{value:e}"), f64::from(value))
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            text::java_float(&format!("{value:e}"), value)
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            std::str::from_utf8(bytes)
                .map_err(|error| Error::invalid("a binary partition value is not valid UTF-8").with_source(error))?
                .to_owned()
        }
        DataType::Date32 => {
            text::print_date(array.as_primitive::<Date32Type>().value(row)).ok_or_else(|| out_of_range("date"))?
        }
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
            text::print_timestamp(millis).ok_or_else(|| out_of_range("timestamp"))?
        }
        other => return Err(Error::invalid(format!("a partition value cannot have the type \"{other}\""))),
    };
    Ok(Some(text))
}

fn out_of_range(what: &str) -> Error {
    Error::invalid(format!("a partition value of type {what} is outside the years 0 to 9999"))
}

#[cfg(test)]
mod tests;
