//! What a file is, by its name and by its first bytes.

use std::fmt;

use glaux_catalog::model::{Properties, SerDe};

/// The formats that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Format {
    Parquet,
    Json,
    Csv,
    Orc,
    Avro,
    /// By its name, anything.
    Unknown,
}

/// What a file's name tells: its format, and whether it is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub format: Format,
    pub compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Compression {
    None,
    Gzip,
    /// One that is not read here.
    Other,
}

impl Kind {
    /// By the extensions: `part-0.csv.gz`.
    pub(super) fn of_name(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let mut parts = name.rsplit('.');
        let last = if name.contains('.') { parts.next().unwrap_or_default() } else { "" };
        let compression = match last {
            "gz" | "gzip" => Compression::Gzip,
            "bz2" | "zst" | "zstd" | "snappy" | "lz4" | "deflate" | "lzo" | "xz" => Compression::Other,
            _ => Compression::None,
        };
        let extension = if compression == Compression::None { last } else { parts.next().unwrap_or_default() };
        let format = match extension {
            "parquet" | "parq" | "pq" => Format::Parquet,
            "json" | "jsonl" | "ndjson" => Format::Json,
            "csv" | "tsv" | "psv" => Format::Csv,
            "orc" => Format::Orc,
            "avro" => Format::Avro,
            _ => Format::Unknown,
        };
        // Parquet and its like compress within.
        let within = matches!(format, Format::Parquet | Format::Orc | Format::Avro);
        Self { format, compression: if within { Compression::None } else { compression } }
    }

    /// What the first bytes of a file of unknown format say it is.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let compression = if bytes.starts_with(&[0x1f, 0x8b]) { Compression::Gzip } else { Compression::None };
        let format = if bytes.starts_with(b"PAR1") {
            Format::Parquet
        } else if bytes.starts_with(b"ORC") {
            Format::Orc
        } else if bytes.starts_with(b"Obj\x01") {
            Format::Avro
        } else {
            Format::Unknown
        };
        Self { format, compression }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "parquet",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Orc => "orc",
            Self::Avro => "avro",
            Self::Unknown => "unknown",
        })
    }
}

/// How a text file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Delimited {
    pub delimiter: char,
    /// Whether values stand in double quotes.
    pub is_quoted: bool,
    pub has_header: bool,
}

/// The classes by which a table's files are read, as Glue's crawler records them, and the properties of the table.
pub(super) struct Classes {
    pub serde: SerDe,
    pub input_format: &'static str,
    pub output_format: &'static str,
    pub table: Properties,
}

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";

/// The classes for a format; `None` for those whose columns are not read.
pub(super) fn classes(format: Format, compression: Compression, text: Option<Delimited>) -> Option<Classes> {
    let mut serde = Properties::from([("serialization.format".to_owned(), "1".to_owned())]);
    let mut table = Properties::from([("classification".to_owned(), format.to_string())]);
    let compressed = if compression == Compression::None { "none" } else { "gzip" };
    table.insert("compressionType".to_owned(), compressed.to_owned());
    let (library, input_format, output_format) = match format {
        Format::Parquet => (
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        ),
        Format::Json => ("org.openx.data.jsonserde.JsonSerDe", TEXT_INPUT, TEXT_OUTPUT),
        Format::Csv => {
            let text = text?;
            if text.has_header {
                table.insert("skip.header.line.count".to_owned(), "1".to_owned());
            }
            table.insert("delimiter".to_owned(), text.delimiter.to_string());
            let library = if text.is_quoted {
                serde.insert("separatorChar".to_owned(), text.delimiter.to_string());
                serde.insert("quoteChar".to_owned(), "\"".to_owned());
                "org.apache.hadoop.hive.serde2.OpenCSVSerde"
            } else {
                serde.insert("field.delim".to_owned(), text.delimiter.to_string());
                serde.insert("serialization.format".to_owned(), text.delimiter.to_string());
                "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
            };
            (library, TEXT_INPUT, TEXT_OUTPUT)
        }
        Format::Orc | Format::Avro | Format::Unknown => return None,
    };
    Some(Classes { serde: SerDe { library: library.to_owned(), properties: serde }, input_format, output_format, table })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        for (name, format, compression) in [
            ("a.parquet", Format::Parquet, Compression::None),
            ("part-0.snappy.parquet", Format::Parquet, Compression::None),
            ("A.CSV.GZ", Format::Csv, Compression::Gzip),
            ("x.jsonl.zst", Format::Json, Compression::Other),
            ("part-00000", Format::Unknown, Compression::None),
            ("log.gz", Format::Unknown, Compression::Gzip),
            ("parquet", Format::Unknown, Compression::None),
        ] {
            assert_eq!(Kind::of_name(name), Kind { format, compression }, "{name}");
        }
    }
}
