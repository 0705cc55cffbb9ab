//! Columns of `OpenCSVSerde` with other types than strings, which Athena has and Trino has not; and what cannot be read at all.

use arrow::util::pretty::pretty_format_batches;
use glaux_catalog::model::Properties;

use super::{LAZY_SIMPLE, OPEN_CSV, Table};
use crate::{
    error::{Error, ErrorKind},
    formats::text::options::TextOptions,
};

const TYPED: [(&str, &str); 7] =
    [("s", "string"), ("b", "boolean"), ("i", "int"), ("l", "bigint"), ("d", "double"), ("t", "timestamp"), ("y", "date")];

#[test]
fn athena_types_the_fields_of_csv() {
    let table = Table::new(OPEN_CSV, &TYPED, &[]).unwrap();
    let batches = table.read("f", b"x,true,1,\"-2\",1.5e1,1579059880000,18276\n\n,FALSE,-2147483648,9,.5,-1,-1\nz\n").unwrap();
    let shown = pretty_format_batches(&batches).unwrap().to_string();
    assert_eq!(
        shown.lines().skip(3).map(|line| line.replace(' ', "")).collect::<Vec<_>>()[..4],
        [
            "|x|true|1|-2|15.0|2020-01-15T03:44:40|2020-01-15|",
            "||||||||",
            "||false|-2147483648|9|0.5|1969-12-31T23:59:59.999|1969-12-31|",
            "|z|||||||",
        ]
    );
}

#[test]
fn a_field_of_csv_that_is_none_of_its_type_is_an_error() {
    for (line, message) in [
        ("x,yes", "column \"b\" of type \"boolean\" has the value \"yes\""),
        ("x,true,", "column \"i\" of type \"int\" has the value \"\""),
        ("x,true, 1", "column \"i\" of type \"int\" has the value \" 1\""),
        ("x,true,2147483648", "column \"i\" of type \"int\" has the value \"2147483648\""),
        ("x,true,1,1.0", "column \"l\" of type \"bigint\" has the value \"1.0\""),
        ("x,true,1,1,one", "column \"d\" of type \"double\" has the value \"one\""),
        ("x,true,1,1,1,2020-01-15 00:00:00", "column \"t\" of type \"timestamp\" has the value \"2020-01-15 00:00:00\""),
        ("x,true,1,1,1,1,2020-01-15", "column \"y\" of type \"date\" has the value \"2020-01-15\""),
    ] {
        let error = Table::new(OPEN_CSV, &TYPED, &[]).unwrap().read("f", format!("\n{line}\n").as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::CorruptData, message));
        assert_eq!(error.context(), [("line", "2".to_owned())]);
    }
    let long = format!("x,{}", "y".repeat(1000));
    let error = Table::new(OPEN_CSV, &TYPED, &[]).unwrap().read("f", long.as_bytes()).unwrap_err();
    assert!(error.message().ends_with("yyy...\"") && error.message().len() < 120, "{error}");
}

#[test]
fn only_wanted_columns_are_read() {
    let table = Table::new(OPEN_CSV, &TYPED, &[]).unwrap();
    let decoder = table.decoder(&[3, 0]).unwrap();
    let batches = super::decode(decoder, ["a,wrong,wrong,7,wrong\n".into()]).unwrap();
    let values = (batches[0].column(0).as_ref(), batches[0].column(1).as_ref());
    assert_eq!(arrow::util::display::array_value_to_string(values.0, 0).unwrap(), "7");
    assert_eq!(arrow::util::display::array_value_to_string(values.1, 0).unwrap(), "a");
}

