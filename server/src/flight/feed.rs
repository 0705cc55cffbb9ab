//! A running query's batches for one or more readers: every batch goes to one of them, the end and an error to all.
//!
//! Readers pull, so that the slowest decides the pace and nothing is kept for it. A reader that goes away before the end takes the query
//! with it, since the batches that it had are lost to the others.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::{AcqRel, Release}},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::StreamExt;
use glaux_engine::{
    Error,
    query::{CancelReason, Canceller, Query, QueryReport},
};
use tokio::sync::Mutex;

#[derive(Debug)]
pub(super) struct Feed {
    schema: SchemaRef,
    canceller: Canceller,
    running: Mutex<Running>,
    /// Whether the query has come to its end, well or not.
    ended: AtomicBool,
}

#[derive(Debug)]
struct Running {
    query: Option<Query>,
    error: Option<Error>,
}

impl Feed {
    pub(super) fn new(query: Query) -> Arc<Self> {
        let (schema, canceller) = (query.schema(), query.canceller());
        let running = Mutex::new(Running { query: Some(query), error: None });
        Arc::new(Self { schema, canceller, running, ended: AtomicBool::new(false) })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The figures so far, or the final ones.
    pub(super) fn report(&self) -> QueryReport {
        self.canceller.report()
    }

    /// The next batch that no other reader has had; `None` at the end, when the history has the query's end.
    pub(super) async fn next(&self) -> Option<Result<RecordBatch, Error>> {
        let mut running = self.running.lock().await;
        let Some(query) = &mut running.query else {
            return running.error.clone().map(Err);
        };
        match query.next().await {
            Some(Ok(batch)) => return Some(Ok(batch)),
            Some(Err(error)) => running.error = Some(error),
            None => {}
        }
        running.query = None;
        self.ended.store(true, Release);
        running.error.clone().map(Err)
    }

    /// A reader goes away; before the end, the query is given up by that.
    pub(super) fn leave(&self) {
        if !self.ended.swap(true, AcqRel) {
            self.canceller.cancel(CancelReason::Disconnected);
            // Nobody else holds the lock for longer than it takes to see that the query was stopped; then its reader drops it.
            if let Ok(mut running) = self.running.try_lock() {
                running.query = None;
            }
        }
    }
}
