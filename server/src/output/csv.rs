//! `--format csv`: RFC 4180 with a header line and line feeds. NULL is an empty field, an empty string is `""`.

use std::io::Write;

use arrow::{
    array::{Array, RecordBatch},
    datatypes::SchemaRef,
};
use glaux_engine::Result;

use super::{
    cell,
    writer::{ResultWriter, arrow_error, write_error},
};

/// Writes a result as comma-separated values.
pub(super) struct CsvWriter<W> {
    out: W,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(mut out: W, schema: &SchemaRef) -> Result<Self> {
        let mut line = String::new();
        for (index, field) in schema.fields().iter().enumerate() {
            push_field(&mut line, index, field.name());
        }
        line.push('\n');
        out.write_all(line.as_bytes()).map_err(write_error)?;
        Ok(Self { out })
    }
}

impl<W: Write> ResultWriter for CsvWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let formatters = cell::formatters(batch)?;
        // Logical: a column that is NULL throughout may have no mask of its own.
        let nulls: Vec<_> = batch.columns().iter().map(|column| column.logical_nulls()).collect();
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            for (index, (formatter, nulls)) in formatters.iter().zip(&nulls).enumerate() {
                if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                    line.push_str(if index == 0 { "" } else { "," });
                } else {
                    push_field(&mut line, index, &formatter.value(row).try_to_string().map_err(arrow_error)?);
                }
            }
            line.push('\n');
            self.out.write_all(line.as_bytes()).map_err(write_error)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().map_err(write_error)
    }
}

/// Adds a field that is not NULL, quoted where it must be.
fn push_field(line: &mut String, index: usize, value: &str) {
    if index > 0 {
        line.push(',');
    }
    let spaced = value.starts_with(' ') || value.ends_with(' ');
    if value.is_empty() || spaced || value.contains([',', '"', '\n', '\r']) {
        line.push('"');
        line.push_str(&value.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(value);
    }
}
