//! Record batches as Flight messages of bounded size.
//!
//! gRPC clients refuse messages over 4 MiB by default, and what a batch takes on the wire is known only once it is encoded: batches are
//! cut by their size in memory, and cut again if a piece has come out too large. Only a single row may be larger than a message should be.

use std::{collections::VecDeque, sync::Arc};

use arrow::{
    array::{Array, RecordBatch},
    datatypes::Schema,
    error::ArrowError,
    ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions},
};
use arrow_flight::{FlightData, SchemaAsIpc};
use glaux_engine::{Error, Result};

/// The size that messages are cut to.
const TARGET: usize = 2 << 20;

/// The size that no message of several rows exceeds; the rest up to 4 MiB is for what gRPC and Flight put around it.
const MAX: usize = 7 << 19;

/// Encodes the batches of one result.
pub(super) struct Encoder {
    generator: IpcDataGenerator,
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            generator: IpcDataGenerator::default(),
            dictionaries: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }

    /// The message that a stream begins with.
    pub(super) fn schema(&self, schema: &Schema) -> FlightData {
        FlightData::from(SchemaAsIpc::new(schema, &self.options))
    }

    /// The messages of a batch.
    ///
    /// # Errors
    /// `Internal` if a batch cannot be encoded.
    pub(super) fn batch(&mut self, batch: &RecordBatch, out: &mut VecDeque<FlightData>) -> Result<()> {
        let rows = batch.num_rows();
        let pieces = size(batch).div_ceil(TARGET).clamp(1, rows.max(1));
        let step = rows.div_ceil(pieces).max(1);
        let encoded = (0..rows.max(1)).step_by(step).try_for_each(|start| {
            let piece = batch.slice(start, step.min(rows - start));
            self.piece(&piece, out)
        });
        encoded.map_err(|error| Error::internal("a result cannot be encoded").with_source(error))
    }

    fn piece(&mut self, piece: &RecordBatch, out: &mut VecDeque<FlightData>) -> Result<(), ArrowError> {
        let (dictionaries, data) = self.generator.encode(piece, &mut self.dictionaries, &self.options, &mut self.context)?;
        let rows = piece.num_rows();
        if data.ipc_message.len() + data.arrow_data.len() > MAX && rows > 1 {
            let half = rows / 2;
            self.piece(&piece.slice(0, half), out)?;
            return self.piece(&piece.slice(half, rows - half), out);
        }
        out.extend(dictionaries.into_iter().map(FlightData::from));
        out.push_back(FlightData::from(data));
        Ok(())
    }

    /// A batch without rows, a sign of life.
    ///
    /// # Errors
    /// As [`Encoder::batch`].
    pub(super) fn empty(&mut self, schema: &Arc<Schema>) -> Result<FlightData> {
        let mut messages = VecDeque::new();
        self.batch(&RecordBatch::new_empty(Arc::clone(schema)), &mut messages)?;
        messages.pop_back().ok_or_else(|| Error::internal("an empty batch gave no message"))
    }
}

/// Bytes of a batch's own rows, whatever its buffers hold beside them.
fn size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray},
        datatypes::{DataType, Field},
    };
    use prost::Message;

    use super::*;

    const GRPC_LIMIT: usize = 4 << 20;

    fn messages(batch: &RecordBatch) -> Vec<FlightData> {
        let mut out = VecDeque::new();
        Encoder::new().batch(batch, &mut out).unwrap();
        out.into()
    }

    fn decoded(batch: &RecordBatch, messages: &[FlightData]) -> Vec<RecordBatch> {
        let of = |data: &FlightData| {
            arrow_flight::utils::flight_data_to_arrow_batch(data, batch.schema(), &std::collections::HashMap::new()).unwrap()
        };
        messages.iter().map(of).collect()
    }

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn no_message_of_several_rows_reaches_the_limit_of_clients() {
        let even = batch(vec![("n", Arc::new(Int64Array::from_iter_values(0..2_000_000)) as ArrayRef)]);
        // All of the weight in a few rows of many: cutting by the mean would not do.
        let skewed = (0..10_000).map(|at| if at % 5_000 < 4 { "x".repeat(1 << 20) } else { String::new() });
        let skewed = batch(vec![("s", Arc::new(StringArray::from_iter_values(skewed)) as ArrayRef)]);
        for whole in [even.slice(7, 1_500_000), skewed] {
            let messages = messages(&whole);
            assert!(messages.iter().all(|message| message.encoded_len() < GRPC_LIMIT));
            let parts = decoded(&whole, &messages);
            assert_eq!(arrow::compute::concat_batches(&whole.schema(), &parts).unwrap(), whole);
        }
    }

    #[test]
    fn a_slice_is_sent_as_what_it_is() {
        let whole = batch(vec![("n", Arc::new(Int64Array::from_iter_values(0..1_000_000)) as ArrayRef)]);
        let messages = messages(&whole.slice(500_000, 10));
        assert_eq!(messages.len(), 1);
        assert!(messages[0].encoded_len() < 1_000);
    }

    #[test]
    fn rows_without_columns_and_columns_without_rows_are_sent() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(decoded(&rows, &messages(&rows))[0].num_rows(), 3);
        let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, true)]));
        let message = Encoder::new().empty(&schema).unwrap();
        assert_eq!(decoded(&RecordBatch::new_empty(schema), &[message])[0].num_rows(), 0);
    }

    #[test]
    fn one_row_larger_than_a_message_is_sent_alone() {
        let large = StringArray::from_iter_values(["a".to_owned(), "b".repeat(5 << 20), "c".to_owned()]);
        let whole = batch(vec![("s", Arc::new(large) as ArrayRef)]);
        let parts = decoded(&whole, &messages(&whole));
        assert_eq!(arrow::compute::concat_batches(&whole.schema(), &parts).unwrap(), whole);
        assert!(parts.len() >= 2);
    }
}
