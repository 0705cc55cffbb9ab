//! Batches as Arrow IPC streams, and back: in one piece, or in pieces that form one stream when they are concatenated.

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
    ipc::{reader::StreamDecoder, writer::StreamWriter},
};
use bytes::Bytes;

use crate::{
    contained::contained,
    error::{Error, Result},
};

/// Writes a stream piece by piece.
pub(super) struct Encoder {
    writer: StreamWriter<Vec<u8>>,
}

impl Encoder {
    pub(super) fn new(schema: &Schema) -> Result<Self> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema).map_err(unwritten)? })
    }

    /// The piece of one batch; the first piece begins with the schema.
    pub(super) fn piece(&mut self, batch: &RecordBatch) -> Result<Bytes> {
        self.writer.write(batch).map_err(unwritten)?;
        Ok(std::mem::take(self.writer.get_mut()).into())
    }

    /// The last piece.
    pub(super) fn end(mut self) -> Result<Bytes> {
        self.writer.finish().map_err(unwritten)?;
        Ok(std::mem::take(self.writer.get_mut()).into())
    }
}

/// One batch as a stream of its own.
pub(super) fn whole(batch: &RecordBatch) -> Result<Bytes> {
    let mut writer =
        StreamWriter::try_new(Vec::with_capacity(batch.get_array_memory_size() + 1024), &batch.schema()).map_err(unwritten)?;
    writer.write(batch).map_err(unwritten)?;
    writer.into_inner().map(Bytes::from).map_err(unwritten)
}

/// Reads a stream from its pieces.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    decoder: StreamDecoder,
}

impl Decoder {
    /// The batches completed by this piece.
    ///
    /// # Errors
    /// `CorruptData`.
    pub(super) fn batches(&mut self, piece: Bytes) -> Result<Vec<RecordBatch>> {
        let mut buffer = Buffer::from(piece);
        let decoded = contained(|| {
            let mut batches = Vec::new();
            while !buffer.is_empty() {
                batches.extend(self.decoder.decode(&mut buffer)?);
            }
            Ok::<_, ArrowError>(batches)
        });
        decoded.unwrap_or_else(|panic| Err(ArrowError::IpcError(panic))).map_err(unread)
    }

    /// The schema, once it was received.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.decoder.schema()
    }

    /// # Errors
    /// `CorruptData` if the stream is incomplete.
    pub(super) fn end(mut self) -> Result<()> {
        self.decoder.finish().map_err(unread)
    }
}

/// The batches of a complete stream.
///
/// # Errors
/// `CorruptData`.
pub(super) fn read(bytes: Bytes) -> Result<Vec<RecordBatch>> {
    let mut decoder = Decoder::default();
    let batches = decoder.batches(bytes)?;
    decoder.end()?;
    Ok(batches)
}

fn unwritten(error: ArrowError) -> Error {
    Error::internal("partitions could not be written as Arrow").with_source(error)
}

pub(super) fn unread(error: ArrowError) -> Error {
    Error::corrupt("partitions received over the network are damaged").with_source(error)
}
