//! What is written is read back, in every form that a file can have.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array, MapArray,
        RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    },
    buffer::OffsetBuffer,
    datatypes::{Date32Type, Field, Float32Type, Float64Type, TimestampMillisecondType},
};
use bytes::Bytes;
use glaux_catalog::{model::Properties, partition::PartitionOwn};
use proptest::prelude::*;

use super::{OPEN_CSV, Table, decode, strings, writes::file};
use crate::{
    error::{Error, ErrorKind, Result},
    formats::{
        output::OutputFormat,
        text::{TextOutput, compression::Compression},
    },
};

/// The properties of a table whose files are not compressed.
const PLAIN: [(&str, &str); 1] = [("compressionType", "none")];

fn output(table: &Table, properties: &[(&str, &str)]) -> Result<TextOutput> {
    let properties: Properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    TextOutput::new(&table.storage, &properties, None)
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

#[test]
fn files_are_compressed_as_the_table_says() {
    let table = Table::lazy(&[("line", "string")], &[("skip.header.line.count", "1")]);
    let lines: Vec<String> = (0..100_000).map(|n| format!("line {n} of text that is compressed well")).collect();
    let all = batch([("line", Arc::new(lines.iter().map(Some).collect::<StringArray>()))]);
    for (properties, ending) in [
        (&[][..], ".gz"),
        (&PLAIN[..], ""),
        (&[("write.compression", "GZIP"), PLAIN[0]][..], ".gz"),
        (&[("write.compression", "deflate")][..], ".deflate"),
        (&[("write.compression", "ZSTD")][..], ".zst"),
    ] {
        let output = output(&table, properties).unwrap();
        assert_eq!(output.ending(), ending);
        let mut writer = output.begin(&all.schema()).unwrap();
        let mut pieces = Vec::new();
        for start in (0..lines.len()).step_by(30_000) {
            writer.write(&all.slice(start, 30_000.min(lines.len() - start))).unwrap();
            writer.flush().unwrap();
            pieces.push(writer.take());
        }
        writer.finish().unwrap();
        pieces.push(writer.take());
        assert_eq!(writer.size(), pieces.iter().map(Bytes::len).sum::<usize>());
        let compression = Compression::of_name(&format!("f{ending}")).unwrap();
        let decoder = table.decoder(&[0]).unwrap().with_compression(compression).unwrap();
        let read = strings(&decode(decoder, pieces).unwrap(), 0);
        assert!(read.into_iter().flatten().eq(lines.iter().cloned()), "{ending}");
    }
    let csv = Table::new(OPEN_CSV, &[("line", "string")], &[]).unwrap();
    assert_eq!(output(&csv, &[]).unwrap().ending(), ".csv.gz");
    let error = output(&table, &[("write.compression", "SNAPPY")]).unwrap_err();
    assert_eq!(error.message(), "text cannot be written with the property \"write.compression\" being \"SNAPPY\"");
}

#[test]
fn csv_has_the_types_that_athena_reads() {
    let types =
        [("s", "string"), ("b", "boolean"), ("i", "int"), ("l", "bigint"), ("d", "double"), ("t", "timestamp"), ("y", "date")];
    let table = Table::new(OPEN_CSV, &types, &[]).unwrap();
    let output = output(&table, &PLAIN).unwrap();
    let row = |time: i64| {
        batch([
            ("s", texts(&[Some("x")])),
            ("b", Arc::new(BooleanArray::from(vec![true]))),
            ("i", Arc::new(Int32Array::from(vec![1]))),
            ("l", Arc::new(Int64Array::from(vec![-2]))),
            ("d", Arc::new(Float64Array::from(vec![1.5e10]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![time]))),
            ("y", Arc::new(Date32Array::from(vec![18_276]))),
        ])
    };
    let bytes = file(&output, &row(1_579_059_880_001_000)).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), "\"x\",\"true\",\"1\",\"-2\",\"1.5E10\",\"1579059880001\",\"18276\"\n");
    let read = table.read("f", &bytes).unwrap();
    assert_eq!(read[0].column(5).as_primitive::<TimestampMillisecondType>().value(0), 1_579_059_880_001);
    let error = file(&output, &row(1)).unwrap_err();
    assert!(error.message().contains("\"t\"") && error.kind() == ErrorKind::Invalid, "{error}");
}

