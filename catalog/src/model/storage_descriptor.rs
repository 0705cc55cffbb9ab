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
