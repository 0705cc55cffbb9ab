//! Merges small batches, which many small files make: the cost of a batch on the wire and in a client hardly depends on its rows.
//! Rows keep their order, none waits for long, and large batches pass as they are.

use std::{collections::VecDeque, time::Duration};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};

/// A batch of this many rows waits for no others.
const ENOUGH_ROWS: usize = 1_024;

/// Nor does one of this many bytes.
const ENOUGH_BYTES: usize = 256 << 10;

/// How long a row waits for others.
const PATIENCE: Duration = Duration::from_millis(50);

/// The same rows in the same order, in fewer batches.
pub(super) fn merged(
    batches: impl Stream<Item = Result<RecordBatch>> + Send + Unpin,
    schema: SchemaRef,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let state = Merging {
        batches,
        schema,
        kept: Vec::new(),
        rows: 0,
        bytes: 0,
        until: Instant::now(),
        ready: VecDeque::new(),
        has_ended: false,
    };
    stream::unfold(state, |mut state| async move {
        let item = state.next().await?;
        Some((item, state))
    })
}

struct Merging<S> {
    batches: S,
    schema: SchemaRef,
    kept: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    /// When the kept batches are passed on, at the latest.
    until: Instant,
    ready: VecDeque<Result<RecordBatch>>,
    has_ended: bool,
}

impl<S: Stream<Item = Result<RecordBatch>> + Unpin> Merging<S> {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.has_ended {
                return None;
            }
            let next = if self.kept.is_empty() {
                Ok(self.batches.next().await)
            } else {
                timeout_at(self.until, self.batches.next()).await
            };
            match next {
                Ok(Some(Ok(batch))) => self.take(batch),
                Ok(Some(Err(error))) => {
                    self.flush();
                    self.ready.push_back(Err(error));
                }
                Ok(None) => {
                    self.has_ended = true;
                    self.flush();
                }
                Err(_) => self.flush(),
            }
        }
    }

    fn take(&mut self, batch: RecordBatch) {
        let (rows, bytes) = (batch.num_rows(), batch.get_array_memory_size());
        if rows >= ENOUGH_ROWS {
            self.flush();
            self.ready.push_back(Ok(batch));
            return;
        }
        if self.kept.is_empty() {
            self.until = Instant::now() + PATIENCE;
        }
        (self.rows, self.bytes) = (self.rows + rows, self.bytes + bytes);
        self.kept.push(batch);
        if self.rows >= ENOUGH_ROWS || self.bytes >= ENOUGH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        (self.rows, self.bytes) = (0, 0);
        let batch = match self.kept.len() {
            0 => return,
            1 => self.kept.pop().map(Ok),
            _ => Some(
                concat_batches(&self.schema, &self.kept)
                    .map_err(|error| Error::internal("batches of one result differ").with_source(error)),
            ),
        };
        self.kept.clear();
        self.ready.extend(batch);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::Int64Array,
        datatypes::{DataType, Field, Schema},
    };
    use futures::{FutureExt, channel::mpsc};

    use super::*;
    use crate::error::ErrorKind;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
    }

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(rows))]).unwrap()
    }

    #[tokio::test]
    async fn small_batches_become_one_and_large_ones_stay() {
        let given = [batch(0..1), batch(1..3), batch(3..5_000), batch(5_000..5_001), batch(5_001..5_002)];
        let merged: Vec<_> = merged(stream::iter(given.map(Ok)), schema()).map(Result::unwrap).collect().await;
        assert_eq!(merged, [batch(0..3), batch(3..5_000), batch(5_000..5_002)]);
    }

    #[tokio::test]
    async fn rows_before_an_error_come_before_it() {
        let given = vec![Ok(batch(0..1)), Ok(batch(1..2)), Err(Error::invalid("no"))];
        let merged: Vec<_> = merged(stream::iter(given), schema()).collect().await;
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].as_ref().unwrap(), &batch(0..2));
        assert_eq!(merged[1].as_ref().unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn rows_do_not_wait_for_the_end() {
        let (mut sender, receiver) = mpsc::channel(4);
        let mut merged = Box::pin(merged(receiver, schema()));
        sender.try_send(Ok(batch(0..1))).unwrap();
        assert!(merged.next().now_or_never().is_none());
        assert_eq!(merged.next().await.unwrap().unwrap(), batch(0..1));
        drop(sender);
        assert!(merged.next().await.is_none());
    }
}
