//! One file of a table: its format makes bytes of rows, which are uploaded as they come.

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use super::upload::{Destination, Upload};
use crate::{
    error::Result,
    formats::{FileWriter, OutputFormat},
    storage::from_store,
};

/// A file that is being written. Dropped, it never appears, but parts that were sent may stay with the store until its upload is discarded.
#[derive(Debug)]
pub(super) struct TableFile {
    writer: Box<dyn FileWriter>,
    upload: Upload,
    rows: u64,
    bytes: u64,
}

impl TableFile {
    /// Begins a file; nothing is sent yet.
    ///
    /// # Errors
    /// Those of [`OutputFormat::begin`].
    pub(super) fn begin(to: Destination, format: &dyn OutputFormat, schema: &SchemaRef) -> Result<Self> {
        Ok(Self { writer: format.begin(schema)?, upload: Upload::new(to), rows: 0, bytes: 0 })
    }

    /// Adds rows, and sends what they make ready.
    ///
    /// # Errors
    /// Those of [`FileWriter::write`]; those of the store.
    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows)?;
        self.rows += rows.num_rows() as u64;
        self.send().await
    }

    /// Sends what is held back, as far as that can be done before the end: of Parquet, a row group that is not full.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.writer.flush()?;
        self.send().await
    }

    /// Ends the file. It is complete, and appears when its upload is published.
    ///
    /// # Errors
    /// Those of the store. What was sent stays until the upload is discarded.
    pub(super) async fn seal(&mut self) -> Result<()> {
        self.writer.finish()?;
        self.send().await?;
        self.upload.seal().await.map_err(|error| from_store(&error))
    }

    async fn send(&mut self) -> Result<()> {
        let bytes = self.writer.take();
        self.bytes += bytes.len() as u64;
        if bytes.is_empty() { Ok(()) } else { self.upload.push(bytes).await.map_err(|error| from_store(&error)) }
    }

    /// Bytes held in memory: by the format, and what does not make a part to be sent yet.
    pub(super) fn memory_size(&self) -> usize {
        self.writer.memory_size() + self.upload.pending_bytes()
    }

    /// Bytes that the file has so far, with an estimate of what is held back.
    pub(super) fn size(&self) -> usize {
        self.writer.size()
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes that were made so far: all, of a file that is sealed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn into_upload(self) -> Upload {
        self.upload
    }
}
