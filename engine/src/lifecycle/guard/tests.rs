//! Tests of a query's life: every way it can end.

use std::time::Duration;

use super::*;
use crate::{
    accounting::{RequestKind, ScanMeter, Tariffs, Usd},
    clock::system_clock,
    error::ErrorKind,
    lifecycle::{Ending, History, QueryManager, QueryObserver, QueryRecord, QueryState, Quoted},
    session::Origin,
    statement_kind::StatementKind,
};

fn manager(slots: usize) -> QueryManager {
    QueryManager::new(Arc::new(History::in_memory().unwrap()), Tariffs::default(), slots, system_clock())
}

fn receive(manager: &QueryManager, options: SessionOptions) -> QueryGuard<Received> {
    let guard = manager.receive(options, "SELECT 1").unwrap();
    guard.classify(StatementKind::Dml, true);
    guard
}

fn begin(manager: &QueryManager) -> QueryGuard<Received> {
    receive(manager, SessionOptions::default())
}

fn scan(meter: &Arc<Meter>, bytes: u64) {
    assert!(ScanMeter::new(Arc::clone(meter)).file("a").consume(&(0..bytes)));
}

/// The one query in the history, which must have left the registry if it has ended.
async fn recorded(manager: &QueryManager) -> QueryRecord {
    let mut records = manager.history().list(Default::default()).await.unwrap();
    assert_eq!(records.len(), 1);
    let record = records.remove(0);
    assert_eq!(record.state.is_terminal(), manager.list_running().is_empty());
    record
}

#[tokio::test]
async fn a_success_is_recorded_with_its_bill() {
    let manager = manager(1);
    let guard = begin(&manager);
    assert_eq!(recorded(&manager).await.state, QueryState::Queued);
    let guard = guard.planned().admit().await.unwrap();
    assert_eq!(recorded(&manager).await.state, QueryState::Running);
    scan(guard.meter(), 10_000_001);
    guard.meter().store("s3://lake").add_request(RequestKind::Get);
    let report = guard.succeed().await;
    let record = recorded(&manager).await;
    assert_eq!((report.state, report.bill.billed_bytes), (QueryState::Succeeded, 11_000_000));
    assert_eq!((record.state, record.usage, record.bill, record.error_kind), (report.state, report.usage, report.bill, None));
    assert_eq!((record.usage.requests.get, record.statement_type), (1, Some(StatementKind::Dml)));
    let timings = record.timings;
    assert!(timings.planning + timings.queued + timings.execution <= timings.total);
}

#[tokio::test]
async fn where_it_came_from_and_what_was_quoted_are_recorded() {
    let manager = manager(1);
    let origin = Origin { application: Some("dbt".to_owned()), root_id: Some("run 7".to_owned()), ..Origin::default() };
    let guard = receive(&manager, SessionOptions { origin: origin.clone(), ..SessionOptions::default() });
    let quoted = Quoted { data_scanned_bytes: 10, cost: Usd::from_atto(5) };
    guard.entry().note_quote(quoted);
    for bytes in [1, 70, 7] {
        guard.meter().note_memory(bytes);
    }
    let guard = guard.planned().admit().await.unwrap();
    let record = recorded(&manager).await;
    assert_eq!((record.quoted, record.peak_memory_bytes, record.ending), (Some(quoted), Some(70), None));
    guard.succeed().await;
    let record = recorded(&manager).await;
    assert_eq!((record.quoted, record.peak_memory_bytes, record.ending), (Some(quoted), Some(70), Some(Ending::Succeeded)));
    assert_eq!((record.origin, record.fingerprint, record.normalized), (origin, None, None));
    assert!(record.tariff.is_some_and(|tariff| tariff.starts_with("athena@")));
}

#[tokio::test]
async fn dropping_cancels_in_every_phase_and_bills_what_was_scanned() {
    for phase in 0..3 {
        let manager = manager(1);
        let guard = begin(&manager);
        scan(guard.meter(), 5);
        match phase {
            0 => drop(guard),
            1 => drop(guard.planned()),
            _ => drop(guard.planned().admit().await.unwrap()),
        }
        let record = recorded(&manager).await;
        assert_eq!((record.state, record.error_kind), (QueryState::Cancelled, Some(ErrorKind::Cancelled)), "phase {phase}");
        assert_eq!((record.usage.data_scanned_bytes, record.bill.billed_bytes), (5, 10_000_000), "phase {phase}");
        assert!(record.ended_at.is_some());
        assert_eq!(manager.free_slots(), 1, "phase {phase} gives its slot back");
    }
}

#[tokio::test]
async fn failing_is_free_in_every_phase() {
    for phase in 0..3 {
        let manager = manager(1);
        let guard = begin(&manager);
        scan(guard.meter(), 5);
        let error = Error::corrupt("file \"x\" is damaged");
        let failure = match phase {
            0 => guard.fail(error).await,
            1 => guard.planned().fail(error).await,
            _ => guard.planned().admit().await.unwrap().fail(error).await,
        };
        assert_eq!(failure.error.kind(), ErrorKind::CorruptData);
        assert_eq!((failure.report.state, failure.report.bill.billed_bytes), (QueryState::Failed, 0));
        let record = recorded(&manager).await;
        assert_eq!((record.state, record.bill.billed_bytes, record.usage.data_scanned_bytes), (QueryState::Failed, 0, 5));
        assert_eq!(record.error_message.as_deref(), Some("file \"x\" is damaged"));
        assert_eq!(manager.free_slots(), 1, "phase {phase} gives its slot back");
    }
}

