//! The forms that a result can have.

use std::path::Path;

use clap::ValueEnum;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// Comma-separated values with a header line; NULL is empty, an empty string is ""
    Csv,
    /// One JSON object a row, one row a line; NaN and infinities are text
    Json,
    /// A Parquet file
    Parquet,
    /// An Arrow IPC stream
    Arrow,
}

impl Format {
    /// The form that a file's name asks for by its ending.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        Some(match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Self::Csv,
            "json" | "jsonl" | "ndjson" => Self::Json,
            "parquet" => Self::Parquet,
            "arrow" | "arrows" => Self::Arrow,
            _ => return None,
        })
    }

    /// Whether the form is binary and holds exactly one result.
    pub(crate) const fn is_binary(self) -> bool {
        match self {
            Self::Parquet | Self::Arrow => true,
            Self::Table | Self::Csv | Self::Json => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}
