//! The guard of one query: its owner makes sure that the query ends, and that it is recorded and billed exactly once.
//!
//! ```text
//!  QueryGuard<Received> --planned()--> <Planned> --admit() or start()--> <Executing> --succeed()--> SUCCEEDED
//!          |                               |                                 |
//!          +------------ fail(error) ------+---------------------------------+-- FAILED, or CANCELLED if it was stopped (`ending`)
//!          +------------ dropped ----------+---------------------------------+-- CANCELLED
//! ```
//!
//! [`super::ending::Ending`] says what each end means for state and bill. The guard does not know how a query is planned or executed.

#[cfg(test)]
mod tests;

use std::{marker::PhantomData, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{
    admission::{Claim, Slot},
    budget::{Purse, Spender},
    cancel::CancelReason,
    canceller::Canceller,
    entry::Entry,
    limits::Limits,
    registry::Registry,
    report::{Failure, QueryId, QueryReport},
};
use crate::{
    accounting::{Meter, Payer, Usd},
    error::{Error, Result},
    session::SessionOptions,
    statement_kind::StatementKind,
};

/// Taken in: being parsed, checked and planned. Call [`QueryGuard::classify`] as soon as the kind of statement is known.
#[derive(Debug)]
pub(crate) struct Received(());

/// Planned: waiting to be admitted.
#[derive(Debug)]
pub(crate) struct Planned(());

/// Admitted: running.
#[derive(Debug)]
pub(crate) struct Executing(());

/// A query in one phase of its life. Dropping it cancels the query.
#[derive(Debug)]
pub(crate) struct QueryGuard<Phase> {
    life: Life,
    phase: PhantomData<fn() -> Phase>,
}

/// What ends when the query ends.
#[derive(Debug)]
struct Life {
    entry: Arc<Entry>,
    registry: Arc<Registry>,
    slot: Option<Slot>,
}

impl Life {
    /// Ends the query at once; the future is ready when the history has it.
    fn end(&mut self, error: Option<&Error>) -> BoxFuture<'static, ()> {
        let Some(record) = self.entry.end(error) else {
            return Box::pin(std::future::ready(()));
        };
        if let Some(spender) = spender_of(&self.entry) {
            // Before the history has it, which then says what was spent.
            let budgets = self.registry.budgets();
            budgets.end(&spender, record.bill.total());
            if let Some(CancelReason::Budget(spent)) = self.entry.over_limit() {
                budgets.refused(&spender, &spent);
            }
        }
        // First into the history, then out of the registry, so that at every moment it is in one of them.
        let report = record.report();
        self.registry.report_end(&record);
        let noted = self.registry.history().end(record);
        self.registry.remove(self.entry.id);
        self.slot = None;
        Box::pin(async move {
            if let Err(error) = noted.await {
                let (query_id, state, scanned) = (report.query_id, report.state, report.usage.data_scanned_bytes);
                let billed = report.bill.billed_bytes;
                tracing::error!(%query_id, %state, scanned, billed, ?error, "the end of a query is missing in the history");
            }
        })
    }
}

/// The query as one that is paid out of budgets, if its workgroup has any.
fn spender_of(entry: &Entry) -> Option<Spender> {
    let limits = entry.limits();
    limits.budget.is_set().then(|| Spender { query: entry.id, day: entry.submitted_at.date_naive(), limits })
}

/// How long a query that has ended waits for the responses to requests whose bytes it no longer needs.
const SETTLING: Duration = Duration::from_secs(1);

impl Drop for Life {
    fn drop(&mut self) {
        // Stops whatever still works for it; a reason that was given before stays.
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
    pub(crate) fn id(&self) -> QueryId {
        self.life.entry.id
    }

    #[must_use]
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.life.entry.meter
    }

    /// The session as it was when the query came in.
    #[must_use]
    pub(crate) fn options(&self) -> &SessionOptions {
        &self.life.entry.options
    }

    /// The figures so far.
    #[must_use]
    pub(crate) fn report(&self) -> QueryReport {
        self.life.entry.report()
    }