#[tokio::test]
async fn free_statements_pay_nothing_however_they_end() {
    for cancelled in [false, true] {
        let manager = manager(1);
        let guard = begin(&manager);
        guard.classify(StatementKind::Utility, false);
        let guard = guard.planned().start();
        scan(guard.meter(), 5);
        if cancelled {
            drop(guard);
        } else {
            guard.succeed().await;
        }
        let record = recorded(&manager).await;
        assert_eq!((record.usage.data_scanned_bytes, record.bill.billed_bytes), (5, 0));
    }
}

#[tokio::test]
async fn the_first_reason_to_stop_counts() {
    let manager = manager(1);
    let guard = begin(&manager);
    let canceller = guard.canceller();
    assert!(canceller.cancel(CancelReason::KilledBy("grace".to_owned())));
    assert!(!canceller.cancel(CancelReason::User));
    let error = guard.run(std::future::pending::<Result<()>>()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Aborted, "the query was killed by \"grace\""));
    let failure = guard.fail(error).await;
    assert_eq!(failure.report.state, QueryState::Cancelled);
    assert!(!canceller.cancel(CancelReason::User), "it has ended");
    assert_eq!(canceller.report().state, QueryState::Cancelled);
}

#[tokio::test]
async fn the_time_limit_covers_planning_and_waiting() {
    let hurried = || SessionOptions { timeout: Some(Duration::from_millis(1)), ..SessionOptions::default() };
    let manager = manager(1);
    let guard = receive(&manager, hurried());
    scan(guard.meter(), 5);
    let error = guard.run(std::future::pending::<Result<()>>()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::TimedOut, "the query took longer than its limit of 1ms"));
    // Time that is up is a failure that is paid for.
    let failure = guard.fail(error).await;
    assert_eq!((failure.report.state, failure.report.bill.billed_bytes), (QueryState::Failed, 10_000_000));

    let running = begin(&manager).planned().admit().await.unwrap();
    let failure = receive(&manager, hurried()).planned().admit().await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::TimedOut, QueryState::Failed));
    drop(running);
    let states: Vec<_> = manager.history().list(Default::default()).await.unwrap().iter().map(|query| query.state).collect();
    assert_eq!(states, [QueryState::Failed, QueryState::Cancelled, QueryState::Failed]);
}

#[tokio::test]
async fn exceeding_the_scan_limit_cancels_and_pays_but_other_limits_fail() {
    for (limit, state, billed) in
        [(Some(4), QueryState::Cancelled, 10_000_000), (Some(5), QueryState::Failed, 0), (None, QueryState::Failed, 0)]
    {
        let manager = manager(1);
        let guard = receive(&manager, SessionOptions { max_scan: limit, ..SessionOptions::default() });
        // What would go over the limit is not given out, and not counted; what was before is paid for.
        let mut file = ScanMeter::new(Arc::clone(guard.meter())).file("a");
        assert!(file.consume(&(0..3)));
        assert_eq!(file.consume(&(0..5)), limit != Some(4));
        let failure = guard.fail(Error::new(ErrorKind::LimitExceeded, "too much")).await;
        assert_eq!((failure.report.state, failure.report.bill.billed_bytes), (state, billed), "limit {limit:?}");
    }
}

#[tokio::test]
async fn figures_stand_still_after_the_end() {
    let manager = manager(1);
    let guard = begin(&manager).planned().start();
    let (meter, canceller) = (Arc::clone(guard.meter()), guard.canceller());
    let report = guard.succeed().await;
    scan(&meter, 5);
    assert_eq!(canceller.report().usage, report.usage);
    assert_eq!(canceller.report().timings, report.timings);
}

#[derive(Debug, Default)]
struct Heard(std::sync::Mutex<Vec<(QueryState, u64)>>);

impl QueryObserver for Heard {
    fn ended(&self, record: &QueryRecord) {
        self.0.lock().unwrap().push((record.state, record.bill.billed_bytes));
    }
}

#[tokio::test]
async fn an_observer_hears_of_every_end_once() {
    let (manager, heard) = (manager(2), Arc::new(Heard::default()));
    manager.observe(Arc::clone(&heard) as Arc<dyn QueryObserver>).unwrap();
    let guard = begin(&manager).planned().admit().await.unwrap();
    scan(guard.meter(), 10_000_001);
    let _ = guard.succeed().await;
    drop(begin(&manager));
    let _ = begin(&manager).fail(Error::invalid("no")).await;
    let expected = [(QueryState::Succeeded, 11_000_000), (QueryState::Cancelled, 0), (QueryState::Failed, 0)];
    assert_eq!(*heard.0.lock().unwrap(), expected);
    assert_eq!(manager.observe(heard).unwrap_err().kind(), ErrorKind::AlreadyExists);
}
