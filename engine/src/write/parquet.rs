//! One Parquet file, encoded batch by batch and uploaded as its row groups fill.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use object_store::{ObjectStore, path::Path};
use parquet::{
    arrow::{AsyncArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};
use tokio::sync::Semaphore;

use super::upload::{Destination, PART_BYTES, Publishing, Upload};
use crate::{
    error::{Error, ErrorKind, Result},
    storage::from_store,
};

/// How table files are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Files are named `<prefix>-00000.parquet` and so on. A file of that name that already exists is replaced.
    pub file_prefix: String,
    /// The level of zstd, 1 to 22.
    pub zstd_level: i32,
    pub row_group_rows: usize,
    /// Bytes of a page before compression.
    pub page_bytes: usize,
    /// A file that has grown beyond this is ended, and the next one begun.
    pub target_file_bytes: usize,
    /// Columns whose values hardly repeat, for which a dictionary would only add bytes.
    pub plain_columns: Vec<String>,
    /// Files that are open at the same time; beyond it, the one that waited longest is ended.
    pub max_open_files: usize,
    /// Bytes of encoded rows in memory; beyond it, the largest open file ends its row group, or itself.
    pub memory_limit: usize,
    /// Whether the schema is kept in Arrow's words too, so that Arrow's readers get back types that Parquet does not tell apart.
    pub arrow_schema: bool,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            file_prefix: "part".to_owned(),
            zstd_level: 3,
            row_group_rows: 1 << 20,
            page_bytes: 1 << 20,
            target_file_bytes: 256 << 20,
            plain_columns: Vec::new(),
            max_open_files: 256,
            memory_limit: 512 << 20,
            arrow_schema: true,
        }
    }
}

impl WriteOptions {
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

/// A Parquet file that is being written. Dropped, it never appears, but parts that were sent may stay with the store until
/// [`ParquetFileWriter::abort`] removes them.
#[derive(Debug)]
pub struct ParquetFileWriter {
    path: Path,
    writer: Writer,
    rows: u64,
}

struct Writer(AsyncArrowWriter<Upload>);

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AsyncArrowWriter")
    }
}

/// Parts on their way of a file that shares this with no other.
const PARTS_IN_FLIGHT: usize = 4;

/// What became of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileSize {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) row_groups: usize,
}

impl ParquetFileWriter {
    /// Begins a file; nothing is sent yet.
    ///
    /// # Errors
    /// `Unsupported` if Parquet has no form for a column's type; `Invalid` for options that do not fit.
    pub fn create(store: Arc<dyn ObjectStore>, path: Path, schema: SchemaRef, options: &WriteOptions) -> Result<Self> {
        let slots = Arc::new(Semaphore::new(PARTS_IN_FLIGHT));
        Self::create_at(Destination { store, path, publishing: Publishing::Completion, slots }, schema, options)
    }

    /// The same, with how it gets there.
    pub(super) fn create_at(to: Destination, schema: SchemaRef, options: &WriteOptions) -> Result<Self> {
        let path = to.path.clone();
        let settings =
            ArrowWriterOptions::new().with_properties(options.properties()?).with_skip_arrow_metadata(!options.arrow_schema);
        let writer = AsyncArrowWriter::try_new_with_options(Upload::new(to), schema, settings);
        Ok(Self { writer: Writer(writer.map_err(|error| explain(error, &path))?), path, rows: 0 })
    }

    /// Adds rows; a row group that is full is sent.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.0.write(batch).await.map_err(|error| explain(error, &self.path))
    }

    /// Ends the row group early, which frees its memory.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn flush(&mut self) -> Result<()> {
        self.writer.0.flush().await.map_err(|error| explain(error, &self.path))
    }

    /// Bytes held in memory: of the row group that is being encoded, and of what does not make a part to be sent yet.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.writer.0.memory_size() + self.writer.0.bytes_written() % PART_BYTES
    }

    /// Bytes that the file has so far, with the row group in memory as encoded until now.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writer.0.bytes_written() + self.writer.0.in_progress_size()
    }

    /// Writes the footer. The file is complete, and appears when its upload is published.
    ///
    /// # Errors
    /// Those of the store. What was sent stays until [`ParquetFileWriter::abort`].
    pub(super) async fn seal(&mut self) -> Result<FileSize> {
        let metadata = self.writer.0.finish().await.map_err(|error| explain(error, &self.path))?;
        Ok(FileSize { rows: self.rows, bytes: self.writer.0.bytes_written() as u64, row_groups: metadata.num_row_groups() })
    }

    /// The upload of a sealed file.
    pub(super) fn into_upload(self) -> Upload {
        self.writer.0.into_inner()
    }

    /// Gives the file up and removes what was sent of it.
    pub async fn abort(self) {
        let mut upload = self.into_upload();
        if let Err(error) = upload.discard().await {
            tracing::warn!(path = %upload.path(), %error, "parts of an abandoned file may remain in the store");
        }
    }
}

/// An error of writing: the store's own where it is one.
fn explain(error: ParquetError, path: &Path) -> Error {
    if let ParquetError::NYI(what) = &error {
        return Error::unsupported(format!("a Parquet file cannot hold this table: {what}"))
            .with_hint("Cast the column to another type");
    }
    if let ParquetError::External(source) = &error {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
        while let Some(current) = next {
            if let Some(ours) = current.downcast_ref::<Error>() {
                return ours.clone();
            }
            if let Some(store) = current.downcast_ref::<object_store::Error>() {
                return from_store(store);
            }
            next = current.source();
        }
    }
    Error::new(ErrorKind::Internal, format!("cannot write the Parquet file \"{path}\"")).with_source(error)
}