    #[must_use]
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller::new(&self.life.entry)
    }

    /// Says what kind of statement it is, and whether its kind pays for what it scans. DDL, `SHOW` and `EXPLAIN` are free; queries and
    /// `EXPLAIN ANALYZE` pay. Until this is called, the query is free.
    pub(crate) fn classify(&self, statement_type: StatementKind, billable: bool) {
        self.life.entry.classify(statement_type, billable);
    }

    /// Sets the limits that hold for the query in the place of its session's, before it scans anything.
    pub(crate) fn enforce(&self, limits: Limits) {
        self.life.entry.enforce(limits);
    }

    /// Does a piece of the query's work, unless the query is stopped or its time is up before the work is done.
    ///
    /// # Errors
    /// Those of the work; `Cancelled`, `Aborted`, `TimedOut` or `LimitExceeded`. The query has not ended then: pass the error to [`QueryGuard::fail`].
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let stopped = self.life.entry.stopped();
        tokio::select! {
            biased;
            error = stopped => Err(error),
            // The work may have failed because the query was stopped a moment ago.
            done = work => done.map_err(|error| self.life.entry.stopped_with().unwrap_or(error)),
        }
    }

    /// Ends the query with an error; returns when the history has it.
    pub(crate) async fn fail(self, error: Error) -> Failure {
        let report = self.end(Some(&error)).await;
        Failure { error, report }
    }

    /// Ends the query now; the future is ready when the history has it.
    pub(super) fn end(mut self, error: Option<&Error>) -> BoxFuture<'static, QueryReport> {
        let entry = Arc::clone(&self.life.entry);
        if entry.ending(error).aborts_requests() {
            entry.meter.in_flight().abort();
        }
        if entry.meter.in_flight().close() {
            let noted = self.life.end(error);
            return Box::pin(async move {
                noted.await;
                entry.report()
            });
        }
        // What was read ahead and is not needed is still in flight: the store counts it, and so do we.
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
    pub(super) fn new(entry: Arc<Entry>, registry: Arc<Registry>) -> Self {
        Self { life: Life { entry, registry, slot: None }, phase: PhantomData }
    }

    /// Planning is over.
    #[must_use]
    pub(crate) fn planned(self) -> QueryGuard<Planned> {
        self.life.entry.mark_planned();
        self.into_phase()
    }
}

impl QueryGuard<Planned> {
    /// Waits for a slot, which is given back when the query ends. Slots are shared among workgroups and users (`lifecycle/admission`).
    ///
    /// # Errors
    /// The queue or a budget of its workgroup had no room for it, or it was stopped, or its time was up, while it waited; it has ended.
    pub(crate) async fn admit(self) -> Result<QueryGuard<Executing>, Failure> {
        self.admit_quoted(None).await
    }

    /// The same for a query of which it is known how many bytes of table data it scans at most.
    ///
    /// # Errors
    /// As [`QueryGuard::admit`].
    pub(crate) async fn admit_quoted(mut self, quoted_bytes: Option<u64>) -> Result<QueryGuard<Executing>, Failure> {
        match self.run(self.admitted(quoted_bytes)).await {
            Ok(slot) => {
                self.life.slot = Some(slot);
                Ok(self.start())
            }
            Err(error) => Err(self.fail(error).await),
        }
    }

    /// Waits for a slot, and for money where the query pays out of a budget.
    async fn admitted(&self, quoted_bytes: Option<u64>) -> Result<Slot> {
        let (entry, registry) = (&self.life.entry, &self.life.registry);
        let limits = entry.limits();
        let spender = spender_of(entry).filter(|_| entry.is_billable());
        let purse = spender.map(|spender| Purse::new(registry.budgets(), spender, cost_of(entry)));
        // What scans nothing goes on when nothing is left.
        if let Some(purse) = purse.as_ref().filter(|_| quoted_bytes != Some(0)) {
            purse.check().await?;
        }
        let claim = Claim {
            query: Some(entry.id),
            workgroup: Arc::clone(&limits.workgroup),
            user: entry.options.user.as_str().into(),
            max_running: limits.max_concurrent_queries.unwrap_or(usize::MAX),
            max_waiting: limits.max_queued_queries,
        };
        let slot = registry.slots().enter(claim).await?;
        if let Some(purse) = purse {
            let granted = purse.open(quoted_bytes)?;
            entry.meter.allowance().pay_by(Arc::new(purse) as Arc<dyn Payer>, granted);
        }
        Ok(slot)
    }

    /// Runs at once, for statements that need no slot: DDL, `SHOW`, `EXPLAIN`, and queries that read no store and compute little.
    #[must_use]
    pub(crate) fn start(self) -> QueryGuard<Executing> {
        self.life.entry.mark_executing();
        self.life.registry.history().update_running(self.life.entry.record());
        self.into_phase()
    }
}

/// What a query costs once it has scanned so many bytes. It does not keep the query.
fn cost_of(entry: &Arc<Entry>) -> Box<dyn Fn(u64) -> Usd + Send + Sync> {
    let entry = Arc::downgrade(entry);
    Box::new(move |bytes| entry.upgrade().map(|entry| entry.cost_at(bytes)).unwrap_or_default())
}

impl QueryGuard<Executing> {
    /// Ends the query successfully; returns when the history has it.
    pub(crate) async fn succeed(self) -> QueryReport {
        self.end(None).await
    }

    /// The slot that the query runs in, if it has one, for the task that does its work to hold.
    pub(crate) fn take_slot(&mut self) -> Option<Slot> {
        self.life.slot.take()
    }
}

impl<Phase> QueryGuard<Phase> {
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.life.entry
    }
}
