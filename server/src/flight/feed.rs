//! A running query's batches for one or more readers: every batch goes to one of them, the end and an error to all.
//!
//! Readers pull, so that the slowest decides the pace and nothing is kept for it. Between two polls no reader owns anything: one whose client
//! has stopped to read is not polled, and must not keep the others waiting. A reader that goes away before the end takes the query with it,
//! since the batches that it had are lost to the others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::StreamExt;
use glaux_engine::{
    Error,
    query::{CancelReason, Canceller, Query, QueryReport},
};

#[derive(Debug)]
pub(super) struct Feed {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    pub(super) fn new(query: Query) -> Arc<Self> {
        let (schema, canceller) = (query.schema(), query.canceller());
        let running = Mutex::new(Running { query: Some(query), error: None });
        Arc::new(Self { schema, canceller, running, waiting: Arc::default(), readers: AtomicU64::new(0) })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The figures so far, or the final ones.
    pub(super) fn report(&self) -> QueryReport {
        self.canceller.report()
    }

    /// One more reader.
    pub(super) fn reader(self: &Arc<Self>) -> Reader {
        Reader { feed: Arc::clone(self), id: self.readers.fetch_add(1, Relaxed) }
    }
}

/// One of a feed's readers. Dropping it before the end gives the query up.
#[derive(Debug)]
pub(super) struct Reader {
    feed: Arc<Feed>,
    id: u64,
}

impl Reader {
    /// The next batch that no other reader has had; `None` at the end, when the history has the query's end.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch, Error>>> {
        let Feed { running, waiting, .. } = self.feed.as_ref();
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
        let given_up = lock(&self.feed.running).query.take();
        if let Some(query) = given_up {
            self.feed.canceller.cancel(CancelReason::Disconnected);
            lock(&self.feed.running).error = Some(Error::new(
                glaux_engine::ErrorKind::Cancelled,
                "the query was given up: one of its streams was not read to its end",
            ));
            drop(query);
            self.feed.waiting.wake_all();
        }
    }
}
