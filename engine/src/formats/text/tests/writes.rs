//! The bytes that a Trino makes of rows: ours are the same, unless it would not read back the rows. Those are an error, or have bytes that it reads.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
        Int16Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray,
        TimestampMicrosecondArray,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::Field,
};
use glaux_catalog::{HiveType, model::Properties};
use serde_json::Value;

use super::{
    LAZY_SIMPLE, OPEN_CSV, Table,
    answers::{bytes_of_hex, pairs, text},
};
use crate::{
    error::{ErrorKind, Result},
    formats::{
        output::OutputFormat,
        text::{TextOutput, date, value},
    },
};

static NULL: Value = Value::Null;

#[test]
fn rows_are_written_as_trino_writes_them() {
    let cases = include_str!("writes.jsonl").lines().map(|line| serde_json::from_str(line).unwrap());
    let cases: Vec<Value> = cases.collect();
    assert!(cases.len() > 100, "the answers are there");
    let wrong: Vec<String> = cases.iter().filter_map(|case| difference(case).map(|found| format!("{case}\n  {found}"))).collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is written otherwise than it should be.
fn difference(case: &Value) -> Option<String> {
    let (columns, properties) = (pairs(&case["columns"]), pairs(&case["properties"]));
    let columns: Vec<(&str, &str)> = columns.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    let properties: Vec<(&str, &str)> = properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let serde = if case["format"] == "CSV" { OPEN_CSV } else { LAZY_SIMPLE };
    let found = written(serde, &columns, &properties, case["rows"].as_array().unwrap());
    let wanted = match case["ours"].as_str() {
        Some(ours) => {
            assert!(case["reads_ours"] == true && case["reads"] == false, "{case}");
            Some(ours.as_bytes().to_vec())
        }
        None if case["reads"] == true => {
            Some(case["hex"].as_str().map_or_else(|| text(&case["file"]).into_bytes(), bytes_of_hex))
        }
        None => None,
    };
    match (found, wanted) {
        (Ok(found), Some(wanted)) => (found != wanted).then(|| format!("{:?}", String::from_utf8_lossy(&found))),
        (Ok(found), None) => Some(format!("{:?}, and no error", String::from_utf8_lossy(&found))),
        (Err(error), Some(_)) => Some(format!("{error:?}")),
        (Err(error), None) => {
            let is_told = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported) && error.hint().is_some();
            (!is_told).then(|| format!("{error:?}"))
        }
    }
}

/// The bytes of a file of rows.
fn written(serde: &str, columns: &[(&str, &str)], properties: &[(&str, &str)], rows: &[Value]) -> Result<Vec<u8>> {
    let table = Table::new(serde, columns, properties)?;
    let plain = Properties::from([("write.compression".to_owned(), "NONE".to_owned())]);
    let output = TextOutput::new(&table.storage, &plain, None)?;
    let arrays = table.storage.columns.iter().enumerate().map(|(at, column)| {
        let values: Vec<&Value> = rows.iter().map(|row| &row[at]).collect();
        (column.name.as_str(), array(&column.hive_type, &values), true)
    });
    file(&output, &RecordBatch::try_from_iter_with_nullable(arrays).unwrap())
}

