//! What a table says of the lines of its files.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema, SchemaRef},
};
use glaux_catalog::model::Column;

use super::columns::{Tolerance, Values};
use crate::{
    error::{Error, Result},
    formats::text::{
        options::{TextOptions, TextSerDe},
        row::TextColumn,
    },
};

/// The columns of lines, and how they are written and read.
#[derive(Debug)]
pub(super) struct Layout {
    pub options: Arc<TextOptions>,
    pub columns: Arc<[TextColumn]>,
    /// Of the columns as they are read.
    pub schema: SchemaRef,
    pub tolerance: Tolerance,
}

impl Layout {
    pub(super) fn new(options: TextOptions, columns: &[Column]) -> Self {
        let tolerance = match &options.serde {
            TextSerDe::LazySimple(lazy) => Tolerance { null_is_empty: lazy.null.is_empty(), rounds_times: true },
            TextSerDe::OpenCsv(_) => Tolerance { null_is_empty: true, rounds_times: false },
        };
        let fields = columns.iter().map(|column| Field::new(&column.name, column.hive_type.to_arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = columns.iter().enumerate().map(|(position, column)| TextColumn {
            position,
            name: column.name.clone(),
            hive_type: column.hive_type.clone(),
        });
        Self { options: Arc::new(options), columns: columns.collect(), schema, tolerance }
    }

    /// The columns of a batch.
    ///
    /// # Errors
    /// `Internal` if it has other columns.
    pub(super) fn values<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<Values<'a>>> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::internal(format!("rows of {} columns come for {}", batch.num_columns(), self.columns.len())));
        }
        let values = self.columns.iter().zip(batch.columns()).map(|(column, array)| {
            Values::new(&column.hive_type, array.as_ref()).ok_or_else(|| {
                let (name, wanted, found) = (&column.name, &column.hive_type, array.data_type());
                Error::internal(format!("column \"{name}\" of type \"{wanted}\" cannot be written from {found}"))
            })
        });
        values.collect()
    }
}
