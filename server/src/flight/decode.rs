//! The batches that clients send with DoPut, decoded from messages that nobody has checked.
//!
//! What a message says of its own lengths is looked at before anything is allocated by it, and what the decoder does not foresee becomes an
//! error of the client's like all else that does not decode.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch},
    buffer::Buffer,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
    ipc::{self, CompressionType, MessageHeader, MetadataVersion, reader},
};
use arrow_flight::FlightData;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use glaux_catalog::contained::contained;
use glaux_engine::{Error, ErrorKind, Result};
use tonic::{Status, Streaming};

/// Bytes that one message may hold once it is decompressed.
const MAX_DECOMPRESSED: u64 = 1 << 30;

/// How much smaller than what it holds an LZ4 frame is at most.
const LZ4_RATIO: u64 = 255;

/// Rows that one batch may have.
const MAX_ROWS: i64 = i32::MAX as i64;

/// The decoded stream, from behind its schema on.
pub(super) type Batches = stream::BoxStream<'static, Result<RecordBatch>>;

/// The schema of the stream and its batches; `None` if it holds none.
///
/// # Errors
/// `Invalid` for what does not decode.
pub(super) async fn decode(first: FlightData, rest: Streaming<FlightData>) -> Result<Option<(SchemaRef, Batches)>> {
    let messages = stream::once(async { Ok(first) }).chain(rest.map_err(|status| sent(&status)));
    // A message with nothing but the command in it says nothing of batches.
    let mut messages = messages.try_filter(|message| std::future::ready(!message.data_header.is_empty())).boxed();
    let Some(first) = messages.try_next().await? else { return Ok(None) };
    let schema = match message(&first, None)? {
        Message::Schema(schema) => Arc::new(schema),
        Message::Batch(_) | Message::Nothing => {
            return Err(Error::invalid("the stream of DoPut has batches before its schema"));
        }
    };
    let state = State { schema: Arc::clone(&schema), dictionaries: HashMap::new() };
    Ok(Some((schema, batches(messages, state).boxed())))
}

/// What went wrong with the client's stream.
pub(super) fn sent(status: &Status) -> Error {
    let kind = match status.code() {
        // Unknown is what a connection that went away leaves.
        tonic::Code::Cancelled | tonic::Code::Unknown => ErrorKind::Cancelled,
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => ErrorKind::LimitExceeded,
        tonic::Code::DeadlineExceeded => ErrorKind::TimedOut,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, format!("the client's stream failed: {}", status.message()))
}

/// What the batches of a stream are read with.
struct State {
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
}

enum Message {
    Schema(Schema),
    Batch(RecordBatch),
    /// A dictionary, or nothing at all.
    Nothing,
}

fn batches(
    messages: impl Stream<Item = Result<FlightData>> + Send + Unpin,
    state: State,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    stream::try_unfold((messages, state), |(mut messages, mut state)| async move {
        while let Some(next) = messages.try_next().await? {
            match message(&next, Some(&mut state))? {
                Message::Batch(batch) => return Ok(Some((batch, (messages, state)))),
                Message::Nothing => {}
                Message::Schema(_) => return Err(Error::invalid("the stream of DoPut changes its schema")),
            }
        }
        Ok::<_, Error>(None)
    })
}

/// Decodes one message.
fn message(data: &FlightData, state: Option<&mut State>) -> Result<Message> {
    match contained(|| decoded(data, state)) {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(Fault::Ours(error))) => Err(error),
        Ok(Err(Fault::Arrow(error))) => Err(undecodable(error.to_string())),
        Err(panic) => Err(undecodable(panic)),
    }
}

fn undecodable(why: String) -> Error {
    Error::invalid("the batches of DoPut cannot be decoded").with_source(Error::invalid(why))
}

