//! Tests of what footers tell: ranges, nulls, and estimates of different values that hold where they can be known.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
};
use glaux_catalog::HiveType;
use parquet::{
    arrow::ArrowWriter,
    file::{
        metadata::ParquetMetaDataReader,
        properties::{WriterProperties, WriterVersion},
    },
};

use super::*;

/// What a file of these columns tells, in groups of so many rows.
fn told(columns: Vec<(&str, ArrayRef)>, group: usize, uses_dictionary: bool) -> Analyzed {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let wanted: Vec<Column> =
        schema.fields().iter().map(|field| Column::new(field.name(), HiveType::from_arrow(field.data_type()).unwrap())).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, array)| array).collect()).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_dictionary_enabled(uses_dictionary)
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let size = bytes.len() as u64;
    let footer = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes)).unwrap();
    of_footer(&footer, size, &wanted)
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn distinct_of(analyzed: &Analyzed, column: &str) -> f64 {
    analyzed.columns[column].distinct.unwrap()
}

#[track_caller]
fn about(found: f64, expected: f64) {
    assert!((found - expected).abs() <= expected * 0.25 + 1.0, "{found}, not about {expected}");
}

#[test]
fn footers_tell_ranges_nulls_and_rows() {
    let with_nulls: ArrayRef = Arc::new(Int64Array::from_iter((0..1000).map(|n| (n % 10 > 0).then_some(n))));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values((0..1000).map(|n| 19_000 + n / 100)));
    let floats: ArrayRef = Arc::new(Float64Array::from_iter_values((0..1000).map(f64::from)));
    let told = told(vec![("n", with_nulls), ("d", days), ("f", floats)], 300, true);
    assert_eq!((told.files, told.rows), (1, 1000));
    assert_eq!(told.columns["n"].nulls, Some(100));
    assert_eq!(told.columns["n"].range, Some((ScalarValue::Int64(Some(1)), ScalarValue::Int64(Some(999)))));
    about(distinct_of(&told, "d"), 10.0);
    assert_eq!(told.columns["f"].range, None, "NaN would not be in it");
    assert_eq!(told.columns["f"].nulls, Some(0));
    assert_eq!(Analyzed::decode(&told.encode().unwrap()).unwrap(), told);
    assert_eq!(Analyzed::decode(b"{}").unwrap_err().kind(), crate::error::ErrorKind::CorruptData);
}

#[test]
fn estimates_of_different_values_are_near() {
    for uses_dictionary in [true, false] {
        let words = (0..20_000).map(|n| format!("word {:03}", n % 50));
        let told = told(
            vec![
                ("unique", numbers(0..20_000)),
                ("few", numbers((0..20_000).map(|n| n % 7))),
                ("words", Arc::new(StringArray::from_iter_values(words))),
            ],
            5_000,
            uses_dictionary,
        );
        about(distinct_of(&told, "unique"), 20_000.0);
        about(distinct_of(&told, "few"), 7.0);
        // Without a dictionary nothing tells that words come again in a group; groups of one range have the same ones.
        about(distinct_of(&told, "words"), if uses_dictionary { 50.0 } else { 5_000.0 });
    }
}

#[test]
fn files_together_have_the_values_of_both() {
    let of = |values: std::ops::Range<i64>| told(vec![("n", numbers(values))], 10_000, true);
    let mut apart = of(0..100);
    apart.merge(&of(1000..1100));
    assert_eq!((apart.files, apart.rows), (2, 200));
    about(distinct_of(&apart, "n"), 200.0);
    let mut same = of(0..100);
    same.merge(&of(0..100));
    about(distinct_of(&same, "n"), 100.0);
    let mut half = of(0..100);
    half.merge(&of(50..150));
    about(distinct_of(&half, "n"), 150.0);
    assert_eq!(half.columns["n"].range, Some((ScalarValue::Int64(Some(0)), ScalarValue::Int64(Some(149)))));
    // A file without the column has NULL in all its rows.
    let wanted = [Column::new("n", HiveType::BigInt)];
    let mut lacking = of(0..10);
    let mut other = told(vec![("m", numbers(0..5))], 100, true);
    other.columns = BTreeMap::from([(
        "n".to_owned(),
        Figures { hive_type: wanted[0].hive_type.clone(), nulls: Some(5), range: None, distinct: Some(0.0), bytes: 0 },
    )]);
    lacking.merge(&other);
    assert_eq!(lacking.columns["n"].nulls, Some(5));
    assert_eq!(lacking.columns["n"].range, Some((ScalarValue::Int64(Some(0)), ScalarValue::Int64(Some(9)))));
    let mut empty = Analyzed::default();
    empty.merge(&lacking);
    assert_eq!(empty, lacking);
}
