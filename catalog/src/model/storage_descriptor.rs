//! The location and encoding of a table's data: Glue's `StorageDescriptor`.

use serde::{Deserialize, Serialize};

use super::{Column, Properties};

/// The class that reads and writes rows, with its properties.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SerDe {
    /// The Java class name, as in `ROW FORMAT SERDE`.
    pub library: String,
    /// `SERDEPROPERTIES`.
    pub properties: Properties,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StorageDescriptor {
    /// The data columns, without the partition keys.
    pub columns: Vec<Column>,
    /// A URL (`s3://bucket/prefix/`, `file:///folder/`); empty for views.
    pub location: String,
    pub input_format: String,
    pub output_format: String,
    pub serde: SerDe,
    /// `CLUSTERED BY`. Stored and shown, but not used.
    #[serde(default)]
    pub bucket_columns: Vec<String>,
    #[serde(default)]
    pub bucket_count: Option<u32>,
}

/// The format of data files, as far as the engine distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableFormat {
    Parquet,
    Orc,
    Avro,
    Json,
    Text,
    Csv,
    Other,
}

impl StorageDescriptor {
    /// The format, from the SerDe and input format's class names.
    #[must_use]
    pub fn format(&self) -> TableFormat {
        let serde = self.serde.library.to_ascii_lowercase();
        let input = self.input_format.to_ascii_lowercase();
        let has = |needle: &str| serde.contains(needle) || input.contains(needle);
        if has("parquet") {
            TableFormat::Parquet
        } else if has("orc") {
            TableFormat::Orc
        } else if has("avro") {
            TableFormat::Avro
        } else if serde.contains("json") {
            TableFormat::Json
        } else if serde.contains("opencsv") {
            TableFormat::Csv
        } else if serde.contains("lazysimple") && input.contains("textinputformat") {
            TableFormat::Text
        } else {
            TableFormat::Other
        }
    }
}
