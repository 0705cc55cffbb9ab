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
    history::{QueryRecord, Quoted},
    limits::Limits,
    report::{QueryId, QueryReport, QueryState, RepairFigures},
    statement_text::{StatementText, TextRules},
};
use crate::{
    accounting::{Bill, Meter, Tariff, Timings, UsageDetail, Usd},
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
    /// The statement as the history keeps it.
    text: StatementText,
    rules: TextRules,
    /// That of the engine, as it was when the query came in. Its workgroup may have another.
    tariff: Arc<Tariff>,
    /// Those of the session, until those of its workgroup are known.
    limits: Mutex<Arc<Limits>>,
    clock: Arc<dyn Clock>,
    cancel: watch::Sender<Option<CancelReason>>,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    statement_type: Option<StatementKind>,
    billable: bool,
    quoted: Option<Quoted>,
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
    pub(crate) fn new(
        options: SessionOptions,
        statement: &str,
        rules: TextRules,
        tariff: Arc<Tariff>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let marks = Marks { received: Instant::now(), planned: None, executing: None };
        let progress = Progress { statement_type: None, billable: false, quoted: None, marks, end: None };
        let statement = statement[..statement.floor_char_boundary(MAX_KEPT)].to_owned();
        Arc::new(Self {
            id: QueryId::next(),
            meter: Meter::new(options.max_scan),
            limits: Mutex::new(Arc::new(Limits::of_session(&options))),
            options,
            text: (rules.describe)(&statement),
            rules,
            statement,
            submitted_at: clock.now(),
            tariff,
            clock,
            cancel: watch::Sender::new(None),
            progress: Mutex::new(progress),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn classify(&self, statement_type: StatementKind, billable: bool) {
        let mut progress = self.lock();
        (progress.statement_type, progress.billable) = (Some(statement_type), billable);
    }

    /// Whether its kind of statement pays for what it scans.
    pub(super) fn is_billable(&self) -> bool {
        self.lock().billable
    }

    /// The limits that hold for it.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the limits that hold for it, before it scans anything.
    pub(super) fn enforce(&self, limits: Limits) {
        self.meter.allowance().set_limit(limits.max_scan.map(|limit| limit.value));
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// What it is billed by.
    pub(crate) fn tariff(&self) -> Arc<Tariff> {
        Arc::clone(self.limits().tariff.as_ref().unwrap_or(&self.tariff))
    }

    /// What it costs once it has scanned so many bytes, with the requests that it has made until now. What it has not scanned yet is taken to come
    /// from the store that it has fetched most from.
    pub(super) fn cost_at(&self, data_scanned_bytes: u64) -> Usd {
        let mut usage = self.meter.detail();
        let to_come = data_scanned_bytes.saturating_sub(usage.total.data_scanned_bytes);
        if let Some(store) = usage.stores.iter_mut().max_by_key(|store| store.fetched_bytes) {
            store.fetched_bytes = store.fetched_bytes.saturating_add(to_come);
        }
        usage.total.data_scanned_bytes = data_scanned_bytes;
        self.tariff().bill(&usage).total()
    }

    /// Notes what the query was quoted.
    pub(crate) fn note_quote(&self, quoted: Quoted) {
        self.lock().quoted = Some(quoted);
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
            error: error.map(|error| (error.kind(), (self.rules.error)(error.to_string(), &self.statement))),
        });
        Some(self.record_of(&progress))
    }

    /// The ending that this error makes.
    pub(super) fn ending(&self, error: Option<&Error>) -> Ending {
        let is_stopped = || self.cancel.borrow().as_ref().is_some_and(CancelReason::is_cut_off);
        let is_cut_off = self.meter.allowance().is_refused() || is_stopped();
        Ending::of(error.map(Error::kind), is_cut_off)
    }

    /// The query as the history holds it, now.
    pub(crate) fn record(&self) -> QueryRecord {
        self.record_of(&self.lock())
    }

    pub(crate) fn report(&self) -> QueryReport {
        let progress = self.lock();
        self.report_of(&progress, &self.usage_of(&progress))
    }

    /// The figures in all, by store and by table: so far, or at the end.
    pub(crate) fn detail(&self) -> UsageDetail {
        let progress = self.lock();
        self.usage_of(&progress).into_owned()
    }

    fn usage_of<'a>(&self, progress: &'a Progress) -> Cow<'a, UsageDetail> {
        match &progress.end {
            Some(end) => Cow::Borrowed(&end.usage),
            None => Cow::Owned(self.meter.detail()),
        }
    }

    fn report_of(&self, progress: &Progress, usage: &UsageDetail) -> QueryReport {
        let (state, timings) = match &progress.end {
            Some(end) => (end.ending.state(), end.timings),
            None => {
                let state = if progress.marks.executing.is_some() { QueryState::Running } else { QueryState::Queued };
                (state, progress.marks.timings(Instant::now(), self.meter.listing_time()))
            }
        };
        let pays = progress.billable && progress.end.as_ref().is_none_or(|end| end.ending.pays());
        // Of a query that does not pay everything is free: its requests, too.
        let tariff = self.tariff();
        let bill = if pays { tariff.bill(usage) } else { Bill::default() };
        let repair = self.meter.repair();
        let repair = RepairFigures { found: repair.found(), added: repair.added(), dropped: repair.dropped() };
        QueryReport {
            query_id: self.id,
            state,
            usage: usage.total,
            bill,
            tariff: Some(tariff.id()),
            timings,
            scan: Some(self.meter.scan().snapshot()),
            listing: self.meter.listing().snapshot_of(),
            repair: (repair != RepairFigures::default()).then_some(repair),
        }
    }

    fn record_of(&self, progress: &Progress) -> QueryRecord {
        let usage = self.usage_of(progress);
        let report = self.report_of(progress, &usage);
        let end = progress.end.as_ref();
        let error = end.and_then(|end| end.error.as_ref());
        let UsageDetail { stores, tables, .. } = usage.into_owned();
        QueryRecord {
            query_id: self.id,
            state: report.state,
            user: self.options.user.clone(),
            workgroup: self.options.workgroup.clone(),
            database: self.options.database.clone(),
            labels: self.options.labels.clone(),
            origin: self.options.origin.clone(),
            statement: self.text.redacted.as_ref().unwrap_or(&self.statement).clone(),
            normalized: self.text.normalized.clone(),
            fingerprint: self.text.fingerprint,
            statement_type: progress.statement_type,
            submitted_at: self.submitted_at,
            ended_at: end.map(|end| end.at),
            ending: end.map(|end| end.ending),
            error_kind: error.map(|(kind, _)| *kind),
            error_message: error.map(|(_, message)| message.clone()),
            usage: report.usage,
            stores,
            tables,
            bill: report.bill,
            tariff: report.tariff,
            quoted: progress.quoted,
            peak_memory_bytes: Some(self.meter.peak_memory()).filter(|bytes| *bytes > 0),
            timings: report.timings,
            queue_position: None,
        }
    }

    /// Stops the query; the first reason counts. Its requests in flight are aborted, except when it needs more than it may scan.
    pub(crate) fn cancel(&self, reason: CancelReason) -> bool {
        if self.lock().end.is_some() {
            return false;
        }
        let gives_up = !reason.is_cut_off();
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
        reason.as_ref().unwrap_or(otherwise).error(&self.limits())
    }

    /// Why the query ends, if it needs more than it may scan.
    pub(super) fn over_limit(&self) -> Option<CancelReason> {
        let allowance = self.meter.allowance();
        allowance.is_refused().then(|| allowance.spent().map_or(CancelReason::ScanLimit, CancelReason::Budget))
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
        let deadline = self.limits().timeout.and_then(|timeout| received.checked_add(timeout.value));
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
