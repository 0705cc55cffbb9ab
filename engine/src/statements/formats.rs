//! The classes that `STORED AS` and `ROW FORMAT` stand for, as Hive and Glue record them.

use glaux_catalog::model::{Properties, SerDe};

use crate::{
    error::{Error, Result},
    sql::{CreateTable, Delimited, RowFormat, StoredAs},
};

const LAZY_SIMPLE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

/// A format's name, and the classes of its SerDe, its input format and its output format.
const FORMATS: &[(&str, &str, &str, &str)] = &[
    ("TEXTFILE", LAZY_SIMPLE, TEXT_INPUT, TEXT_OUTPUT),
    (
        "SEQUENCEFILE",
        LAZY_SIMPLE,
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
    ),
    (
        "RCFILE",
        "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
        "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
    ),
    (
        "ORC",
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    ),
    (
        "PARQUET",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    (
        "AVRO",
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    ),
    (
        "ION",
        "com.amazon.ionhiveserde.IonHiveSerDe",
        "com.amazon.ionhiveserde.formats.IonInputFormat",
        "com.amazon.ionhiveserde.formats.IonOutputFormat",
    ),
    ("JSONFILE", "org.apache.hive.hcatalog.data.JsonSerDe", TEXT_INPUT, TEXT_OUTPUT),
];

/// How a table's files are read: SerDe with its properties, input format, output format.
pub(super) struct Classes {
    pub serde: SerDe,
    pub input_format: String,
    pub output_format: String,
}

/// What a `CREATE EXTERNAL TABLE` says about its files. Without `STORED AS`, they are text.
///
/// # Errors
/// `Invalid` for `ROW FORMAT DELIMITED` with a format that has no delimiters, as in Hive.
pub(super) fn classes(create: &CreateTable) -> Result<Classes> {
    let (name, serde, input_format, output_format) = match &create.stored_as {
        Some(StoredAs::Classes { input, output }) => ("INPUTFORMAT", LAZY_SIMPLE, input.as_str(), output.as_str()),
        Some(StoredAs::Format(name)) => *FORMATS.iter().find(|format| format.0 == name).ok_or_else(|| {
            Error::unsupported(format!("format \"{name}\" is not supported")).with_hint("Write STORED AS PARQUET")
        })?,
        None => FORMATS[0],
    };
    let mut properties = Properties::new();
    let library = match &create.row_format {
        Some(RowFormat::SerDe(class)) => class.as_str(),
        Some(RowFormat::Delimited(delimited)) => {
            if serde != LAZY_SIMPLE {
                return Err(Error::invalid(format!("ROW FORMAT DELIMITED does not go with STORED AS {name}"))
                    .with_hint("Leave ROW FORMAT out, or write STORED AS TEXTFILE"));
            }
            delimiters(delimited, &mut properties);
            serde
        }
        None => serde,
    };
    properties.entry("serialization.format".to_owned()).or_insert_with(|| "1".to_owned());
    properties.extend(create.serde_properties.clone());
    Ok(Classes {
        serde: SerDe { library: library.to_owned(), properties },
        input_format: input_format.to_owned(),
        output_format: output_format.to_owned(),
    })
}

/// The properties of `LazySimpleSerDe` for the clauses of `ROW FORMAT DELIMITED`.
fn delimiters(delimited: &Delimited, properties: &mut Properties) {
    for (key, value) in [
        ("field.delim", &delimited.fields),
        ("serialization.format", &delimited.fields),
        ("escape.delim", &delimited.escaped),
        ("collection.delim", &delimited.collection_items),
        ("mapkey.delim", &delimited.map_keys),
        ("line.delim", &delimited.lines),
        ("serialization.null.format", &delimited.null),
    ] {
        if let Some(value) = value {
            properties.insert(key.to_owned(), value.clone());
        }
    }
}
