//! What all forms of output have in common: batches go in, bytes go out, and errors of the output are told from those of a form.

use std::io;

use arrow::{array::RecordBatch, error::ArrowError};
use glaux_engine::{Error, ErrorKind, Result};

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

/// The writer of a result without columns.
pub(super) struct Nothing;

impl ResultWriter for Nothing {
    fn write(&mut self, _: &RecordBatch) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An error of the output.
pub(super) fn write_error(error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::StorageFull { ErrorKind::LimitExceeded } else { ErrorKind::Unavailable };
    Error::new(kind, "cannot write the result").with_source(error)
}

/// An error of an Arrow writer, with the output's own error brought to the top.
pub(super) fn arrow_error(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => write_error(error),
        other => Error::internal("cannot write the result").with_source(other),
    }
}

/// Whether the reader of an output went away, which is no failure: `glaux sql ... | head`.
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
