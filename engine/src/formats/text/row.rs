//! What rows of both SerDes share: a column that is wanted, and a field that is no value of it.

use arrow::datatypes::DataType;
use glaux_catalog::HiveType;

use crate::error::Error;

/// A column that is read; others are not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextColumn {
    /// Its field's place in a line, from 0.
    pub(crate) position: usize,
    pub(crate) name: String,
    pub(crate) hive_type: HiveType,
}

/// A field that its column does not take and that is not NULL.
#[derive(Debug)]
pub(super) struct BadField {
    /// The column's place among those wanted.
    pub column: usize,
    pub text: Vec<u8>,
}

/// A column that no planning lets come here.
pub(super) fn unreadable(column: &TextColumn, data_type: &DataType) -> Error {
    Error::internal(format!("column \"{}\" of type \"{}\" cannot be read as {data_type}", column.name, column.hive_type))
}
