//! A row of a crawl's result: one difference between the lake and the catalog, and what was done about it.

use std::{fmt, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::{
    error::{Error, Result},
    sql::CRAWL_COLUMNS,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Change {
    /// The lake has it and the catalog has not.
    New,
    /// Both have it, of another type or format.
    Changed,
    /// The catalog has it and the lake has not.
    Missing,
    /// It cannot be one thing.
    Conflict,
    /// It is in the lake and is not used.
    #[default]
    Ignored,
    /// They agree.
    None,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Ignored => "ignored",
            Self::None => "none",
        })
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Difference {
    /// Empty where it is of no table.
    pub table: String,
    /// `table`, `column`, `partitions`, `key`, `folder`, `files`, `file`.
    pub object: &'static str,
    pub name: String,
    pub change: Change,
    /// What the catalog says.
    pub catalog: Option<String>,
    /// What the lake says.
    pub found: Option<String>,
    /// What was done: `created`, `added`, `changed`, `dropped`, or `logged`.
    pub action: Option<&'static str>,
    pub detail: String,
}

/// The schema of a crawl's answer.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(CRAWL_COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)).to_vec()))
}

pub(super) fn batch(differences: &[Difference]) -> Result<RecordBatch> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let rows = differences.iter().map(|difference| {
        [
            some(&difference.table),
            some(difference.object),
            some(&difference.name),
            some(&difference.change.to_string()),
            difference.catalog.as_deref().and_then(some),
            difference.found.as_deref().and_then(some),
            difference.action.and_then(some),
            some(&difference.detail),
        ]
    });
    let mut columns: [Vec<Option<String>>; 8] = Default::default();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let arrays = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    RecordBatch::try_new(schema(), arrays).map_err(|error| Error::internal("differences do not form a batch").with_source(error))
}
