//! What is known of one query. Its guard, its stream, the registry and the system tables share it.
//!
//! Its figures change until it ends, and never after. It ends once.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    cancel::CancelReason,
    ending::Ending,
    history::QueryRecord,
    report::{QueryId, QueryReport, QueryState, RepairFigures},
};
use crate::{
    accounting::{Bill, Meter, Tariff, Timings, UsageDetail},
    clock::Clock,
    error::{Error, ErrorKind},
    session::SessionOptions,
    statement_kind::StatementKind,
};

/// Bytes of a statement's text that are kept.
pub(crate) const MAX_KEPT: usize = (1 << 20) + 1024;

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: QueryId,
    /// The session as it was when the query came in.
    pub(crate) options: SessionOptions,
    pub(crate) statement: String,
    pub(crate) meter: Arc<Meter>,
    pub(crate) submitted_at: DateTime<Utc>,
    /// What it is billed by, as it was when the query came in.
    pub(crate) tariff: Arc<Tariff>,
    clock: Arc<dyn Clock>,
    cancel: watch::Sender<Option<CancelReason>>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    statement_type: Option<StatementKind>,
    billable: bool,
    marks: Marks,
    end: Option<End>,
}

/// The times at which a query passed from one phase to the next.
#[derive(Debug, Clone, Copy)]
struct Marks {
    received: Instant,
    /// With the time spent on listing until then.
    planned: Option<(Instant, Duration)>,
    executing: Option<Instant>,
}

#[derive(Debug)]
struct End {
    ending: Ending,
    at: DateTime<Utc>,
    usage: UsageDetail,
    timings: Timings,
    error: Option<(ErrorKind, String)>,
}

impl Marks {
    /// The times at `now`, of which `listing` was spent on listing. Listing during planning is not part of planning.
    fn timings(&self, now: Instant, listing: Duration) -> Timings {
        let (planned, listed) = self.planned.unwrap_or((now, listing));
        let queued = self.planned.map(|_| self.executing.unwrap_or(now).saturating_duration_since(planned)).unwrap_or_default();
        let execution = self.executing.map(|executing| now.saturating_duration_since(executing)).unwrap_or_default();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Timings {
            queued: millis(queued),
            planning: millis(planned.saturating_duration_since(self.received).saturating_sub(listed)),
            listing: millis(listing),
            execution: millis(execution),
            total: millis(now.saturating_duration_since(self.received)),
        }
    }
}

