//! The guard of one query's life: whoever holds it is responsible that the query ends, and is recorded and billed exactly once.
//!
//! ```text
//!  QueryGuard<Received> --planned()--> <Planned> --admit() or start()--> <Executing> --succeed()--> SUCCEEDED
//!          |                               |                                 |
//!          +------------ fail(error) ------+---------------------------------+-- FAILED, or CANCELLED if it was stopped (`ending`)
//!          +------------ dropped ----------+---------------------------------+-- CANCELLED
//! ```
//!
//! [`super::ending::Ending`] says what each end means for state and bill. It does not know how a query is planned or executed.

#[cfg(test)]
mod tests;

use std::{marker::PhantomData, sync::Arc, time::Duration};

use super::{
    admission::Place,
    cancel::{CancelReason, Canceller},
    entry::Entry,
    manager::Failure,
    registry::Registry,
    report::{QueryId, QueryReport},
};
use crate::{
    accounting::Meter,
    error::{Error, Result},
    session::SessionOptions,
    sql::StatementKind,
};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

/// Taken in: being parsed, checked and planned. Call [`QueryGuard::classify`] as soon as the kind of statement is known.
#[derive(Debug)]
pub struct Received(());

/// Planned: waiting to be admitted.
#[derive(Debug)]
pub struct Planned(());

/// Admitted: running.
#[derive(Debug)]
pub struct Executing(());

/// A query in one phase of its life. Dropping it cancels the query.
#[derive(Debug)]
pub struct QueryGuard<Phase> {
    life: Life,
    phase: PhantomData<fn() -> Phase>,
}

/// What ends when the query ends.
#[derive(Debug)]
struct Life {
    entry: Arc<Entry>,
    registry: Arc<Registry>,
    place: Option<Place>,
}

impl Life {
    /// Ends the query at once; the answer comes when the history has it.
    fn end(&mut self, error: Option<&Error>) -> BoxFuture<'static, ()> {
        let Some(record) = self.entry.end(error) else {
            return Box::pin(std::future::ready(()));
        };
        // First into the history, then out of the registry, so that at every moment it is in one of them.
        let report = record.report();
        self.registry.tell_end(&record);
        let noted = self.registry.history().end(record);
        self.registry.remove(self.entry.id);
        self.place = None;
        Box::pin(async move {
            if let Err(error) = noted.await {
                let (query_id, state, scanned) = (report.query_id, report.state, report.usage.data_scanned_bytes);
                let billed = report.bill.billed_bytes;
                tracing::error!(%query_id, %state, scanned, billed, ?error, "the end of a query is missing in the history");
            }
        })
    }
}

/// How long a query that has ended waits for the answers to what it has asked for in vain.
const SETTLING: Duration = Duration::from_secs(1);

impl Drop for Life {
    fn drop(&mut self) {
        // Tells those that still work for it; a reason that was given before stays.
        self.entry.cancel(CancelReason::Disconnected);
        let error = self.entry.stop_error(&CancelReason::Disconnected);
        drop(self.end(Some(&error)));
    }
}

impl<Phase> QueryGuard<Phase> {
    fn into_phase<Next>(self) -> QueryGuard<Next> {
        QueryGuard { life: self.life, phase: PhantomData }
    }

    #[must_use]
    pub fn id(&self) -> QueryId {
        self.life.entry.id
    }

    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.life.entry.meter
    }

    /// The session as it was when the query came in.
    #[must_use]
    pub fn options(&self) -> &SessionOptions {
        &self.life.entry.options
    }

    /// The statement as it came in.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.life.entry.statement
    }

    /// What `now()` and `current_date` mean in this query.
    #[must_use]
    pub fn submitted_at(&self) -> DateTime<Utc> {
        self.life.entry.submitted_at
    }

    /// The figures so far.
    #[must_use]
    pub fn report(&self) -> QueryReport {
        self.life.entry.report()
    }

    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.life.entry))
    }

    /// Says what kind of statement it is, and whether its kind pays for what it scans. DDL, `SHOW` and `EXPLAIN` do not; queries and
    /// `EXPLAIN ANALYZE` do. Until then it does not.
    pub fn classify(&self, statement_type: StatementKind, billable: bool) {
        self.life.entry.classify(statement_type, billable);
    }

    /// Does a piece of the query's work, unless the query is stopped or its time is up before.
    ///
    /// # Errors
    /// Those of the work; `Cancelled`, `Aborted`, `TimedOut` or `LimitExceeded`. The query has not ended by that: give the error to [`QueryGuard::fail`].
    pub async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let stopped = self.life.entry.stopped();
        tokio::select! {
            biased;
            error = stopped => Err(error),
            // It may fail because the query was stopped a moment ago.
            done = work => done.map_err(|error| self.life.entry.stopped_with().unwrap_or(error)),
        }
    }

    /// Ends the query with an error; returns when the history has it.
    pub async fn fail(self, error: Error) -> Failure {
        let report = self.end(Some(&error)).await;
        Failure { error, report }
    }

    /// Ends the query now; the answer comes when the history has it.
    pub(crate) fn end(mut self, error: Option<&Error>) -> BoxFuture<'static, QueryReport> {
        let entry = Arc::clone(&self.life.entry);
        if entry.ending(error).gives_up() {
            entry.meter.in_flight().abort();
        }
        if entry.meter.in_flight().close() {
            let noted = self.life.end(error);
            return Box::pin(async move {
                noted.await;
                entry.report()
            });
        }
        // What was read ahead in vain is under way: the store counts it, and so do we.
        let error = error.cloned();
        Box::pin(async move {
            let in_flight = entry.meter.in_flight();
            if tokio::time::timeout(SETTLING, in_flight.settle()).await.is_err() {
                in_flight.abort();
            }
            self.life.end(error.as_ref()).await;
            entry.report()
        })
    }
}

impl QueryGuard<Received> {
    pub(crate) fn new(entry: Arc<Entry>, registry: Arc<Registry>) -> Self {
        Self { life: Life { entry, registry, place: None }, phase: PhantomData }
    }

    /// Planning is over.
    #[must_use]
    pub fn planned(self) -> QueryGuard<Planned> {
        self.life.entry.mark_planned();
        self.into_phase()
    }
}

impl QueryGuard<Planned> {
    /// Waits for one of the places of running queries (see [`super::admission`]). The place is given back when the query ends.
    ///
    /// # Errors
    /// The query was stopped, or its time was up, while it waited; it has ended by that.
    pub async fn admit(mut self) -> Result<QueryGuard<Executing>, Failure> {
        let places = Arc::clone(self.life.registry.places());
        match self.run(async { Ok(places.acquire(&self.options().user).await) }).await {
            Ok(place) => {
                self.life.place = Some(place);
                Ok(self.start())
            }
            Err(error) => Err(self.fail(error).await),
        }
    }

    /// Runs at once, for statements that need no place: DDL, `SHOW`, `EXPLAIN`, and queries that read no store and compute little.
    #[must_use]
    pub fn start(self) -> QueryGuard<Executing> {
        self.life.entry.mark_executing();
        self.life.registry.history().update_running(self.life.entry.record());
        self.into_phase()
    }
}

impl QueryGuard<Executing> {
    /// Ends the query well; returns when the history has it.
    pub async fn succeed(self) -> QueryReport {
        self.end(None).await
    }

    /// The place that the query runs in, if it needs one, for the task that does its work to hold.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.life.place.take()
    }
}

impl<Phase> QueryGuard<Phase> {
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.life.entry
    }
}
