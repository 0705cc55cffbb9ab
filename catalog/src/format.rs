//! The one table of what means a format: the names of `STORED AS`, Hive's classes, the endings and first bytes of files, and Glue's classification.

use std::fmt;

use crate::model::StorageDescriptor;

/// The formats of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileFormat {
    Parquet,
    /// Text between delimiters, without quotes: `LazySimpleSerDe`.
    Text,
    /// Text between delimiters, in quotes: `OpenCSVSerde`.
    Csv,
    /// Hive's reader of JSON.
    Json,
    /// OpenX's reader of JSON.
    OpenXJson,
    Orc,
    Avro,
    SequenceFile,
    RcFile,
    Ion,
}

/// What stands for a format.
#[derive(Debug)]
pub struct Classes {
    pub format: FileFormat,
    /// The name that `STORED AS` takes; none for those that only a SerDe's class names.
    pub stored_as: Option<&'static str>,
    pub serde: &'static str,
    pub input: &'static str,
    pub output: &'static str,
    /// Glue's name for it.
    pub classification: &'static str,
    /// The endings of files' names.
    endings: &'static [&'static str],
    /// What files begin with.
    magic: Option<&'static [u8]>,
}

const TEXT_INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
const TEXT_OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
const LAZY_SIMPLE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";

/// All formats. `STORED AS` finds the first of a name, a class the first of that class.
const FORMATS: &[Classes] = &[
    Classes {
        format: FileFormat::Parquet,
        stored_as: Some("PARQUET"),
        serde: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        input: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        output: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        classification: "parquet",
        endings: &["parquet", "parq", "pq"],
        magic: Some(b"PAR1"),
    },
    Classes {
        format: FileFormat::Text,
        stored_as: Some("TEXTFILE"),
        serde: LAZY_SIMPLE,
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        classification: "csv",
        endings: &[],
        magic: None,
    },
    Classes {
        format: FileFormat::Csv,
        stored_as: None,
        serde: "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        classification: "csv",
        endings: &["csv", "tsv", "psv"],
        magic: None,
    },
    Classes {
        format: FileFormat::Json,
        stored_as: Some("JSONFILE"),
        serde: "org.apache.hive.hcatalog.data.JsonSerDe",
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        classification: "json",
        endings: &[],
        magic: None,
    },
    Classes {
        format: FileFormat::OpenXJson,
        stored_as: None,
        serde: "org.openx.data.jsonserde.JsonSerDe",
        input: TEXT_INPUT,
        output: TEXT_OUTPUT,
        classification: "json",
        endings: &["json", "jsonl", "ndjson"],
        magic: None,
    },
    Classes {
        format: FileFormat::Orc,
        stored_as: Some("ORC"),
        serde: "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        input: "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        output: "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        classification: "orc",
        endings: &["orc"],
        magic: Some(b"ORC"),
    },
    Classes {
        format: FileFormat::Avro,
        stored_as: Some("AVRO"),
        serde: "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        input: "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        output: "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        classification: "avro",
        endings: &["avro"],
        magic: Some(b"Obj\x01"),
    },
    Classes {
        format: FileFormat::SequenceFile,
        stored_as: Some("SEQUENCEFILE"),
        serde: LAZY_SIMPLE,
        input: "org.apache.hadoop.mapred.SequenceFileInputFormat",
        output: "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
        classification: "sequencefile",
        endings: &[],
        magic: Some(b"SEQ"),
    },
    Classes {
        format: FileFormat::RcFile,
        stored_as: Some("RCFILE"),
        serde: "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
        input: "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
        output: "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
        classification: "rcfile",
        endings: &[],
        magic: Some(b"RCF"),
    },
    Classes {
        format: FileFormat::Ion,
        stored_as: Some("ION"),
        serde: "com.amazon.ionhiveserde.IonHiveSerDe",
        input: "com.amazon.ionhiveserde.formats.IonInputFormat",
        output: "com.amazon.ionhiveserde.formats.IonOutputFormat",
        classification: "ion",
        endings: &["ion"],
        magic: None,
    },
];

/// The classes that a name of `STORED AS` stands for.
#[must_use]
pub fn stored_as(name: &str) -> Option<&'static Classes> {
    FORMATS.iter().find(|classes| classes.stored_as == Some(name))
}

