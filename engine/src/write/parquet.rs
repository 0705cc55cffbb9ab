//! One Parquet file, encoded batch by batch and uploaded as its row groups fill.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use object_store::{ObjectStore, path::Path};
use parquet::{
    arrow::AsyncArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
    schema::types::ColumnPath,
};

use super::upload::Upload;
use crate::error::{Error, ErrorKind, Result, from_store};

/// How table files are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Files are named `<prefix>-00000.parquet` and so on. A file of that name that exists already is replaced.
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
    /// Bytes of encoded rows in memory; beyond it, the largest open file ends its row group.
    pub memory_limit: usize,
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
        }
    }
}

impl WriteOptions {
    /// # Errors
    /// `Invalid` for a level that zstd does not have.
    fn properties(&self) -> Result<WriterProperties> {
        let level = ZstdLevel::try_new(self.zstd_level)
            .map_err(|error| Error::invalid(format!("\"{}\" is no level of zstd", self.zstd_level)).with_source(error))?;
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

/// A Parquet file that is being written. Readers see it only when [`ParquetFileWriter::finish`] has returned; dropped before, it never
/// appears, but parts that were sent may stay with the store until [`ParquetFileWriter::abort`] removes them.
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

/// What became of a finished file.
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
        let upload = Upload::new(store, path.clone());
        let writer =
            AsyncArrowWriter::try_new(upload, schema, Some(options.properties()?)).map_err(|error| explain(error, &path))?;
        Ok(Self { path, writer: Writer(writer), rows: 0 })
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

    /// Bytes held in memory.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.writer.0.memory_size()
    }

    /// Bytes that the file has so far, with the row group in memory as encoded until now.
    #[must_use]
    pub fn size(&self) -> usize {
        self.writer.0.bytes_written() + self.writer.0.in_progress_size()
    }

    /// Writes the footer and makes the file appear; on failure, removes what was sent.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn finish(mut self) -> Result<FileSize> {
        match self.writer.0.finish().await {
            Ok(metadata) => Ok(FileSize {
                rows: self.rows,
                bytes: self.writer.0.bytes_written() as u64,
                row_groups: metadata.num_row_groups(),
            }),
            Err(error) => {
                let error = explain(error, &self.path);
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Gives the file up and removes what was sent of it.
    pub async fn abort(self) {
        let mut upload = self.writer.0.into_inner();
        if let Err(error) = upload.abort().await {
            tracing::warn!(path = %upload.path(), %error, "the parts of a file that was given up may remain in the store");
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
