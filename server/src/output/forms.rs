//! From a form to what writes it.

use std::io::{BufWriter, Write};

use arrow::datatypes::SchemaRef;
use glaux_engine::Result;

use super::{
    arrow::ArrowWriter,
    csv::CsvWriter,
    format::Format,
    json::JsonWriter,
    parquet::ParquetWriter,
    style::Style,
    table::TableWriter,
    writer::{Nothing, ResultWriter},
};

/// Begins a result. One without columns writes nothing in any form.
///
/// # Errors
/// As [`ResultWriter::finish`].
pub(super) fn begin_on(
    out: impl Write + Send + 'static,
    format: Format,
    schema: &SchemaRef,
    style: Style,
) -> Result<Box<dyn ResultWriter>> {
    if schema.fields().is_empty() {
        return Ok(Box::new(Nothing));
    }
    let out = BufWriter::with_capacity(64 << 10, out);
    Ok(match format {
        Format::Table => Box::new(TableWriter::new(out, schema, style)),
        Format::Csv => Box::new(CsvWriter::new(out, schema)?),
        Format::Json => Box::new(JsonWriter::new(out)),
        Format::Parquet => Box::new(ParquetWriter::new(out, schema)?),
        Format::Arrow => Box::new(ArrowWriter::new(out, schema)?),
    })
}
