//! Writes Parquet files: rows are encoded in memory, a row group at a time.

use std::{fmt, sync::Arc};

use arrow::{
    array::RecordBatch,
    datatypes::{FieldRef, Schema, SchemaRef},
};
use bytes::Bytes;
use glaux_catalog::format::FileFormat;
use parquet::{
    arrow::{ArrowSchemaConverter, ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use crate::{
    error::{Error, Result},
    formats::output::{FileWriter, OutputFormat},
};

/// How Parquet files are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetOptions {
    /// The level of zstd, 1 to 22.
    pub zstd_level: i32,
    pub row_group_rows: usize,
    /// Bytes of a page before compression.
    pub page_bytes: usize,
    /// A file that has grown beyond this is ended, and the next one begun.
    pub target_file_bytes: usize,
    /// Columns whose values hardly repeat, for which a dictionary would only add bytes.
    pub plain_columns: Vec<String>,
    /// Whether the schema is kept in Arrow's words too, so that Arrow's readers get back types that Parquet does not tell apart.
    pub arrow_schema: bool,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            zstd_level: 3,
            row_group_rows: 1 << 20,
            page_bytes: 1 << 20,
            target_file_bytes: 256 << 20,
            plain_columns: Vec::new(),
            arrow_schema: true,
        }
    }
}

impl ParquetOptions {
    /// Of files that are added to a table of the catalog, for readers of all kinds.
    pub(crate) fn of_table() -> Self {
        Self { target_file_bytes: 128 << 20, arrow_schema: false, ..Self::default() }
    }

    /// # Errors
    /// `Invalid` for a level that zstd does not have.
    fn properties(&self) -> Result<WriterProperties> {
        let level = ZstdLevel::try_new(self.zstd_level)
            .map_err(|error| Error::invalid(format!("\"{}\" is not a zstd level", self.zstd_level)).with_source(error))?;
        let mut builder = WriterProperties::builder()
            .set_created_by(concat!("glaux ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(self.row_group_rows.max(1)))
            .set_data_page_size_limit(self.page_bytes);
        for column in &self.plain_columns {
            builder = builder.set_column_dictionary_enabled(ColumnPath::new(vec![column.clone()]), false);
        }
        Ok(builder.build())
    }
}

/// Writes Parquet files.
#[derive(Debug)]
pub(crate) struct ParquetOutput {
    properties: WriterProperties,
    arrow_schema: bool,
    target_file_bytes: usize,
    ending: String,
}

impl ParquetOutput {
    /// # Errors
    /// `Invalid` for options that make no sense.
    pub(crate) fn new(options: &ParquetOptions) -> Result<Self> {
        Ok(Self {
            properties: options.properties()?,
            arrow_schema: options.arrow_schema,
            target_file_bytes: options.target_file_bytes,
            ending: format!(".{}", FileFormat::Parquet.ending()),
        })
    }
}

impl OutputFormat for ParquetOutput {
    fn ending(&self) -> &str {
        &self.ending
    }

    fn target_file_bytes(&self) -> usize {
        self.target_file_bytes
    }

    fn begin(&self, schema: &SchemaRef) -> Result<Box<dyn FileWriter>> {
        let settings =
            ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(!self.arrow_schema);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), settings);
        Ok(Box::new(ParquetWriter(writer.map_err(|error| refused(error, schema))?)))
    }
}

/// A Parquet file that is being written. The bytes of a row group are ready when it is full.
struct ParquetWriter(ArrowWriter<Vec<u8>>);

impl fmt::Debug for ParquetWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParquetWriter")
    }
}

impl FileWriter for ParquetWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.0.write(rows).map_err(|error| refused(error, &rows.schema()))
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(internal)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map(drop).map_err(internal)
    }

    fn take(&mut self) -> Bytes {
        std::mem::take(self.0.inner_mut()).into()
    }

    fn memory_size(&self) -> usize {
        self.0.memory_size()
    }

    fn size(&self) -> usize {
        self.0.bytes_written() + self.0.in_progress_size()
    }
}

/// Names the column of which Parquet has no form, if that is the reason.
fn refused(error: ParquetError, schema: &Schema) -> Error {
    let is_unknown = |field: &&FieldRef| ArrowSchemaConverter::new().convert(&Schema::new(vec![Arc::clone(field)])).is_err();
    match schema.fields().iter().find(is_unknown) {
        Some(field) => Error::unsupported(format!(
            "a Parquet file cannot hold column \"{}\" of type \"{}\"",
            field.name(),
            field.data_type()
        ))
        .with_hint("Cast the column to another type")
        .with_source(error),
        None => internal(error),
    }
}

fn internal(error: ParquetError) -> Error {
    Error::internal("rows cannot be encoded as Parquet").with_source(error)
}
