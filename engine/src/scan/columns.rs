//! What is known of the columns of a file before it is read.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// The least and greatest value of a column, and how many are NULL.
#[derive(Debug, Clone)]
pub(crate) struct ColumnRange {
    pub min: ScalarValue,
    pub max: ScalarValue,
    pub nulls: Option<u64>,
}

impl ColumnRange {
    /// That of both together.
    pub(crate) fn merge(&mut self, other: Self) {
        if other.min < self.min {
            self.min = other.min;
        }
        if other.max > self.max {
            self.max = other.max;
        }
        self.nulls = self.nulls.zip(other.nulls).map(|(one, other)| one + other);
    }
}

/// What is known of a file's columns that are neither nested nor floats, by name.
#[derive(Debug, Default)]
pub(crate) struct FileColumns(HashMap<String, ColumnRange>);

impl FromIterator<(String, ColumnRange)> for FileColumns {
    fn from_iter<I: IntoIterator<Item = (String, ColumnRange)>>(columns: I) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl FileColumns {
    /// What is known of a column of the table, in the table's type.
    pub(crate) fn column(&self, name: &str, data_type: &DataType) -> Option<ColumnRange> {
        let range = self.0.get(name)?;
        if range.min.data_type() == *data_type {
            return Some(range.clone());
        }
        let (min, max) = (range.min.cast_to(data_type).ok()?, range.max.cast_to(data_type).ok()?);
        (!min.is_null() && !max.is_null()).then_some(ColumnRange { min, max, nulls: range.nulls })
    }
}