/// The bytes of a file of a batch.
pub(super) fn file(output: &TextOutput, batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = output.begin(&batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    let file = writer.take();
    assert_eq!(writer.size(), file.len());
    Ok(file.to_vec())
}

/// Values as the answers have them: times, dates, decimals and floating-point numbers are text, bytes hexadecimal, maps lists of pairs.
fn array(hive_type: &HiveType, values: &[&Value]) -> ArrayRef {
    let texts = || values.iter().map(|value| value.as_str());
    let whole = || values.iter().map(|value| value.as_i64());
    match hive_type {
        HiveType::Boolean => Arc::new(values.iter().map(|value| value.as_bool()).collect::<BooleanArray>()),
        HiveType::TinyInt => Arc::new(whole().map(|value| value.map(|value| value as i8)).collect::<Int8Array>()),
        HiveType::SmallInt => Arc::new(whole().map(|value| value.map(|value| value as i16)).collect::<Int16Array>()),
        HiveType::Int => Arc::new(whole().map(|value| value.map(|value| value as i32)).collect::<Int32Array>()),
        HiveType::BigInt => Arc::new(whole().collect::<Int64Array>()),
        HiveType::Float => Arc::new(texts().map(|text| text.map(|text| text.parse::<f32>().unwrap())).collect::<Float32Array>()),
        HiveType::Double => Arc::new(texts().map(|text| text.map(|text| text.parse::<f64>().unwrap())).collect::<Float64Array>()),
        HiveType::Decimal(precision, scale) => {
            let decimals = texts().map(|text| text.map(|text| value::decimal(text.as_bytes(), *precision, *scale).unwrap()));
            Arc::new(decimals.collect::<Decimal128Array>().with_precision_and_scale(*precision, *scale).unwrap())
        }
        HiveType::Char(_) | HiveType::Varchar(_) | HiveType::String => Arc::new(texts().collect::<StringArray>()),
        HiveType::Binary => Arc::new(texts().map(|text| text.map(bytes_of_hex)).collect::<BinaryArray>()),
        HiveType::Date => {
            let days = texts().map(|text| text.map(|text| date::date(text.as_bytes()).unwrap().unwrap()));
            Arc::new(days.collect::<Date32Array>())
        }
        HiveType::Timestamp => Arc::new(texts().map(|text| text.map(micros)).collect::<TimestampMicrosecondArray>()),
        HiveType::Array(element) => {
            let (parts, offsets, nulls) = parts(values);
            let elements = array(element, &parts);
            let field = Arc::new(Field::new("element", elements.data_type().clone(), true));
            Arc::new(ListArray::new(field, offsets, elements, nulls))
        }
        HiveType::Map(key, of_key) => {
            let (entries, offsets, nulls) = parts(values);
            let part = |at: usize| entries.iter().map(|entry| &entry[at]).collect::<Vec<_>>();
            let (keys, values) = (array(key, &part(0)), array(of_key, &part(1)));
            let fields =
                vec![Field::new("key", keys.data_type().clone(), false), Field::new("value", values.data_type().clone(), true)];
            let entries = StructArray::new(fields.into(), vec![keys, values], None);
            let field = Arc::new(Field::new("key_value", entries.data_type().clone(), false));
            Arc::new(MapArray::new(field, offsets, entries, nulls, false))
        }
        HiveType::Struct(fields) => {
            let part = |at: usize| values.iter().map(|value| value.get(at).unwrap_or(&NULL)).collect::<Vec<_>>();
            let parts: Vec<ArrayRef> = fields.iter().enumerate().map(|(at, (_, field))| array(field, &part(at))).collect();
            let of = |((name, _), part): (&(String, HiveType), &ArrayRef)| Field::new(name, part.data_type().clone(), true);
            let fields: Vec<Field> = fields.iter().zip(&parts).map(of).collect();
            let nulls = values.iter().map(|value| !value.is_null()).collect::<Vec<_>>();
            Arc::new(StructArray::new(fields.into(), parts, Some(NullBuffer::from(nulls))))
        }
    }
}

/// The parts of all lists one after another, where each list ends, and which are NULL.
fn parts<'v>(values: &[&'v Value]) -> (Vec<&'v Value>, OffsetBuffer<i32>, Option<NullBuffer>) {
    let lists: Vec<Option<&Vec<Value>>> = values.iter().map(|value| value.as_array()).collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
    let nulls = NullBuffer::from(lists.iter().map(Option::is_some).collect::<Vec<_>>());
    (lists.into_iter().flatten().flatten().collect(), offsets, Some(nulls))
}

/// Microseconds since 1970, of `2024-01-02 03:04:05.678901`.
fn micros(text: &str) -> i64 {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let millis = date::timestamp(seconds.as_bytes()).unwrap().unwrap();
    millis * 1000 + format!("{fraction:0<6}").parse::<i64>().unwrap()
}
