//! Each form of output over one small result with NULLs, separators, wide characters and nested values.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use ::arrow::{
    array::{
        ArrayRef, Decimal128Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray,
    },
    datatypes::{Float32Type, Int32Type, Schema},
    ipc::reader::StreamReader,
};
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use glaux_engine::Error;

use super::{Expanded, Format, Style, forms::begin_on, is_broken_pipe};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn batch() -> RecordBatch {
    let price = Decimal128Array::from(vec![Some(1250), None, Some(-5)]).with_precision_and_scale(15, 2).unwrap();
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 22, 333])) as ArrayRef),
        ("name", Arc::new(StringArray::from(vec![Some("a,\"b\""), None, Some("猫\n")]))),
        ("price", Arc::new(price)),
        ("at", Arc::new(TimestampMillisecondArray::from(vec![Some(0), Some(1_500), None]))),
        ("tags", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]))),
    ])
    .unwrap()
}

fn written(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
    styled(format, Style::default(), batches)
}

fn styled(format: Format, style: Style, batches: &[RecordBatch]) -> Vec<u8> {
    let out = Shared::default();
    let mut writer = begin_on(out.clone(), format, &batches[0].schema(), style).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    let bytes = out.0.lock().unwrap();
    bytes.clone()
}

fn text(format: Format) -> String {
    String::from_utf8(written(format, &[batch()])).unwrap()
}

#[test]
fn a_table_is_aligned_and_shows_nulls() {
    let expected = "  id | name  | price | at                      | tags
-----+-------+-------+-------------------------+-----------
   1 | a,\"b\" | 12.50 | 1970-01-01 00:00:00.000 | [1, NULL]
  22 | NULL  |  NULL | 1970-01-01 00:00:01.500 | NULL
 333 | 猫\\n  | -0.05 | NULL                    | []
";
    assert_eq!(text(Format::Table), expected);
}

#[test]
fn a_narrow_terminal_gets_cut_texts_and_no_file_does() {
    let text = |width| {
        let style = Style { width, ..Style::default() };
        String::from_utf8(styled(Format::Table, style, &[batch()])).unwrap()
    };
    let cut = text(Some(50));
    assert!(cut.lines().all(|line| line.chars().count() <= 50) && cut.contains('\u{2026}'), "{cut}");
    // Numbers are whole.
    assert!(cut.contains(" 333 ") && cut.contains(" 12.50 "), "{cut}");
    assert_eq!(text(None), self::text(Format::Table));
    assert_eq!(text(Some(100)), self::text(Format::Table));
}

#[test]
fn a_wide_result_becomes_records_where_that_is_asked_for() {
    let shown = |expanded, width| {
        let style = Style { width: Some(width), expanded, ..Style::default() };
        String::from_utf8(styled(Format::Table, style, &[batch()])).unwrap()
    };
    let records = shown(Expanded::On, 200);
    assert!(records.starts_with("-[ record 1 ]\nid    | 1\nname  | a,\"b\"\nprice | 12.50\n"), "{records}");
    assert!(records.contains("-[ record 3 ]\n"));
    assert_eq!(shown(Expanded::Auto, 40), shown(Expanded::On, 40));
    assert_eq!(shown(Expanded::Auto, 200), shown(Expanded::Off, 200));
    let none = batch().slice(0, 0);
    let style = Style { expanded: Expanded::On, ..Style::default() };
    assert_eq!(styled(Format::Table, style, &[none]), b"(no rows)\n");
}

#[test]
fn colours_set_off_names_and_nulls() {
    let style = Style { is_colored: true, ..Style::default() };
    let colored = String::from_utf8(styled(Format::Table, style, &[batch()])).unwrap();
    assert!(colored.contains("\x1b[1mname\x1b[0m") && colored.contains("\x1b[2mNULL\x1b[0m"), "{colored:?}");
    assert_eq!(console::strip_ansi_codes(&colored), text(Format::Table));
    assert_eq!(styled(Format::Csv, style, &[batch()]), written(Format::Csv, &[batch()]));
}

