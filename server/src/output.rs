//! Results on standard output, one form a file: `table` for people, `csv` and `json` line by line, `arrow` and `parquet` in binary.
//!
//! Every form streams: what is written is a batch or a chunk of rows, never a whole result in memory (Parquet keeps a row group).

mod arrow;
mod cell;
mod csv;
mod json;
mod parquet;
pub(crate) mod table;

use std::io::{self, IsTerminal, Write};

use ::arrow::{array::RecordBatch, datatypes::SchemaRef};
use clap::ValueEnum;
use glaux_engine::{Error, ErrorKind, Result};

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

    /// # Errors
    /// `Invalid` for a binary form on a terminal.
    pub(crate) fn check_terminal(self) -> Result<()> {
        if self.is_binary() && io::stdout().is_terminal() {
            let name = self.name();
            return Err(Error::invalid(format!("a terminal cannot show the binary format \"{name}\""))
                .with_hint(format!("Send it to a file: `glaux sql ... --format {name} > result.{name}`")));
        }
        Ok(())
    }
}

/// Takes the batches of one result and writes them.
pub(crate) trait ResultWriter {
    /// # Errors
    /// As [`ResultWriter::finish`].
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what is still held back and ends the result.
    ///
    /// # Errors
    /// [`is_broken_pipe`] if the reader went away; otherwise what the output's file system says.
    fn finish(&mut self) -> Result<()>;
}

/// Begins a result on standard output. A result without columns writes nothing in any form.
///
/// # Errors
/// As [`ResultWriter::finish`].
pub(crate) fn begin(format: Format, schema: &SchemaRef) -> Result<Box<dyn ResultWriter>> {
    begin_on(io::stdout(), format, schema)
}

fn begin_on(out: impl Write + Send + 'static, format: Format, schema: &SchemaRef) -> Result<Box<dyn ResultWriter>> {
    if schema.fields().is_empty() {
        return Ok(Box::new(Nothing));
    }
    let out = io::BufWriter::with_capacity(64 << 10, out);
    Ok(match format {
        Format::Table => Box::new(table::TableWriter::new(out, schema)),
        Format::Csv => Box::new(csv::CsvWriter::new(out, schema)?),
        Format::Json => Box::new(json::JsonWriter::new(out)),
        Format::Parquet => Box::new(parquet::ParquetWriter::new(out, schema)?),
        Format::Arrow => Box::new(arrow::ArrowWriter::new(out, schema)?),
    })
}

/// The writer of a result without columns.
struct Nothing;

impl ResultWriter for Nothing {
    fn write(&mut self, _: &RecordBatch) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An error of standard output.
fn write_error(error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::StorageFull { ErrorKind::LimitExceeded } else { ErrorKind::Unavailable };
    Error::new(kind, "cannot write to standard output").with_source(error)
}

/// An error of an Arrow writer, with the output's own error brought to the top.
fn arrow_error(error: ::arrow::error::ArrowError) -> Error {
    match error {
        ::arrow::error::ArrowError::IoError(_, error) => write_error(error),
        other => Error::internal("cannot write the result").with_source(other),
    }
}

/// Whether the reader of standard output went away, which is no failure: `glaux sql ... | head`.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        next = source.source();
    }
    false
}

#[cfg(test)]
mod tests;
