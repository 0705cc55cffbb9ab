//! The result of a query as a stream. It counts the rows, stops when the query is cancelled, and ends the query when it ends itself.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::{
    FutureExt, Stream, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{BoxStream, FusedStream},
};

use super::{
    cancel::CancelReason,
    canceller::Canceller,
    entry::Entry,
    guard::{Executing, QueryGuard},
    report::{QueryId, QueryReport},
};
use crate::{
    accounting::UsageDetail,
    error::{Error, Result},
};

/// A running query: a stream of its record batches.
///
/// The stream ends, with or without an error, only after the history has the query's end and bill. Dropping it earlier cancels the
/// query.
pub struct Query {
    entry: Arc<Entry>,
    canceller: Canceller,
    schema: SchemaRef,
    flow: Flow,
}

enum Flow {
    /// Dropped in this order: what reads first, then the guard, which takes the final figures.
    Rows {
        batches: BoxStream<'static, Result<RecordBatch>>,
        stopped: BoxFuture<'static, Error>,
        guard: QueryGuard<Executing>,
    },
    Ending {
        noted: BoxFuture<'static, QueryReport>,
        error: Option<Error>,
    },
    Ended,
}

impl Query {
    /// The stream of a query that has been admitted.
    #[must_use]
    pub fn new(guard: QueryGuard<Executing>, schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Self {
        let (entry, canceller) = (Arc::clone(guard.entry()), guard.canceller());
        let stopped = entry.stopped().boxed();
        Self { entry, canceller, schema, flow: Flow::Rows { batches, stopped, guard } }
    }

    #[must_use]
    pub fn id(&self) -> QueryId {
        self.entry.id
    }

    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The figures so far; after the stream's end, the final ones.
    #[must_use]
    pub fn report(&self) -> QueryReport {
        self.entry.report()
    }

    /// The same by store and by table.
    #[must_use]
    pub fn detail(&self) -> UsageDetail {
        self.entry.detail()
    }

    /// Reads the result to its end, into memory.
    ///
    /// # Errors
    /// The query's.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.try_collect().await
    }

    /// Reads the result to its end, into memory. The report has the final figures and the bill.
    ///
    /// # Errors
    /// The query's.
    pub async fn collect_with_report(mut self) -> Result<(Vec<RecordBatch>, QueryReport)> {
        let mut batches = Vec::new();
        while let Some(batch) = self.try_next().await? {
            batches.push(batch);
        }
        Ok((batches, self.report()))
    }

    /// A handle that stops the query from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The next batch, or how it ends.
    fn poll_rows(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>>> {
        let Flow::Rows { batches, stopped, .. } = &mut self.flow else { return Poll::Ready(Ok(None)) };
        if let Poll::Ready(error) = stopped.poll_unpin(cx) {
            return Poll::Ready(Err(error));
        }
        let next = batches.poll_next_unpin(cx);
        // Checked after every step, the last one too, so that the limit does not depend on the size of batches.
        if self.entry.meter.is_over_limit() {
            self.entry.cancel(CancelReason::ScanLimit);
            return Poll::Ready(Err(self.entry.stop_error(&CancelReason::ScanLimit)));
        }
        let next = ready!(next).transpose();
        match &next {
            Ok(Some(batch)) => self.entry.meter.add_rows(batch.num_rows() as u64),
            Ok(None) => {}
            // Perhaps because the query was stopped a moment ago.
            Err(_) => {
                if let Some(error) = self.entry.stopped_with() {
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(next)
    }

    /// Stops reading and ends the query.
    fn end(&mut self, error: Option<Error>) {
        if let Flow::Rows { batches, stopped, guard } = mem::replace(&mut self.flow, Flow::Ended) {
            drop((batches, stopped));
            self.flow = Flow::Ending { noted: guard.end(error.as_ref()), error };
        }
    }
}

impl Stream for Query {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match &mut this.flow {
                Flow::Rows { .. } => match ready!(this.poll_rows(cx)) {
                    Ok(Some(batch)) => return Poll::Ready(Some(Ok(batch))),
                    Ok(None) => this.end(None),
                    Err(error) => this.end(Some(error)),
                },
                Flow::Ending { noted, error } => {
                    ready!(noted.poll_unpin(cx));
                    let error = error.take();
                    this.flow = Flow::Ended;
                    return Poll::Ready(error.map(Err));
                }
                Flow::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl FusedStream for Query {
    fn is_terminated(&self) -> bool {
        matches!(self.flow, Flow::Ended)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("id", &self.entry.id).field("schema", &self.schema).finish_non_exhaustive()
    }
}
