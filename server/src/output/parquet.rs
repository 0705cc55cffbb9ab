//! `--format parquet`: a Parquet file, compressed with zstd; one row group is held in memory at a time.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use glaux_engine::{Error, Result};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};

use super::writer::{ResultWriter, write_error};

/// Bytes of a row group in memory before it is written.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Writes a result as a Parquet file.
pub(super) struct ParquetWriter<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .build();
        ArrowWriter::try_new(out, std::sync::Arc::clone(schema), Some(properties)).map(Self).map_err(parquet_error)
    }
}

impl<W: Write + Send> ResultWriter for ParquetWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(batch).map_err(parquet_error)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map_err(parquet_error)?;
        self.0.inner_mut().flush().map_err(write_error)
    }
}

/// The output's own error is brought to the top, as the other forms do.
fn parquet_error(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => write_error(*error),
            Err(source) => Error::internal("cannot write the result as Parquet").with_source(source),
        },
        ParquetError::NYI(what) => Error::unsupported(format!("a Parquet file cannot hold this result: {what}"))
            .with_hint("Cast the column to another type, or use --format arrow"),
        other => Error::internal("cannot write the result as Parquet").with_source(other),
    }
}