impl Entry {
    pub(crate) fn new(options: SessionOptions, statement: &str, tariff: Arc<Tariff>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let marks = Marks { received: Instant::now(), planned: None, executing: None };
        Arc::new(Self {
            id: QueryId::next(),
            meter: Meter::new(options.max_scan),
            options,
            statement: statement[..statement.floor_char_boundary(MAX_KEPT)].to_owned(),
            submitted_at: clock.now(),
            tariff,
            clock,
            cancel: watch::Sender::new(None),
            progress: Mutex::new(Progress { statement_type: None, billable: false, marks, end: None }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn classify(&self, statement_type: StatementKind, billable: bool) {
        let mut progress = self.lock();
        (progress.statement_type, progress.billable) = (Some(statement_type), billable);
    }

    pub(super) fn mark_planned(&self) {
        self.lock().marks.planned = Some((Instant::now(), self.meter.listing_time()));
    }

    pub(super) fn mark_executing(&self) {
        self.lock().marks.executing = Some(Instant::now());
    }

    /// Ends the query: succeeded, or with what the error says of it. `None` if it has ended before.
    ///
    /// [`Ending`] says which state that is, and who pays.
    pub(crate) fn end(&self, error: Option<&Error>) -> Option<QueryRecord> {
        let mut progress = self.lock();
        if progress.end.is_some() {
            return None;
        }
        progress.end = Some(End {
            ending: self.ending(error),
            at: self.clock.now(),
            usage: self.meter.detail(),
            timings: progress.marks.timings(Instant::now(), self.meter.listing_time()),
            error: error.map(|error| (error.kind(), error.to_string())),
        });
        Some(self.record_of(&progress))
    }

    /// The ending that this error makes.
    pub(super) fn ending(&self, error: Option<&Error>) -> Ending {
        let cut_off = self.meter.is_over_limit() || *self.cancel.borrow() == Some(CancelReason::ScanLimit);
        Ending::of(error.map(Error::kind), cut_off)
    }

    /// The query as the history holds it, now.
    pub(crate) fn record(&self) -> QueryRecord {
        self.record_of(&self.lock())
    }

    pub(crate) fn report(&self) -> QueryReport {
        self.report_of(&self.lock())
    }

    /// The figures in all, by store and by table: so far, or at the end.
    pub(crate) fn detail(&self) -> UsageDetail {
        self.lock().end.as_ref().map_or_else(|| self.meter.detail(), |end| end.usage.clone())
    }

    fn report_of(&self, progress: &Progress) -> QueryReport {
        let (state, usage, timings) = match &progress.end {
            Some(end) => (end.ending.state(), Cow::Borrowed(&end.usage), end.timings),
            None => {
                let state = if progress.marks.executing.is_some() { QueryState::Running } else { QueryState::Queued };
                let timings = progress.marks.timings(Instant::now(), self.meter.listing_time());
                (state, Cow::Owned(self.meter.detail()), timings)
            }
        };
        let pays = progress.billable && progress.end.as_ref().is_none_or(|end| end.ending.pays());
        // Of a query that does not pay everything is free: its requests, too.
        let bill = if pays { self.tariff.bill(&usage) } else { Bill::default() };
        let repair = self.meter.repair();
        let repair = RepairFigures { found: repair.found(), added: repair.added(), dropped: repair.dropped() };
        QueryReport {
            query_id: self.id,
            state,
            usage: usage.total,
            bill,
            tariff: Some(self.tariff.id()),
            timings,
            scan: Some(self.meter.scan().snapshot()),
            listing: self.meter.listing().snapshot_of(),
            repair: (repair != RepairFigures::default()).then_some(repair),
        }
    }

    fn record_of(&self, progress: &Progress) -> QueryRecord {
        let report = self.report_of(progress);
        let error = progress.end.as_ref().and_then(|end| end.error.as_ref());
        QueryRecord {
            query_id: self.id,
            state: report.state,
            user: self.options.user.clone(),
            workgroup: self.options.workgroup.clone(),
            database: self.options.database.clone(),
            labels: self.options.labels.clone(),
            statement: self.statement.clone(),
            statement_type: progress.statement_type,
            submitted_at: self.submitted_at,
            ended_at: progress.end.as_ref().map(|end| end.at),
            error_kind: error.map(|(kind, _)| *kind),
            error_message: error.map(|(_, message)| message.clone()),
            usage: report.usage,
            bill: report.bill,
            tariff: report.tariff,
            timings: report.timings,
        }
    }

    /// Stops the query; the first reason counts. Its requests in flight are aborted, except when it reaches its scan limit: as with every
    /// failure, the store counts them, and so do we.
    pub(crate) fn cancel(&self, reason: CancelReason) -> bool {
        if self.lock().end.is_some() {
            return false;
        }
        let gives_up = reason != CancelReason::ScanLimit;
        let first = self.cancel.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason);
            }
            first
        });
        // After the reason is set: a read that fails because of this must find it, or it would be reported as the query's own error.
        if gives_up {
            self.meter.in_flight().abort();
        }
        first
    }

    /// The error of the reason that the query was stopped for, or of `otherwise` if it was not stopped.
    pub(crate) fn stop_error(&self, otherwise: &CancelReason) -> Error {
        let reason = self.cancel.borrow();
        reason.as_ref().unwrap_or(otherwise).error(self.options.timeout, self.meter.scan_limit())
    }

    /// The error that the query was stopped with, if it was.
    pub(crate) fn stopped_with(&self) -> Option<Error> {
        let is_stopped = self.cancel.borrow().is_some();
        is_stopped.then(|| self.stop_error(&CancelReason::User))
    }

    /// Ready with the error once the query is stopped or its time is up.
    pub(crate) fn stopped(self: &Arc<Self>) -> impl Future<Output = Error> + Send + use<> {
        let (entry, mut reasons) = (Arc::clone(self), self.cancel.subscribe());
        let received = self.lock().marks.received;
        let deadline = self.options.timeout.and_then(|timeout| received.checked_add(timeout));
        async move {
            let cancelled = async { _ = reasons.wait_for(Option::is_some).await };
            match deadline {
                None => cancelled.await,
                Some(deadline) => {
                    if tokio::time::timeout_at(deadline.into(), cancelled).await.is_err() {
                        entry.cancel(CancelReason::Timeout);
                    }
                }
            }
            entry.stop_error(&CancelReason::User)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_own_time() {
        let received = Instant::now();
        let after = |millis| received + Duration::from_millis(millis);
        let listing = Duration::from_millis(30);

        let mut marks = Marks { received, planned: None, executing: None };
        let planning = marks.timings(after(80), listing);
        assert_eq!(planning, Timings { queued: 0, planning: 50, listing: 30, execution: 0, total: 80 });

        marks.planned = Some((after(100), listing));
        let queued = marks.timings(after(140), listing);
        assert_eq!(queued, Timings { queued: 40, planning: 70, listing: 30, execution: 0, total: 140 });

        marks.executing = Some(after(150));
        // Listing while the query runs does not shorten planning.
        let running = marks.timings(after(1_150), Duration::from_millis(45));
        assert_eq!(running, Timings { queued: 50, planning: 70, listing: 45, execution: 1_000, total: 1_150 });
    }
}
