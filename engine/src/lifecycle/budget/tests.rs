//! Tests of budgets, by queries of a workgroup and a clock that is set. 10 MB cost 0.00005 USD.

use std::path::Path;

use chrono::{DateTime, Days, Utc};
use futures::future::join_all;

use super::*;
use crate::{
    accounting::{ScanMeter, Tariffs},
    error::{Error, ErrorKind},
    hooks::HookOptions,
    lifecycle::{
        Budget, Executing, HistoryOptions, Limits, QueryGuard, QueryManager, QueryReport, QueryState, UsageFilter,
        history::WarningKey,
    },
    session::SessionOptions,
    statement_kind::StatementKind,
};

const MB: u64 = 1_000_000;

/// A clock that is set by hand.
#[derive(Debug)]
struct Hand(Mutex<DateTime<Utc>>);

impl Clock for Hand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

impl Hand {
    fn next_day(&self) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add_days(Days::new(1)).unwrap();
    }
}

/// Stands at 2023-11-29 22:13:20 UTC.
fn hand() -> Arc<Hand> {
    Arc::new(Hand(Mutex::new(DateTime::from_timestamp(1_701_296_000, 0).unwrap())))
}

fn manager_of(history: History, clock: &Arc<Hand>) -> QueryManager {
    QueryManager::new(Arc::new(history), Tariffs::default(), 16, Arc::clone(clock) as Arc<dyn Clock>)
}

