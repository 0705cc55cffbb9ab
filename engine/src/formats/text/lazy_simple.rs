//! Rows of `LazySimpleSerDe`: fields between delimiters, of which those of the wanted columns are read.

use arrow::{array::ArrayRef, datatypes::Schema};

use super::{
    column::{Column, next_separator},
    options::LazyOptions,
    row::{BadField, TextColumn, unreadable},
};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct LazyRows {
    options: LazyOptions,
    /// In the order of fields.
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    /// Its field's place in a line.
    position: usize,
    /// Its place in the schema.
    index: usize,
    column: Column,
}

impl LazyRows {
    /// # Errors
    /// `Internal` if a column is none that [`super::TextOptions::check`] lets pass.
    pub(super) fn new(options: &LazyOptions, columns: &[TextColumn], schema: &Schema) -> Result<Self> {
        let wanted = columns.iter().zip(schema.fields()).enumerate().map(|(index, (column, field))| {
            let built = Column::new(&column.hive_type, field.data_type(), 1, &options.separators);
            let built = built.ok_or_else(|| unreadable(column, field.data_type()))?;
            Ok(Wanted { position: column.position, index, column: built })
        });
        let mut wanted = wanted.collect::<Result<Vec<_>>>()?;
        wanted.sort_by_key(|wanted| wanted.position);
        Ok(Self { options: options.clone(), wanted })
    }

    /// Adds a line as a row: missing fields are NULL, those beyond the columns are left out.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), BadField> {
        let Self { options, wanted } = self;
        let mut wanted = wanted.iter_mut().peekable();
        let (mut start, mut position) = (0, 0);
        while wanted.peek().is_some() {
            let takes_rest = options.takes_rest && position > 0 && position + 1 == options.columns;
            let end = if takes_rest {
                None
            } else {
                next_separator(line, start..line.len(), options.separators[0], options.escape, usize::MAX)
            };
            let field = start..end.unwrap_or(line.len());
            while let Some(column) = wanted.next_if(|wanted| wanted.position == position) {
                column
                    .column
                    .append(line, field.clone(), options)
                    .map_err(|_| BadField { column: column.index, text: line[field.clone()].to_vec() })?;
            }
            let Some(end) = end else { break };
            start = end + 1;
            position += 1;
        }
        for missing in wanted {
            missing.column.append_null();
        }
        Ok(())
    }

    /// The columns so far, in the order of the schema.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(self.wanted.len());
        for wanted in &mut self.wanted {
            let values = wanted.column.finish().map_err(|error| Error::internal(error.to_string()))?;
            columns.push((wanted.index, values));
        }
        columns.sort_by_key(|(index, _)| *index);
        Ok(columns.into_iter().map(|(_, values)| values).collect())
    }
}