/// The error of a file of one row.
#[track_caller]
fn refused(table: &Table, row: &RecordBatch) -> Error {
    let error = file(&output(table, &[]).unwrap(), row).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    error
}

#[test]
fn a_value_that_would_be_lost_is_named() {
    let columns = [("a", "string"), ("b", "string")];
    let row = |a: &str, b: &str| batch([("a", texts(&[Some("fine"), Some(a)])), ("b", texts(&[Some("fine"), Some(b)]))]);
    let plain = Table::lazy(&columns, &[("field.delim", ",")]);
    let error = refused(&plain, &row("x", "y,z"));
    assert_eq!(error.message(), "a value of column \"b\" would be read from text as another one: y,z");
    assert!(error.hint().unwrap().contains("escape.delim"), "{error:?}");
    let error = refused(&plain, &row("x\ny", "z"));
    assert_eq!(error.message(), "a value of column \"a\" would be read from text as another one: x\\ny");
    assert!(error.hint().unwrap().contains("line breaks"), "{error:?}");
    let escaped = Table::lazy(&columns, &[("field.delim", ","), ("escape.delim", "\\")]);
    let error = refused(&escaped, &row("x,y", "\r"));
    assert_eq!(error.message(), "a value of column \"b\" would be read from text as another one: \\r");
    // A shift that makes a date of another column's text that there is not.
    let shifted = Table::lazy(&[("a", "string"), ("d", "date")], &[("field.delim", ",")]);
    let row = batch([("a", texts(&[Some("x,999999999-01-01")])), ("d", Arc::new(Date32Array::from(vec![0])))]);
    assert!(refused(&shifted, &row).message().starts_with("a value of column \"a\""));
    let long = batch([("a", texts(&[Some(",".repeat(1000).as_str())])), ("b", texts(&[None]))]);
    assert!(refused(&plain, &long).message().len() < 200);
}

#[test]
fn null_of_a_number_has_no_form_in_csv() {
    let table = Table::new(OPEN_CSV, &[("s", "string"), ("i", "int")], &[]).unwrap();
    let row = batch([("s", texts(&[Some("x")])), ("i", Arc::new(Int32Array::from(vec![None])))]);
    let error = refused(&table, &row);
    assert_eq!(error.message(), "a value of column \"i\" would be read from text as another one: NULL");
    assert!(error.hint().unwrap().contains("NULL"), "{error:?}");
    // A line without anything has NULLs alone.
    let table = Table::new(OPEN_CSV, &[("i", "int")], &[]).unwrap();
    let plain = output(&table, &PLAIN).unwrap();
    let bytes = file(&plain, &batch([("i", Arc::new(Int32Array::from(vec![Some(1), None])))])).unwrap();
    assert_eq!(bytes, b"\"1\"\n\n");
    assert_eq!(table.read("f", &bytes).unwrap()[0].column(0).null_count(), 1);
}

#[test]
fn a_map_with_a_key_twice_would_lose_an_entry() {
    let map = |keys: [&str; 2]| {
        let keys = texts(&keys.map(Some));
        let field = |name: &str, is_nullable| Field::new(name, keys.data_type().clone(), is_nullable);
        let fields = vec![field("key", false), field("value", true)];
        let entries = StructArray::new(fields.into(), vec![Arc::clone(&keys), keys], None);
        let field = Arc::new(Field::new("key_value", entries.data_type().clone(), false));
        batch([("m", Arc::new(MapArray::new(field, OffsetBuffer::from_lengths([2]), entries, None, false)) as ArrayRef)])
    };
    let table = Table::lazy(&[("m", "map<string,string>")], &[]);
    assert!(file(&output(&table, &[]).unwrap(), &map(["a", "b"])).is_ok());
    assert!(refused(&table, &map(["a", "a"])).message().contains("\"m\""));
}