fn manager(clock: &Arc<Hand>) -> QueryManager {
    manager_of(History::in_memory().unwrap(), clock)
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn of_day(amount: &str) -> Limits {
    limits(Budget { per_day: Some(usd(amount)), is_hard: true, ..Budget::default() })
}

fn of_month(amount: &str) -> Limits {
    limits(Budget { per_month: Some(usd(amount)), is_hard: true, ..Budget::default() })
}

fn limits(budget: Budget) -> Limits {
    Limits { budget, ..Limits::of_session(&SessionOptions::default()) }
}

/// A query that runs, as it was quoted.
async fn begin(manager: &QueryManager, limits: &Limits, quote: Option<u64>) -> Result<QueryGuard<Executing>, Error> {
    let session = SessionOptions { workgroup: limits.workgroup.to_string(), ..SessionOptions::default() };
    let guard = manager.receive(session, "SELECT 1").unwrap();
    guard.classify(StatementKind::Dml, true);
    guard.enforce(limits.clone());
    guard.planned().admit_quoted(quote).await.map_err(|failure| {
        assert_eq!((failure.report.state, failure.report.bill.total()), (QueryState::Failed, Usd::ZERO));
        failure.error
    })
}

/// Scans a megabyte after another until it is through, or ends for its budget.
async fn scan(guard: QueryGuard<Executing>, megabytes: u64) -> Result<QueryReport, (Error, QueryReport)> {
    let mut file = ScanMeter::new(Arc::clone(guard.meter())).file("a");
    let is_through = (0..megabytes).all(|at| file.consume(&(at * MB..(at + 1) * MB)));
    match guard.entry().over_limit() {
        None => {
            assert!(is_through);
            Ok(guard.succeed().await)
        }
        Some(reason) => {
            let error = reason.error(&guard.entry().limits());
            let failure = guard.fail(error).await;
            Err((failure.error, failure.report))
        }
    }
}

/// A query of 10 MB that is quoted so.
async fn ten_megabytes(manager: &QueryManager, limits: &Limits) -> Result<QueryReport, Error> {
    let guard = begin(manager, limits, Some(10 * MB)).await?;
    scan(guard, 10).await.map_err(|(error, _)| error)
}

#[tokio::test]
async fn what_would_begin_is_refused_when_the_budget_is_spent_until_the_next_period() {
    let clock = hand();
    let (manager, limits) = (manager(&clock), of_day("0.0001"));
    ten_megabytes(&manager, &limits).await.unwrap();
    ten_megabytes(&manager, &limits).await.unwrap();
    let error = ten_megabytes(&manager, &limits).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(error.message(), "the budget of workgroup \"primary\" for 2023-11-29 is used up: 0.0001 of 0.0001 USD are spent");
    // What scans nothing goes on, and other workgroups do.
    begin(&manager, &limits, Some(0)).await.unwrap().succeed().await;
    let other = Limits { workgroup: "bi".into(), ..limits.clone() };
    ten_megabytes(&manager, &other).await.unwrap();
    clock.next_day();
    ten_megabytes(&manager, &limits).await.unwrap();
    // Of the month, all days count.
    let error = ten_megabytes(&manager, &of_month("0.00015")).await.unwrap_err();
    assert!(error.message().contains("for 2023-11 is used up: 0.00015 of 0.00015"), "{error}");
    clock.next_day();
    ten_megabytes(&manager, &of_month("0.00015")).await.unwrap();
}

#[tokio::test]
async fn a_query_ends_where_its_budget_does_and_pays_for_what_it_has_scanned() {
    let clock = hand();
    let manager = manager(&clock);
    // Of 24 MB.
    let guard = begin(&manager, &of_day("0.00012"), None).await.unwrap();
    let (error, report) = scan(guard, 30).await.unwrap_err();
    assert_eq!((error.kind(), report.state), (ErrorKind::LimitExceeded, QueryState::Cancelled));
    assert_eq!((report.usage.data_scanned_bytes, report.bill.total()), (24 * MB, usd("0.00012")));
    assert!(error.message().contains("0 of 0.00012 USD are spent, 0.00012 USD are reserved"), "{error}");
    // Without the stop it goes on.
    let soft = limits(Budget { per_day: Some(usd("0.00012")), ..Budget::default() });
    let guard = begin(&manager, &soft, None).await.unwrap();
    assert_eq!(scan(guard, 30).await.unwrap().usage.data_scanned_bytes, 30 * MB);
}

#[tokio::test]
async fn queries_that_run_together_do_not_overrun_it() {
    let clock = hand();
    let (manager, limits) = (manager(&clock), of_day("0.0005"));
    let guards = join_all((0..16).map(|_| begin(&manager, &limits, Some(10 * MB)))).await;
    let (running, refused): (Vec<_>, Vec<_>) = guards.into_iter().partition(Result::is_ok);
    assert_eq!((running.len(), refused.len()), (10, 6));
    let error = refused.into_iter().next().unwrap().unwrap_err();
    assert!(error.message().ends_with("0 of 0.0005 USD are spent, 0.0005 USD are reserved by running queries"), "{error}");
    // Five that need less than they were quoted leave room for others.
    for (at, guard) in running.into_iter().enumerate() {
        scan(guard.unwrap(), if at < 5 { 0 } else { 10 }).await.unwrap();
    }
    for _ in 0..5 {
        ten_megabytes(&manager, &limits).await.unwrap();
    }
    ten_megabytes(&manager, &limits).await.unwrap_err();
    let totals = manager.history().totals(UsageFilter::default()).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.bill.total()).sum::<Usd>(), usd("0.0005"));
}

#[tokio::test]
async fn a_long_query_reserves_in_steps_and_a_judged_one_its_whole_quote() {
    let clock = hand();
    let (manager, limits) = (manager(&clock), of_day("0.001"));
    // Ten megabytes at a time, although 10 GB were quoted.
    let long = begin(&manager, &limits, Some(10_000 * MB)).await.unwrap();
    let other = begin(&manager, &limits, Some(100 * MB)).await.unwrap();
    scan(other, 100).await.unwrap();
    let (_, report) = scan(long, 10_000).await.unwrap_err();
    assert_eq!(report.usage.data_scanned_bytes, 100 * MB);

    clock.next_day();
    let judged = Limits { refuse_over_quote: true, ..limits };
    let error = begin(&manager, &judged, Some(300 * MB)).await.unwrap_err();
    assert_eq!(
        error.message(),
        "the query may cost up to 0.0015 USD, and the budget of workgroup \"primary\" for 2023-11-30 has no room for it: \
         0 of 0.001 USD are spent"
    );
    let whole = begin(&manager, &judged, Some(200 * MB)).await.unwrap();
    begin(&manager, &judged, Some(10 * MB)).await.unwrap_err();
    assert_eq!(scan(whole, 200).await.unwrap().bill.total(), usd("0.001"));
}

