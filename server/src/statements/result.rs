//! A running query's batches for one or more readers: every batch goes to one of them, the end and an error to all.
//!
//! Readers pull, so that the slowest decides the pace and nothing is kept for it. Between two polls no reader owns anything: one whose client
//! has stopped reading is not polled, and must not keep the others waiting. A reader that goes away before the end takes the query with it,
//! since the batches that it had are lost to the others.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::StreamExt;
use glaux_engine::{
    Error, ErrorKind, Result,
    query::{CancelReason, Canceller, Query, QueryReport},
};

use crate::lock::lock;

/// A running query and those who read its rows.
#[derive(Debug)]
pub(super) struct RunningResult {
    schema: SchemaRef,
    canceller: Canceller,
    running: Mutex<Running>,
    waiting: Arc<Waiting>,
    readers: AtomicU64,
}

#[derive(Debug)]
struct Running {
    /// `None` once it has come to its end, well or not.
    query: Option<Query>,
    error: Option<Error>,
}

/// The readers that wait for a batch; all are woken when there is one, since nobody knows which of them is still polled.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<u64, Waker>>);

impl Waiting {
    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *lock(&self.0));
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

impl RunningResult {
    pub(super) fn new(query: Query) -> Arc<Self> {
        let (schema, canceller) = (query.schema(), query.canceller());
        let running = Mutex::new(Running { query: Some(query), error: None });
        Arc::new(Self { schema, canceller, running, waiting: Arc::default(), readers: AtomicU64::new(0) })
    }

    /// One more reader.
    fn reader(self: &Arc<Self>) -> Reader {
        Reader { result: Arc::clone(self), id: self.readers.fetch_add(1, Relaxed) }
    }
}

/// One of a result's readers. Dropping it before the end cancels the query.
struct Reader {
    result: Arc<RunningResult>,
    id: u64,
}

impl Reader {
    /// The next batch that no other reader has had; `None` at the end, when the history has the query's end.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        let RunningResult { running, waiting, .. } = self.result.as_ref();
        let item = {
            let mut running = lock(running);
            let Some(query) = &mut running.query else {
                return Poll::Ready(running.error.clone().map(Err));
            };
            lock(&waiting.0).insert(self.id, cx.waker().clone());
            let everybody = Waker::from(Arc::clone(waiting));
            let Poll::Ready(item) = query.poll_next_unpin(&mut Context::from_waker(&everybody)) else {
                return Poll::Pending;
            };
            match &item {
                Some(Ok(_)) => {}
                Some(Err(error)) => (running.query, running.error) = (None, Some(error.clone())),
                None => running.query = None,
            }
            item
        };
        lock(&waiting.0).remove(&self.id);
        waiting.wake_all();
        Poll::Ready(item)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let unfinished = lock(&self.result.running).query.take();
        if let Some(query) = unfinished {
            self.result.canceller.cancel(CancelReason::Disconnected);
            let error = Error::new(ErrorKind::Cancelled, "the query was cancelled: one of its streams was not read to its end");
            lock(&self.result.running).error = Some(error);
            drop(query);
            self.result.waiting.wake_all();
        }
    }
}

/// Called once with the query's figures, when a stream has ended for whatever reason.
pub(super) type OnEnd = Box<dyn FnOnce(QueryReport) + Send + Sync>;

/// One stream of a result's rows. Whoever opened it need not say when it has ended.
pub(crate) struct RowStream {
    reader: Option<Reader>,
    result: Arc<RunningResult>,
    on_end: Option<OnEnd>,
}

impl RowStream {
    pub(super) fn new(result: Arc<RunningResult>, on_end: OnEnd) -> Self {
        Self { reader: Some(result.reader()), result, on_end: Some(on_end) }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.result.schema)
    }

    /// The figures so far, or the final ones.
    pub(crate) fn report(&self) -> QueryReport {
        self.result.canceller.report()
    }

    /// The next batch; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Result<RecordBatch>> {
        match &self.reader {
            Some(reader) => poll_fn(|cx| reader.poll_next(cx)).await,
            None => None,
        }
    }

    /// Reads no more; cancels the query, if it has not ended.
    pub(crate) fn stop(&mut self) {
        self.reader = None;
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        self.stop();
        if let Some(on_end) = self.on_end.take() {
            on_end(self.report());
        }
    }
}
