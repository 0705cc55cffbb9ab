//! `--format json`: one object a row, one row a line (NDJSON), NULLs included.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    json::writer::{LineDelimited, Writer, WriterBuilder},
};
use glaux_engine::Result;

use super::{ResultWriter, arrow_error, write_error};

/// Writes a result as lines of JSON.
pub(super) struct JsonWriter<W: Write>(Writer<W, LineDelimited>);

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W) -> Self {
        let builder = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_timestamp_format("%Y-%m-%d %H:%M:%S%.f".to_owned())
            .with_timestamp_tz_format("%Y-%m-%d %H:%M:%S%.f %Z".to_owned());
        Self(builder.build(out))
    }
}

impl<W: Write> ResultWriter for JsonWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(arrow_error)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map_err(arrow_error)?;
        self.0.get_mut().flush().map_err(write_error)
    }
}