#[tokio::test]
async fn what_was_spent_is_known_after_a_reopening_and_in_other_processes() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), hand());
    let open = |folder: &Path| {
        let history = History::open_with(folder, HistoryOptions::default(), Arc::clone(&clock) as Arc<dyn Clock>);
        manager_of(history.unwrap(), &clock)
    };
    let limits = of_month("0.0001");
    {
        let (one, other) = (open(folder.path()), open(folder.path()));
        ten_megabytes(&one, &limits).await.unwrap();
        ten_megabytes(&other, &limits).await.unwrap();
        ten_megabytes(&one, &limits).await.unwrap_err();
    }
    let again = open(folder.path());
    ten_megabytes(&again, &limits).await.unwrap_err();
    // Removed queries count all the same.
    let now = clock.now().checked_add_days(Days::new(1)).unwrap();
    assert_eq!(again.history().prune(now).await.unwrap(), 4);
    ten_megabytes(&again, &limits).await.unwrap_err();
}

#[tokio::test]
async fn a_warning_is_noted_once_for_all_processes() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), hand());
    let key = WarningKey {
        workgroup: "bi".to_owned(),
        period: Period::Month,
        begins: Period::Month.begin(clock.now().date_naive()),
        budget: usd("5"),
        level: 80,
    };
    {
        let history = History::open(folder.path()).unwrap();
        assert!(history.note_warning(key.clone(), clock.now()).await.unwrap());
        assert!(!history.note_warning(key.clone(), clock.now()).await.unwrap());
    }
    let again = History::open(folder.path()).unwrap();
    assert!(!again.note_warning(key.clone(), clock.now()).await.unwrap());
    // Another budget has warnings of its own.
    assert!(again.note_warning(WarningKey { budget: usd("6"), ..key }, clock.now()).await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn the_hook_is_called_once_a_level() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), hand());
    let (manager, file) = (manager(&clock), folder.path().join("documents"));
    // One line each, in one write.
    let script = format!("document=$(cat); echo \"$document\" >> '{}'", file.display());
    let command = ["sh", "-c", &script].map(str::to_owned).into();
    let hook = HookOptions { url: None, command, timeout: Duration::from_secs(60) };
    manager.set_hooks(Hooks::new([("ops".to_owned(), hook)].into()).unwrap());
    let budget = Budget {
        per_month: Some(usd("0.0002")),
        warning_levels: vec![50, 100],
        is_hard: true,
        hook: Some("ops".to_owned()),
        ..Budget::default()
    };
    let limits = limits(budget);
    for _ in 0..4 {
        ten_megabytes(&manager, &limits).await.unwrap();
    }
    for _ in 0..3 {
        ten_megabytes(&manager, &limits).await.unwrap_err();
    }
    // Waits for the calls.
    drop(manager);
    let documents = std::fs::read_to_string(&file).unwrap();
    let mut found: Vec<serde_json::Value> = documents.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    found.sort_by_key(ToString::to_string);
    let expected = |event: &str, level: Option<u8>, spent: &str| {
        serde_json::json!({
            "event": event,
            "workgroup": "primary",
            "period": "month",
            "begins": "2023-11-01",
            "level_percent": level,
            "budget_usd": "0.0002",
            "spent_usd": spent,
            "hard_stop": true,
            "at": "2023-11-29T22:13:20Z",
        })
    };
    let mut all = [
        expected("budget_warning", Some(50), "0.0001"),
        expected("budget_warning", Some(100), "0.0002"),
        expected("budget_used_up", None, "0.0002"),
    ];
    all.sort_by_key(ToString::to_string);
    assert_eq!(found, all);
}