#[test]
fn a_partition_is_written_as_it_is_read() {
    let table = Table::lazy(&[("a", "string"), ("b", "string")], &[("field.delim", ",")]);
    let none = Properties::from([("compressionType".to_owned(), "none".to_owned())]);
    let mut own = PartitionOwn { serde: Some(table.storage.serde.clone()), columns: None };
    own.serde.as_mut().unwrap().properties.insert("field.delim".to_owned(), ";".to_owned());
    let row = batch([("a", texts(&[Some("x,y")])), ("b", texts(&[None]))]);
    let output = TextOutput::new(&table.storage, &none, Some(&own)).unwrap();
    assert_eq!(file(&output, &row).unwrap(), b"x,y;\\N\n");
    own.columns = Some(table.storage.columns[..1].to_vec());
    let error = TextOutput::new(&table.storage, &none, Some(&own)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.message(), "the partition does not have column \"b\" of its table");
}

proptest! {
    #[test]
    fn rows_are_read_back_or_refused(
        values in prop::collection::vec(
            ("[ab,;N|\\\\\"\u{1}\n\r \u{e9}]{0,6}", prop::option::of("[ab,;N|\\\\\"\u{1}\n\r \u{e9}]{0,4}")),
            1..6,
        ),
        kind in 0_usize..4,
    ) {
        let (columns, comma) = ([("a", "string"), ("b", "string")], ("field.delim", ","));
        let table = match kind {
            0 => Table::lazy(&columns, &[comma]),
            1 => Table::lazy(&columns, &[comma, ("escape.delim", "\\")]),
            2 => Table::new(OPEN_CSV, &columns, &[]).unwrap(),
            _ => Table::new(OPEN_CSV, &columns, &[("separatorChar", ";"), ("escapeChar", "b")]).unwrap(),
        };
        let all = batch([
            ("a", Arc::new(values.iter().map(|(a, _)| Some(a)).collect::<StringArray>()) as ArrayRef),
            ("b", Arc::new(values.iter().map(|(_, b)| b.as_ref()).collect::<StringArray>())),
        ]);
        match file(&output(&table, &PLAIN).unwrap(), &all) {
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Invalid),
            Ok(bytes) => {
                let read = table.read("f", &bytes).unwrap();
                // OpenCSVSerde has one form for NULL and the empty text.
                let known = |value: Option<String>| if kind > 1 { Some(value.unwrap_or_default()) } else { value };
                let (a, b): (Vec<_>, Vec<_>) = values.into_iter().map(|(a, b)| (Some(a), known(b))).unzip();
                prop_assert_eq!(strings(&read, 0), a);
                prop_assert_eq!(strings(&read, 1).into_iter().map(known).collect::<Vec<_>>(), b);
            }
        }
    }

    #[test]
    fn numbers_and_days_are_read_back(bits in any::<u64>(), days in any::<i32>()) {
        let (double, float) = (f64::from_bits(bits), f32::from_bits(bits as u32));
        let table = Table::lazy(&[("d", "double"), ("f", "float"), ("y", "date")], &[]);
        let row = batch([
            ("d", Arc::new(Float64Array::from(vec![double])) as ArrayRef),
            ("f", Arc::new(Float32Array::from(vec![float]))),
            ("y", Arc::new(Date32Array::from(vec![days]))),
        ]);
        let bytes = file(&output(&table, &PLAIN).unwrap(), &row).unwrap();
        let read = &table.read("f", &bytes).unwrap()[0];
        let read_double = read.column(0).as_primitive::<Float64Type>().value(0);
        let read_float = read.column(1).as_primitive::<Float32Type>().value(0);
        prop_assert!(double.to_bits() == read_double.to_bits() || double.is_nan() && read_double.is_nan());
        prop_assert!(float.to_bits() == read_float.to_bits() || float.is_nan() && read_float.is_nan());
        prop_assert_eq!(read.column(2).as_primitive::<Date32Type>().value(0), days);
    }
}
