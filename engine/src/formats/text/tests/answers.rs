//! The answers of a Trino to files of all kinds.

use arrow::{
    array::{Array, AsArray},
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimestampMillisecondType,
    },
};
use serde_json::Value;

use super::{LAZY_SIMPLE, OPEN_CSV, Table};
use crate::formats::text::date;

#[test]
fn text_is_read_as_trino_reads_it() {
    let cases = include_str!("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap());
    let cases: Vec<Value> = cases.collect();
    assert!(cases.len() > 300, "the answers are there");
    let wrong: Vec<String> = cases.iter().filter_map(|case| difference(case).map(|found| format!("{case}\n  {found}"))).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// How a file is read otherwise than in its answer.
fn difference(case: &Value) -> Option<String> {
    let (columns, properties) = (pairs(&case["columns"]), pairs(&case["properties"]));
    let columns: Vec<(&str, &str)> = columns.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    let properties: Vec<(&str, &str)> = properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let serde = if case["format"] == "CSV" { OPEN_CSV } else { LAZY_SIMPLE };
    let file = case["hex"].as_str().map_or_else(|| text(&case["file"]).into_bytes(), bytes_of_hex);
    let name = case["name"].as_str().unwrap_or("f");
    let read = Table::new(serde, &columns, &properties).and_then(|table| table.read(name, &file));
    let batches = match (read, case["rows"].as_array()) {
        (Err(_), None) => return None,
        (Ok(batches), None) => return Some(format!("{} rows, and no error", super::rows(&batches))),
        (Err(error), Some(_)) => return Some(format!("{error:?}")),
        (Ok(batches), Some(_)) => batches,
    };
    let expected = case["rows"].as_array()?;
    if super::rows(&batches) != expected.len() {
        return Some(format!("{} rows", super::rows(&batches)));
    }
    let found = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    found.zip(expected).enumerate().find_map(|(at, ((batch, row), expected))| {
        let differing = (0..columns.len()).find(|column| {
            // Also of what a map or an array of it holds.
            let is_char = columns[*column].1.contains("char(") && !columns[*column].1.contains("varchar(");
            !is_equal(batch.column(*column).as_ref(), row, &expected[*column], is_char)
        })?;
        let shown = arrow::util::display::array_value_to_string(batch.column(differing), row).unwrap();
        Some(format!("row {at}, column {differing}: {shown}, and not {}", expected[differing]))
    })
}

/// The pairs of texts of a list, or of an object.
pub(super) fn pairs(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        other => other.as_array().unwrap().iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(super) fn bytes_of_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Whether a value is the one that Trino shows so.
fn is_equal(values: &dyn Array, row: usize, expected: &Value, is_char: bool) -> bool {
    if values.is_null(row) || expected.is_null() {
        return values.is_null(row) && expected.is_null();
    }
    let shown = expected.as_str();
    match values.data_type() {
        DataType::Boolean => expected.as_bool() == Some(values.as_boolean().value(row)),
        DataType::Int8 => expected.as_i64() == Some(number::<Int8Type>(values, row).into()),
        DataType::Int16 => expected.as_i64() == Some(number::<Int16Type>(values, row).into()),
        DataType::Int32 => expected.as_i64() == Some(number::<Int32Type>(values, row).into()),
        DataType::Int64 => expected.as_i64() == Some(number::<Int64Type>(values, row)),
        // Numbers with a point are text in the answers, so that no digit gets lost.
        DataType::Float32 => {
            let (found, wanted) = (number::<Float32Type>(values, row), shown.unwrap().parse::<f32>().unwrap());
            found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan()
        }
        DataType::Float64 => {
            let (found, wanted) = (number::<Float64Type>(values, row), shown.unwrap().parse::<f64>().unwrap());
            found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan()
        }
        DataType::Decimal128(..) => shown.unwrap() == values.as_primitive::<Decimal128Type>().value_as_string(row),
        // Trino shows the padding, which a value does not have.
        DataType::Utf8 if is_char => shown.map(|text| text.trim_end_matches(' ')) == Some(values.as_string::<i32>().value(row)),
        DataType::Utf8 => shown == Some(values.as_string::<i32>().value(row)),
        DataType::Utf8View => shown == Some(values.as_string_view().value(row)),
        DataType::Binary => shown.unwrap() == base64(values.as_binary::<i32>().value(row)),
        DataType::Date32 => {
            let value = number::<Date32Type>(values, row);
            shown.map(|text| date::date(text.as_bytes())) == Some(Ok(Some(value)))
        }
        DataType::Timestamp(..) => {
            let value = number::<TimestampMillisecondType>(values, row);
            shown.map(|text| date::timestamp(text.as_bytes())) == Some(Ok(Some(value)))
        }
        DataType::List(_) => {
            let elements = values.as_list::<i32>().value(row);
            let expected = expected.as_array().unwrap();
            elements.len() == expected.len() && (0..expected.len()).all(|at| is_equal(&elements, at, &expected[at], is_char))
        }
        DataType::Struct(_) => {
            let fields = values.as_struct().columns();
            let expected = expected.as_array().unwrap();
            let mut pairs = fields.iter().zip(expected);
            fields.len() == expected.len() && pairs.all(|(field, expected)| is_equal(field, row, expected, is_char))
        }
        DataType::Map(..) => {
            let entries = values.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            match expected {
                // Of entries in their order.
                Value::Array(pairs) => {
                    let is_pair =
                        |at: usize| is_equal(keys, at, &pairs[at][0], is_char) && is_equal(values, at, &pairs[at][1], is_char);
                    pairs.len() == keys.len() && (0..pairs.len()).all(is_pair)
                }
                // Of a map within another value, by its keys' text.
                Value::Object(pairs) => {
                    let is_pair = |at: usize| {
                        let key = arrow::util::display::array_value_to_string(keys, at).unwrap();
                        pairs.get(&key).is_some_and(|value| is_equal(values, at, value, is_char))
                    };
                    pairs.len() == keys.len() && (0..pairs.len()).all(is_pair)
                }
                _ => false,
            }
        }
        other => panic!("no column is {other}"),
    }
}

fn number<T: ArrowPrimitiveType>(values: &dyn Array, row: usize) -> T::Native {
    values.as_primitive::<T>().value(row)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, at| (bits << 8) | u32::from(chunk.get(at).copied().unwrap_or_default()));
        let sextet = |at: usize| {
            if at <= chunk.len() { char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]) } else { '=' }
        };
        [sextet(0), sextet(1), sextet(2), sextet(3)]
    };
    bytes.chunks(3).flat_map(group).collect()
}