impl FileFormat {
    /// What stands for it.
    #[must_use]
    pub fn classes(self) -> &'static Classes {
        // Each format is in the table: a test says so.
        FORMATS.iter().find(|classes| classes.format == self).unwrap_or(&FORMATS[0])
    }

    /// The usual ending of its files' names; empty if there is none.
    #[must_use]
    pub fn ending(self) -> &'static str {
        self.classes().endings.first().copied().unwrap_or_default()
    }

    /// The format of a table, by its SerDe and input format; `None` if nothing here goes by these classes.
    #[must_use]
    pub fn of(storage: &StorageDescriptor) -> Option<Self> {
        let is = |class: &str, known: &str| class.eq_ignore_ascii_case(known);
        let (serde, input) = (storage.serde.library.as_str(), storage.input_format.as_str());
        let both = FORMATS.iter().find(|classes| is(serde, classes.serde) && is(input, classes.input));
        // A container is read by its own reader, whatever its SerDe is called; what is no container is text, which the SerDe takes apart.
        let by_input = || FORMATS.iter().find(|classes| classes.input != TEXT_INPUT && is(input, classes.input));
        let by_serde = || FORMATS.iter().find(|classes| classes.serde != LAZY_SIMPLE && is(serde, classes.serde));
        let found = both.or_else(by_input).or_else(|| by_serde().filter(|_| input.is_empty() || is(input, TEXT_INPUT)));
        // Older names of the same classes.
        found.map(|classes| classes.format).or_else(|| {
            let has = |needle: &str| serde.to_ascii_lowercase().contains(needle) && !is(input, TEXT_INPUT);
            [("parquet", Self::Parquet), ("orc", Self::Orc), ("avro", Self::Avro)]
                .into_iter()
                .find(|(needle, _)| has(needle))
                .map(|(_, format)| format)
        })
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.classes().classification)
    }
}

/// Whether a file is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    None,
    Gzip,
    /// Zlib, as Hadoop's `DefaultCodec` writes it.
    Deflate,
    Zstd,
    /// One that is not read.
    Other,
}

impl Compression {
    /// By the last ending of a name, in lower case.
    fn of_ending(ending: &str) -> Self {
        match ending {
            "gz" | "gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "zst" | "zstd" => Self::Zstd,
            "bz2" | "snappy" | "lz4" | "lzo" | "xz" => Self::Other,
            _ => Self::None,
        }
    }

    /// By a file's name.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        Self::of_ending(&last_ending(name).1)
    }
}

/// What a file's name, or its first bytes, tell: its format, if they do, and whether it is compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    pub format: Option<FileFormat>,
    pub compression: Compression,
}

/// By the endings: `part-0.csv.gz`.
#[must_use]
pub fn kind_of_name(name: &str) -> Kind {
    let (rest, last) = last_ending(name);
    let compression = Compression::of_ending(&last);
    let ending = if compression == Compression::None { last } else { last_ending(rest).1 };
    let format = FORMATS.iter().find(|classes| classes.endings.contains(&ending.as_str()));
    // A container compresses within.
    let is_container = format.is_some_and(|classes| classes.magic.is_some());
    let compression = if is_container { Compression::None } else { compression };
    Kind { format: format.map(|classes| classes.format), compression }
}

/// The name without its last ending, and that, in lower case; empty if it has none.
fn last_ending(name: &str) -> (&str, String) {
    match name.rsplit_once('.') {
        Some((rest, ending)) => (rest, ending.to_ascii_lowercase()),
        None => (name, String::new()),
    }
}

/// By the first bytes of a file whose name tells nothing.
#[must_use]
pub fn kind_of_bytes(bytes: &[u8]) -> Kind {
    let compression = if bytes.starts_with(&[0x1f, 0x8b]) { Compression::Gzip } else { Compression::None };
    let format = FORMATS.iter().find(|classes| classes.magic.is_some_and(|magic| bytes.starts_with(magic)));
    Kind { format: format.map(|classes| classes.format), compression }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        for (name, format, compression) in [
            ("a.parquet", Some(FileFormat::Parquet), Compression::None),
            ("part-0.snappy.parquet", Some(FileFormat::Parquet), Compression::None),
            ("A.CSV.GZ", Some(FileFormat::Csv), Compression::Gzip),
            ("x.jsonl.zst", Some(FileFormat::OpenXJson), Compression::Zstd),
            ("x.jsonl.bz2", Some(FileFormat::OpenXJson), Compression::Other),
            ("part-00000", None, Compression::None),
            ("log.gz", None, Compression::Gzip),
            ("parquet", None, Compression::None),
        ] {
            assert_eq!(kind_of_name(name), Kind { format, compression }, "{name}");
        }
    }

    #[test]
    fn classes_tell_formats() {
        let of = |serde: &str, input: &str| {
            let mut storage = StorageDescriptor { input_format: input.to_owned(), ..StorageDescriptor::default() };
            storage.serde.library = serde.to_owned();
            FileFormat::of(&storage)
        };
        for classes in FORMATS {
            assert_eq!(of(classes.serde, classes.input), Some(classes.format));
            assert_eq!(classes.format.classes().format, classes.format);
        }
        assert_eq!(
            of("parquet.hive.serde.ParquetHiveSerDe", "parquet.hive.DeprecatedParquetInputFormat"),
            Some(FileFormat::Parquet)
        );
        assert_eq!(of("org.apache.hadoop.hive.serde2.RegexSerDe", TEXT_INPUT), None);
        assert_eq!(of("org.apache.hadoop.hive.ql.io.orc.OrcSerde", TEXT_INPUT), Some(FileFormat::Orc));
        assert_eq!(of(LAZY_SIMPLE, "com.example.Input"), None);
    }
}
