//! Results of statements: rows of text under the columns that Hive and Athena give them.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::{
    error::{Error, Result},
    sql::{Answer, Statement},
};

/// A row; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

/// A row without NULLs.
pub(super) fn row<const N: usize>(values: [&str; N]) -> Row {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

pub(super) fn schema(statement: &Statement) -> SchemaRef {
    let names: &[&str] = match statement.nature().answer {
        Answer::Text(names) => names,
        // The schema of a query is found by planning it.
        Answer::Nothing | Answer::Rows | Answer::Plan => &[],
    };
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

/// The rows as one batch, in their order.
pub(super) fn batch(schema: &SchemaRef, rows: Vec<Row>) -> Result<RecordBatch> {
    let mut columns: Vec<Vec<Option<String>>> = schema.fields().iter().map(|_| Vec::with_capacity(rows.len())).collect();
    let count = if columns.is_empty() { 0 } else { rows.len() };
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let arrays = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|error| Error::internal("a statement's rows do not fit its columns").with_source(error))
}
