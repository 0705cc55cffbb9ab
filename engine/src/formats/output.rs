//! The seam between a table's writer and what its files hold: all that writing a table asks of a format.

use std::fmt;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;

use crate::error::Result;

/// How the files of a table are written, or those of a partition that is laid out otherwise.
pub(crate) trait OutputFormat: fmt::Debug + Send + Sync {
    /// What the names of its files end with: `.parquet`. May be empty.
    fn ending(&self) -> &str;

    /// A file that has grown beyond this, as compressed at rest, is ended, and the next one begun.
    fn target_file_bytes(&self) -> usize;

    /// Begins a file of columns of this schema.
    ///
    /// # Errors
    /// `Unsupported` for a column whose type files of the format cannot hold, naming both.
    fn begin(&self, schema: &SchemaRef) -> Result<Box<dyn FileWriter>>;
}

/// Makes the bytes of one file of its rows. No IO: the bytes wait until they are taken. After an error it is of no more use.
pub(crate) trait FileWriter: fmt::Debug + Send {
    /// Adds rows.
    ///
    /// # Errors
    /// `Invalid` for a value that the file cannot hold, naming the column.
    fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Makes bytes of what is held back, as far as that can be done before the end.
    ///
    /// # Errors
    /// `Internal`.
    fn flush(&mut self) -> Result<()>;

    /// Ends the file: with the bytes that are taken after this it is complete.
    ///
    /// # Errors
    /// `Internal`.
    fn finish(&mut self) -> Result<()>;

    /// The bytes that follow those taken before; none if there are no more yet.
    fn take(&mut self) -> Bytes;

    /// Bytes of memory that it holds.
    fn memory_size(&self) -> usize;

    /// Bytes of the file until now, with those that were taken and an estimate of what is held back.
    fn size(&self) -> usize;
}