fn refused(serde: &str, column: &str, properties: &[(&str, &str)]) -> (ErrorKind, String) {
    let table = Table::new(serde, &[("c", column)], properties);
    let error: Error = table.and_then(|table| table.decoder(&[0])).map(|_| ()).unwrap_err();
    (error.kind(), error.message().to_owned())
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    use ErrorKind::{Invalid, Unsupported};
    for (serde, column, property, kind, message) in [
        (OPEN_CSV, "float", ("", ""), Unsupported, "OpenCSVSerde does not read column \"c\" of type \"float\""),
        (OPEN_CSV, "array<int>", ("", ""), Unsupported, "OpenCSVSerde does not read column \"c\" of type \"array<int>\""),
        (OPEN_CSV, "string", ("separatorChar", ""), Invalid, "property \"separatorChar\" is empty"),
        (OPEN_CSV, "string", ("separatorChar", "é"), Unsupported, "property \"separatorChar\" cannot be \"é\""),
        (
            OPEN_CSV,
            "string",
            ("quoteChar", ","),
            Invalid,
            "properties \"separatorChar\" and \"quoteChar\" are the same character",
        ),
        (OPEN_CSV, "string", ("quoteChar", "\\"), Invalid, "properties \"quoteChar\" and \"escapeChar\" are the same character"),
        (OPEN_CSV, "string", ("separatorChar", "\0"), Invalid, "property \"separatorChar\" cannot be the null character"),
        (LAZY_SIMPLE, "string", ("field.delim", "…"), Unsupported, "property \"field.delim\" cannot be \"…\""),
        (LAZY_SIMPLE, "string", ("line.delim", ";"), Unsupported, "property \"line.delim\" cannot be \";\""),
        (
            LAZY_SIMPLE,
            "string",
            ("skip.header.line.count", "-1"),
            Invalid,
            "property \"skip.header.line.count\" is not a number of lines: \"-1\"",
        ),
        (
            LAZY_SIMPLE,
            "string",
            ("skip.footer.line.count", ""),
            Invalid,
            "property \"skip.footer.line.count\" is not a number of lines: \"\"",
        ),
        (
            LAZY_SIMPLE,
            "string",
            ("serialization.encoding", "ISO-8859-1"),
            Unsupported,
            "property \"serialization.encoding\" cannot be \"ISO-8859-1\"",
        ),
        (
            LAZY_SIMPLE,
            "timestamp",
            ("timestamp.formats", "dd/MM/yy"),
            Unsupported,
            "property \"timestamp.formats\" has the field \"yy\", which is not supported",
        ),
        (
            LAZY_SIMPLE,
            "timestamp",
            ("timestamp.formats", "yyyy-MM-ddX"),
            Invalid,
            "property \"timestamp.formats\" has the unknown pattern letter \"X\"",
        ),
        (
            LAZY_SIMPLE,
            "timestamp",
            ("timestamp.formats", "yyyy\\T"),
            Invalid,
            "property \"timestamp.formats\" has a backslash that escapes nothing",
        ),
    ] {
        let properties = [property];
        let properties = if property.0.is_empty() { &[][..] } else { &properties[..] };
        assert_eq!(refused(serde, column, properties), (kind, message.to_owned()));
    }
    let deep = "array<array<array<array<array<array<array<array<int>>>>>>>>";
    assert_eq!(refused(LAZY_SIMPLE, deep, &[]).0, Unsupported);
    Table::lazy(&[("c", deep)], &[("hive.serialization.extend.nesting.levels", "TRUE")]).decoder(&[0]).unwrap();
}

#[test]
fn properties_come_of_serde_and_table() {
    let storage = Table::lazy(&[("c", "string")], &[("field.delim", ",")]).storage;
    let of = |value: &str| {
        let properties = Properties::from([("field.delim".to_owned(), value.to_owned())]);
        TextOptions::of(&storage, &properties).map_err(|error| error.kind())
    };
    assert!(of(",").is_ok());
    assert_eq!(of(";"), Err(ErrorKind::Invalid));
    for (input, serde) in [
        ("org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat", LAZY_SIMPLE),
        ("org.apache.hadoop.mapred.SequenceFileInputFormat", OPEN_CSV),
        ("org.apache.hadoop.mapred.TextInputFormat", "org.apache.hive.hcatalog.data.JsonSerDe"),
    ] {
        let mut storage = storage.clone();
        storage.input_format = input.to_owned();
        storage.serde.library = serde.to_owned();
        assert_eq!(TextOptions::of(&storage, &Properties::new()).map_err(|error| error.kind()), Err(ErrorKind::Unsupported));
    }
}

#[test]
fn characters_of_csv_may_be_written_as_escapes() {
    for (separator, line) in [("\\u0001", "a\u{1}b"), ("\u{1}", "a\u{1}b"), (";x", "a;b"), ("\t", "a\tb")] {
        let table = Table::new(OPEN_CSV, &[("a", "string"), ("b", "string")], &[("separatorChar", separator)]).unwrap();
        let batches = table.read("f", line.as_bytes()).unwrap();
        assert_eq!(super::strings(&batches, 1), [Some("b".to_owned())], "{separator:?}");
    }
}