enum Fault {
    Ours(Error),
    Arrow(ArrowError),
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn decoded(data: &FlightData, state: Option<&mut State>) -> Result<Message, Fault> {
    let header = ipc::root_as_message(&data.data_header).map_err(|error| undecodable(error.to_string()))?;
    let absent = |what: &str| undecodable(format!("a message has no {what}"));
    match header.header_type() {
        MessageHeader::NONE => return Ok(Message::Nothing),
        MessageHeader::Schema => {
            let schema = header.header_as_schema().ok_or_else(|| absent("schema"))?;
            return Ok(Message::Schema(ipc::convert::fb_to_schema(schema)));
        }
        _ => {}
    }
    let Some(state) = state else { return Err(Error::invalid("the stream of DoPut has batches before its schema").into()) };
    let (version, body) = (header.version(), &data.data_body);
    if version < MetadataVersion::V4 {
        return Err(undecodable("its metadata version is older than V4".to_owned()).into());
    }
    match header.header_type() {
        MessageHeader::DictionaryBatch => {
            let dictionary = header.header_as_dictionary_batch().ok_or_else(|| absent("dictionary"))?;
            check(&dictionary.data().ok_or_else(|| absent("values of a dictionary"))?, body)?;
            let body = aligned(&data.data_body);
            reader::read_dictionary(&body, dictionary, &state.schema, &mut state.dictionaries, &version)?;
            Ok(Message::Nothing)
        }
        MessageHeader::RecordBatch => {
            let batch = header.header_as_record_batch().ok_or_else(|| absent("record batch"))?;
            check(&batch, body)?;
            let (body, schema) = (aligned(&data.data_body), Arc::clone(&state.schema));
            Ok(Message::Batch(reader::read_record_batch(&body, batch, schema, &state.dictionaries, None, &version)?))
        }
        other => {
            let name = other.variant_name().unwrap_or("unknown");
            Err(undecodable(format!("a message of the kind \"{name}\" is neither a schema nor a batch")).into())
        }
    }
}

/// The message's own bytes, if they lie as arrays must; otherwise a copy.
fn aligned(body: &bytes::Bytes) -> Buffer {
    if body.as_ptr().align_offset(64) == 0 { Buffer::from(body.clone()) } else { Buffer::from(body.as_ref()) }
}

/// Refuses lengths that cannot be, before they are believed.
fn check(batch: &ipc::RecordBatch<'_>, body: &[u8]) -> Result<()> {
    let within = |length: i64, nulls: i64| (0..=MAX_ROWS).contains(&length) && (0..=length).contains(&nulls);
    if !within(batch.length(), 0) || batch.nodes().into_iter().flatten().any(|node| !within(node.length(), node.null_count())) {
        return Err(undecodable(format!("a batch has more than {MAX_ROWS} rows, or more NULLs than rows")));
    }
    let views = batch.variadicBufferCounts();
    let buffers = batch.buffers().map_or(0, |buffers| buffers.len());
    if views.into_iter().flatten().any(|count| !usize::try_from(count).is_ok_and(|count| count <= buffers)) {
        return Err(undecodable("a view has more buffers than the batch".to_owned()));
    }
    let mut decompressed: u64 = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let bytes = range.and_then(|(offset, length)| body.get(offset..offset.checked_add(length)?));
        let bytes = bytes.ok_or_else(|| undecodable("a buffer reaches beyond its message".to_owned()))?;
        let Some(compression) = batch.compression() else { continue };
        if let Some((length, compressed)) = bytes.split_first_chunk::<8>()
            && let Ok(length) = u64::try_from(i64::from_le_bytes(*length))
        {
            let at_most = match compression.codec() {
                CompressionType::LZ4_FRAME => length.max((compressed.len() as u64).saturating_mul(LZ4_RATIO)),
                _ => length,
            };
            decompressed = decompressed.saturating_add(at_most);
        }
    }
    if decompressed > MAX_DECOMPRESSED {
        return Err(Error::new(ErrorKind::LimitExceeded, "a compressed batch of DoPut may hold more than 1 GiB")
            .with_hint("Send smaller batches, or do not compress them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray, StructArray},
        datatypes::{Field, Int32Type},
        ipc::writer::IpcWriteOptions,
    };

    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use futures::{TryStreamExt, stream};

    use super::*;

    /// A batch with a column of each kind of layout.
    fn sent() -> Vec<FlightData> {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None, Some("three")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a view that is longer than twelve bytes", "b", "c"]));
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
        let dictionary: DictionaryArray<Int32Type> = ["x", "y", "x"].into_iter().collect();
        let field = Arc::new(Field::new("n", numbers.data_type().clone(), true));
        let parts = StructArray::from(vec![(field, Arc::clone(&numbers))]);
        let columns: [(&str, ArrayRef); 6] = [
            ("texts", texts),
            ("numbers", numbers),
            ("views", views),
            ("lists", Arc::new(lists)),
            ("dictionary", Arc::new(dictionary)),
            ("parts", Arc::new(parts)),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap();
        let encoder = FlightDataEncoderBuilder::new().with_dictionary_handling(DictionaryHandling::Resend);
        let messages = encoder.build(stream::iter([Ok(batch)])).try_collect();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(messages).unwrap()
    }

    fn read(messages: &[FlightData]) -> Result<Vec<RecordBatch>> {
        let mut state: Option<State> = None;
        let mut batches = Vec::new();
        for data in messages {
            match message(data, state.as_mut())? {
                Message::Schema(schema) => state = Some(State { schema: Arc::new(schema), dictionaries: HashMap::new() }),
                Message::Batch(batch) => batches.push(batch),
                Message::Nothing => {}
            }
        }
        Ok(batches)
    }

    #[test]
    fn what_was_sent_is_read() {
        let batches = read(&sent()).unwrap();
        assert_eq!((batches.len(), batches[0].num_rows(), batches[0].num_columns()), (1, 3, 6));
        assert_eq!(read(&sent()[1..]).unwrap_err().kind(), ErrorKind::Invalid);
    }

    /// Every bit of what describes a message is turned, and none of it is more than the client's mistake.
    #[test]
    fn damaged_messages_are_read_or_refused() {
        let whole = sent();
        let mut refused = 0;
        for at in 0..whole.len() {
            for byte in 0..whole[at].data_header.len() {
                for bit in [0, 3, 7] {
                    let mut damaged = whole.clone();
                    let mut header = damaged[at].data_header.to_vec();
                    header[byte] ^= 1 << bit;
                    damaged[at].data_header = header.into();
                    if let Err(error) = read(&damaged) {
                        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::LimitExceeded), "{error:?}");
                        refused += 1;
                    }
                }
            }
            let mut cut = whole.clone();
            cut[at].data_body = cut[at].data_body.slice(..cut[at].data_body.len() / 2);
            assert!(at == 0 || read(&cut).is_err());
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn a_compressed_length_is_not_believed() {
        let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![7; 1000])) as ArrayRef)]).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
        let generator = ipc::writer::IpcDataGenerator::default();
        let mut dictionaries = ipc::writer::DictionaryTracker::new(false);
        let mut context = ipc::writer::IpcWriteContext::default();
        let (_, data) = generator.encode(&batch, &mut dictionaries, &options, &mut context).unwrap();
        let mut data = FlightData::from(data);
        let mut state = State { schema: batch.schema(), dictionaries: HashMap::new() };
        assert!(matches!(message(&data, Some(&mut state)), Ok(Message::Batch(_))));
        let mut body = data.data_body.to_vec();
        let at = body.windows(8).position(|bytes| bytes == 8000_i64.to_le_bytes()).unwrap();
        body[at..at + 8].copy_from_slice(&(1_i64 << 45).to_le_bytes());
        data.data_body = body.into();
        let Err(error) = message(&data, Some(&mut state)) else { panic!("it is believed") };
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