#[test]
fn a_long_table_streams_with_one_header() {
    let wide = RecordBatch::try_from_iter([("v", Arc::new(Int64Array::from_iter_values(0..2_500)) as ArrayRef)]).unwrap();
    let text = String::from_utf8(written(Format::Table, &[wide])).unwrap();
    assert_eq!(text.lines().count(), 2_502);
    assert_eq!((text.lines().nth(2), text.lines().last()), (Some("   0"), Some(" 2499")));
}

#[test]
fn csv_tells_null_from_empty_and_quotes() {
    let expected = "id,name,price,at,tags\n1,\"a,\"\"b\"\"\",12.50,1970-01-01 00:00:00.000,\"[1, NULL]\"\n22,,,1970-01-01 00:00:01.500,\n\
                    333,\"猫\n\",-0.05,,[]\n";
    assert_eq!(text(Format::Csv), expected);
    let empty = RecordBatch::try_from_iter([("v", Arc::new(StringArray::from(vec![Some(""), None])) as ArrayRef)]).unwrap();
    assert_eq!(written(Format::Csv, &[empty]), b"v\n\"\"\n\n");
}

#[test]
fn json_is_one_object_a_line() {
    let text = text(Format::Json);
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["name"], &rows[1]["name"]), (&"a,\"b\"".into(), &serde_json::Value::Null));
    assert_eq!(rows[0]["tags"], serde_json::json!([1, null]));
}

#[test]
fn json_tells_what_is_no_number_from_null() {
    let values = vec![Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(1e300), Some(0.5), None];
    let list = ListArray::from_iter_primitive::<Float32Type, _, _>(values.iter().map(|_| Some(vec![Some(f32::NAN), None])));
    let batch =
        RecordBatch::try_from_iter([("v", Arc::new(Float64Array::from(values)) as ArrayRef), ("list", Arc::new(list))]).unwrap();
    let text = String::from_utf8(written(Format::Json, &[batch])).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = rows.iter().map(|row| row["v"].clone()).collect();
    assert_eq!(serde_json::json!(shown), serde_json::json!(["NaN", "Infinity", "-Infinity", 1e300, 0.5, null]));
    assert_eq!(rows[0]["list"], serde_json::json!(["NaN", null]));
}

#[test]
fn no_value_of_a_table_steers_the_terminal() {
    let values = StringArray::from(vec!["a\u{202E}b", "c\u{2066}d", "e\u{1b}f", "g"]);
    let batch = RecordBatch::try_from_iter([("v", Arc::new(values) as ArrayRef)]).unwrap();
    let text = String::from_utf8(written(Format::Table, &[batch])).unwrap();
    let shown: Vec<_> = text.lines().skip(2).map(str::trim).collect();
    assert_eq!(shown, ["a\\u{202e}b", "c\\u{2066}d", "e\\u{1b}f", "g"]);
}

#[test]
fn binary_forms_read_back_as_they_were() {
    let arrow = written(Format::Arrow, &[batch()]);
    let read: Vec<_> = StreamReader::try_new(arrow.as_slice(), None).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, [batch()]);
    let file = bytes::Bytes::from(written(Format::Parquet, &[batch()]));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), [batch()]);
}

#[test]
fn a_closed_reader_is_told_from_other_failures() {
    for format in [Format::Table, Format::Csv, Format::Json, Format::Parquet, Format::Arrow] {
        let result = begin_on(Closed, format, &batch().schema(), Style::default()).and_then(|mut writer| {
            writer.write(&batch())?;
            writer.finish()
        });
        assert!(is_broken_pipe(&result.unwrap_err()), "{format:?}");
    }
    assert!(!is_broken_pipe(&Error::internal("x")));
}

#[test]
fn a_result_without_columns_writes_nothing() {
    for format in [Format::Table, Format::Parquet, Format::Arrow] {
        let out = Shared::default();
        begin_on(out.clone(), format, &Arc::new(Schema::empty()), Style::default()).unwrap().finish().unwrap();
        assert!(out.0.lock().unwrap().is_empty());
    }
}
