//! `--format arrow`: an Arrow IPC stream with the schema first, so that an empty result still tells its columns.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::SchemaRef, ipc::writer::StreamWriter};
use glaux_engine::Result;

use super::writer::{ResultWriter, arrow_error, write_error};

/// Writes a result as an Arrow IPC stream.
pub(super) struct ArrowWriter<W: Write>(StreamWriter<W>);

impl<W: Write> ArrowWriter<W> {
    pub(super) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        StreamWriter::try_new(out, schema).map(Self).map_err(arrow_error)
    }
}

impl<W: Write> ResultWriter for ArrowWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(arrow_error)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map_err(arrow_error)?;
        self.0.get_mut().flush().map_err(write_error)
    }
}
