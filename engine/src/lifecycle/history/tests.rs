//! Tests of what the history keeps, across reopening, processes and their deaths.

mod earlier;
mod scan;

use chrono::TimeDelta;
use glaux_catalog::TableName;

use super::*;
use crate::{
    accounting::{Bill, Requests, Scanned, StoreUsage, TableUsage, Tariff, Timings, Usage, UsageDetail, Usd},
    clock::FixedClock,
    error::ErrorKind,
    lifecycle::{Ending, QueryState},
    session::Origin,
    statement_kind::StatementKind,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn received(seconds: i64) -> QueryRecord {
    QueryRecord {
        user: "ada".to_owned(),
        workgroup: "primary".to_owned(),
        database: "default".to_owned(),
        labels: [("team".to_owned(), "data \"lake\"".to_owned())].into(),
        origin: Origin { application: Some("dbt".to_owned()), root_id: Some("run 7".to_owned()), ..Origin::default() },
        statement: "SELECT 'é'".to_owned(),
        normalized: Some("select ?".to_owned()),
        fingerprint: Some(u64::MAX - 1),
        tariff: Some("athena@2026".to_owned()),
        ..QueryRecord::received(QueryId::next(), at(seconds))
    }
}

fn athena(bytes: u64) -> Bill {
    Tariff::athena().bill(&UsageDetail::of_scan(bytes))
}

fn ended(begun: &QueryRecord, state: QueryState, bytes: u64) -> QueryRecord {
    let (partitions, files) = (Scanned { scanned: 9, total: None }, Scanned { scanned: 10, total: Some(11) });
    let (row_groups, requests) =
        (Scanned { scanned: 12, total: Some(13) }, Requests { get: 4, head: 5, list: 6, put: 7, delete: 8 });
    let ending = match state {
        QueryState::Cancelled => Ending::Cancelled,
        QueryState::Failed => Ending::Failed,
        _ => Ending::Succeeded,
    };
    let table = |table: &str, data_scanned_bytes| TableUsage {
        table: TableName::new("default", table),
        data_scanned_bytes,
        metadata_bytes: 1,
        partitions,
        files,
        row_groups,
        has_partition_keys: true,
        is_partition_filtered: table == "t",
    };
    QueryRecord {
        state,
        ending: Some(ending),
        statement_type: Some(StatementKind::Dml),
        ended_at: Some(begun.submitted_at + TimeDelta::seconds(2)),
        usage: Usage {
            data_scanned_bytes: bytes,
            metadata_bytes: 2,
            fetched_bytes: 3,
            requests,
            partitions,
            files,
            row_groups,
            rows: 14,
        },
        stores: vec![StoreUsage { store: "s3://b".to_owned(), requests, fetched_bytes: 3 }],
        tables: vec![table("t", bytes), table("u", 0)],
        bill: athena(bytes),
        timings: Timings { queued: 15, planning: 16, listing: 17, execution: 18, total: 2_000 },
        quoted: Some(Quoted { data_scanned_bytes: bytes + 1, cost: Usd::from_atto(19) }),
        peak_memory_bytes: Some(20),
        ..begun.clone()
    }
}

#[tokio::test]
async fn an_ended_query_is_there_whole_after_a_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let query = received(0);
    let end = ended(&query, QueryState::Succeeded, 12_345_678);
    {
        let history = opened(folder.path());
        history.begin(query.clone());
        assert_eq!(history.get(query.query_id).await.unwrap(), query);
        history.end(end.clone()).await.unwrap();
    }
    let history = opened(folder.path());
    assert_eq!(history.get(query.query_id).await.unwrap(), end);
    assert_eq!(end.bill.cost_usd(), "0.000065");
    let error = history.get(QueryId::next()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_queued_is_written_before_the_history_closes() {
    let folder = tempfile::tempdir().unwrap();
    let queries: Vec<_> = (0..500).map(received).collect();
    let history = opened(folder.path());
    for query in &queries {
        history.begin(query.clone());
        drop(history.end(ended(query, QueryState::Succeeded, 1)));
    }
    drop(history);
    let found = opened(folder.path()).list(QueryFilter::default()).await.unwrap();
    assert_eq!(found.len(), 500);
    assert!(found.iter().all(|query| query.state == QueryState::Succeeded));
    assert!(found.is_sorted_by(|a, b| a.submitted_at > b.submitted_at), "newest first");
}

#[tokio::test]
async fn a_late_figure_does_not_bring_an_ended_query_back() {
    let history = History::in_memory().unwrap();
    let query = received(0);
    let end = ended(&query, QueryState::Cancelled, 5);
    history.end(end.clone()).await.unwrap();
    history.update_running(QueryRecord { state: QueryState::Running, ..query });
    assert_eq!(history.list(QueryFilter::default()).await.unwrap(), [end]);
}

#[tokio::test]
async fn queries_of_a_process_that_died_were_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, query) = (opened(folder.path()), received(0));
    alive.begin(query.clone());
    alive.flush().await.unwrap();
    // Somebody who opens and lists the same directory leaves the query of the living process alone.
    let other = opened(folder.path());
    assert_eq!(other.list(QueryFilter::default()).await.unwrap(), std::slice::from_ref(&query));

    // A dead process has left its file behind, unlocked; or nothing at all.
    for left_behind in [true, false] {
        let (dead, mut row) = (Uuid::now_v7().to_string(), received(1));
        row.state = QueryState::Running;
        row.bill = athena(1);
        row.timings.total = 700;
        let path = folder.path().join("run").join(format!("{dead}.lock"));
        if left_behind {
            std::fs::write(&path, "").unwrap();
        }
        write::put(&connect(&folder.path().join("history.sqlite")).unwrap(), &dead, &row).unwrap();
        let found = other.get(row.query_id).await.unwrap();
        assert_eq!((found.state, found.error_message.as_deref()), (QueryState::Failed, Some(DIED)));
        assert_eq!((found.ending, found.error_kind), (Some(Ending::Interrupted), Some(ErrorKind::Unavailable)));
        assert_eq!(found.ended_at, Some(row.submitted_at + TimeDelta::milliseconds(700)), "the last sign of life");
        assert_eq!(found.bill, Bill::default(), "failed queries are free");
        assert!(!path.exists());
    }
    assert_eq!(alive.get(query.query_id).await.unwrap(), query);
    let queries: u64 = other.totals(UsageFilter::default()).await.unwrap().iter().map(|total| total.queries).sum();
    assert_eq!(queries, 2, "of the dead processes, each once");
}

#[tokio::test]
async fn a_query_that_was_taken_for_interrupted_ends_after_all_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let (history, query) = (opened(folder.path()), received(0));
    let gone = Uuid::now_v7().to_string();
    write::put(&connect(&folder.path().join("history.sqlite")).unwrap(), &gone, &query).unwrap();
    assert_eq!(history.get(query.query_id).await.unwrap().ending, Some(Ending::Interrupted));
    let end = ended(&query, QueryState::Succeeded, 5);
    for _ in 0..2 {
        history.end(end.clone()).await.unwrap();
        assert_eq!(history.get(query.query_id).await.unwrap(), end);
        let totals = history.totals(UsageFilter::default()).await.unwrap();
        assert_eq!(
            totals.iter().map(|total| (total.queries, total.data_scanned_bytes, total.bill)).collect::<Vec<_>>(),
            [(1, 5, end.bill)]
        );
        let tables = history.table_totals(UsageFilter::default()).await.unwrap();
        assert_eq!(tables.iter().map(|total| (total.queries, total.data_scanned_bytes)).collect::<Vec<_>>(), [(1, 5), (1, 0)]);
    }
}

/// The test runs itself again as another process, which begins one query, ends another, and dies without a word.
#[tokio::test]
async fn what_was_committed_survives_the_death_of_the_process() {
    const CHILD: &str = "GLAUX_TEST_HISTORY_CHILD";
    if let Some(folder) = std::env::var_os(CHILD) {
        let history = History::open(Path::new(&folder)).unwrap();
        let done = received(0);
        history.begin(done.clone());
        history.end(ended(&done, QueryState::Succeeded, 9)).await.unwrap();
        history.begin(received(1));
        history.flush().await.unwrap();
        std::process::abort();
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "lifecycle::history::tests::what_was_committed_survives_the_death_of_the_process";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!child.success());
    assert_eq!(std::fs::read_dir(folder.path().join("run")).unwrap().count(), 1, "the dead one's lock file");

    let history = opened(folder.path());
    let found = history.list(QueryFilter::default()).await.unwrap();
    let endings: Vec<_> = found.iter().map(|query| (query.ending, query.bill.billed_bytes)).collect();
    assert_eq!(endings, [(Some(Ending::Interrupted), 0), (Some(Ending::Succeeded), 10_000_000)]);
    assert_eq!(found[0].error_message.as_deref(), Some(DIED));
}

#[tokio::test]
async fn a_process_takes_its_lock_away_and_sweeps_after_others() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("run").join(format!("{}.lock", Uuid::now_v7()));
    std::fs::create_dir(folder.path().join("run")).unwrap();
    std::fs::write(&stale, "").unwrap();
    let first = opened(folder.path());
    let second = opened(folder.path());
    let files = || std::fs::read_dir(folder.path().join("run")).unwrap().count();
    assert!(!stale.exists());
    assert_eq!(files(), 2);
    drop((first, second));
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn a_kill_is_seen_by_the_process_that_runs_the_query_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, asks) = (opened(folder.path()), opened(folder.path()));
    let query = received(0);
    runs.begin(query.clone());
    runs.flush().await.unwrap();
    asks.request_kill(query.query_id, "grace").await.unwrap();
    assert_eq!(runs.kill_requests().await.unwrap(), [(query.query_id, "grace".to_owned())]);
    assert_eq!(asks.kill_requests().await.unwrap(), []);

    runs.end(ended(&query, QueryState::Cancelled, 0)).await.unwrap();
    assert_eq!(runs.kill_requests().await.unwrap(), []);
    let error = asks.request_kill(query.query_id, "grace").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains(&query.query_id.to_string()));
}

#[tokio::test]
async fn filters_narrow_and_pruning_forgets() {
    let history = History::in_memory().unwrap();
    let mut ids = Vec::new();
    for (index, state) in [QueryState::Succeeded, QueryState::Failed, QueryState::Cancelled].into_iter().enumerate() {
        let mut query = received(index as i64 * 10);
        query.user = format!("user{index}");
        ids.push(query.query_id);
        history.end(ended(&query, state, 0)).await.unwrap();
    }
    history.begin(received(40));
    let list =
        async |filter: QueryFilter| history.list(filter).await.unwrap().into_iter().map(|q| q.query_id).collect::<Vec<_>>();
    let all = QueryFilter::default;
    assert_eq!(list(QueryFilter { state: Some(QueryState::Failed), ..all() }).await, [ids[1]]);
    assert_eq!(list(QueryFilter { user: Some("user2".to_owned()), ..all() }).await, [ids[2]]);
    assert_eq!(list(QueryFilter { since: Some(at(10)), until: Some(at(20)), ..all() }).await, [ids[1]]);
    assert_eq!(list(QueryFilter { workgroup: Some("none".to_owned()), ..all() }).await, []);
    assert_eq!(list(QueryFilter { limit: Some(2), until: Some(at(40)), ..all() }).await, [ids[2], ids[1]]);

    assert_eq!(history.prune(at(10)).await.unwrap(), 1, "the one that was submitted at second 0; the one of second 10 stays");
    assert_eq!(list(QueryFilter { until: Some(at(40)), ..all() }).await, [ids[2], ids[1]]);
    assert_eq!(history.list(all()).await.unwrap().len(), 3, "what runs is never forgotten");
}

#[tokio::test]
async fn totals_are_exact_sums_of_rounded_bills() {
    let history = History::in_memory().unwrap();
    // A byte for 10^-18 USD, and three times as much for requests and transfer.
    for (seconds, bytes) in [(0, 1), (1, 2), (86_400, u64::from(u32::MAX))] {
        let mut end = ended(&received(seconds), QueryState::Succeeded, bytes);
        let amount = |times: u128| Usd::from_atto(u128::from(bytes) * times);
        end.bill = Bill { billed_bytes: bytes, scan: amount(1), requests: amount(1), transfer: amount(2) };
        history.end(end).await.unwrap();
    }
    history.begin(received(2));
    let totals = history.totals(UsageFilter::default()).await.unwrap();
    let row = |total: &UsageTotal| (total.day.to_string(), total.queries, total.bill.billed_bytes, total.bill.cost_usd());
    assert_eq!(row(&totals[0]), ("2023-11-14".to_owned(), 2, 3, "0.000000000000000012".to_owned()));
    assert_eq!(row(&totals[1]), ("2023-11-15".to_owned(), 1, 4_294_967_295, "0.00000001717986918".to_owned()));
    let bill = totals[0].bill;
    assert_eq!([bill.scan, bill.requests, bill.transfer].map(Usd::atto), [3, 3, 6]);
    assert_eq!((totals[0].requests, totals[0].fetched_bytes), (60, 6));
    let since = UsageFilter { since: Some(totals[1].day), ..UsageFilter::default() };
    assert_eq!(history.totals(since).await.unwrap(), totals[1..]);
    let until = UsageFilter { until: Some(totals[0].day), ..UsageFilter::default() };
    assert_eq!(history.totals(until).await.unwrap(), totals[..1]);
    let nobody =
        UsageFilter { texts: [("user".to_owned(), TextBounds::of(["bob".to_owned()].into()))].into(), ..UsageFilter::default() };
    assert_eq!(history.totals(nobody).await.unwrap(), []);
    let tables = history.table_totals(UsageFilter::default()).await.unwrap();
    let row = |total: &TableTotal| (total.day.to_string(), total.table_name.clone(), total.queries, total.data_scanned_bytes);
    assert_eq!(row(&tables[0]), ("2023-11-14".to_owned(), "default.t".to_owned(), 2, 3));
    assert_eq!(row(&tables[3]), ("2023-11-15".to_owned(), "default.u".to_owned(), 1, 0));
    let of_one = TextBounds::of(["default.u".to_owned()].into());
    let of_one =
        UsageFilter { since: Some(totals[1].day), texts: [("table_name".to_owned(), of_one)].into(), ..UsageFilter::default() };
    assert_eq!(history.table_totals(of_one).await.unwrap(), tables[3..]);
    // What is forgotten leaves its sums.
    for (before, gone) in [(at(1), 1), (at(86_401), 2)] {
        assert_eq!(history.prune(before).await.unwrap(), gone);
        assert_eq!(history.totals(UsageFilter::default()).await.unwrap(), totals);
        assert_eq!(history.table_totals(UsageFilter::default()).await.unwrap(), tables);
    }
    assert_eq!(history.list(QueryFilter::default()).await.unwrap().len(), 1, "what runs stays");
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    connect(&folder.path().join("history.sqlite")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = History::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("99"));
}

#[test]
fn many_may_make_the_same_history_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| History::open(folder.path()).map(drop))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    });
}

/// How far the file may grow; 1 is not at all.
async fn limit(history: &History, pages: u32) {
    let set = move |connection: &Connection| connection.pragma_update(None, "max_page_count", pages).map_err(|e| failed(&e));
    history.writer.call(set).await.unwrap();
}

/// The end of a query that has no room in the pages that there are.
fn long(seconds: i64) -> QueryRecord {
    let begun = QueryRecord { statement: "x".repeat(500_000), ..received(seconds) };
    ended(&begun, QueryState::Succeeded, 5)
}

#[tokio::test]
async fn ends_wait_while_the_disk_is_full_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = HistoryOptions { max_waiting: 3, ..HistoryOptions::default() };
    let history = History::open_with(folder.path(), options, system_clock()).unwrap();
    let before = ended(&received(0), QueryState::Succeeded, 5);
    history.end(before.clone()).await.unwrap();
    limit(&history, 1).await;
    assert_eq!(history.waiting(), None);
    let ends: Vec<_> = (1..=4).map(long).collect();
    for (at, end) in ends.iter().enumerate() {
        assert_eq!(history.check_room().is_ok(), at < 3, "of the {at}th");
        // A query is answered all the same, the one that ran already when there was no room any more too.
        history.begin(QueryRecord { ended_at: None, ..end.clone() });
        history.end(end.clone()).await.unwrap();
        let waiting = history.waiting().unwrap();
        assert_eq!(waiting.queries, at + 1);
        assert!(waiting.reason.contains("full"), "{waiting:?}");
    }
    let refused = history.check_room().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    assert!(refused.to_string().contains("4 finished queries") && refused.to_string().contains("full"), "{refused}");
    assert!(history.flush().await.is_err());
    assert_eq!(history.list(QueryFilter::default()).await.unwrap(), std::slice::from_ref(&before), "what there is can be read");

    limit(&history, u32::MAX / 2).await;
    history.flush().await.unwrap();
    assert_eq!(history.waiting(), None);
    history.check_room().unwrap();
    let found = history.list(QueryFilter::default()).await.unwrap();
    assert!(found.iter().eq(ends.iter().rev().chain([&before])), "each once, whole");
}

/// SQLite goes on writing to a file that has no name any more.
#[tokio::test]
async fn ends_wait_while_the_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let history = opened(folder.path());
    let (before, end) = (ended(&received(0), QueryState::Succeeded, 5), ended(&received(1), QueryState::Succeeded, 5));
    history.end(before).await.unwrap();
    history.check_file().unwrap();
    let (path, away) = (folder.path().join("history.sqlite"), folder.path().join("away.sqlite"));
    std::fs::rename(&path, &away).unwrap();
    history.end(end.clone()).await.unwrap();
    let waiting = history.waiting().unwrap();
    assert!(waiting.queries == 1 && waiting.reason.contains("was removed or replaced"), "{waiting:?}");
    assert_eq!(history.check_file().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(history.prune(end.submitted_at).await.unwrap_err().kind(), ErrorKind::Unavailable);
    std::fs::rename(&away, &path).unwrap();
    history.flush().await.unwrap();
    assert_eq!(history.waiting(), None);
    history.check_file().unwrap();
    assert_eq!(history.get(end.query_id).await.unwrap(), end);
}

#[tokio::test]
async fn what_waits_is_written_when_the_history_closes() {
    let folder = tempfile::tempdir().unwrap();
    let (history, end) = (opened(folder.path()), long(1));
    limit(&history, 1).await;
    history.end(end.clone()).await.unwrap();
    assert!(history.waiting().is_some());
    limit(&history, u32::MAX / 2).await;
    drop(history);
    assert_eq!(opened(folder.path()).get(end.query_id).await.unwrap(), end);
}

/// A history whose clock stands at the first query.
fn opened(folder: &Path) -> History {
    kept(folder, 0, HistoryOptions::default())
}

/// A history whose clock stands so many seconds after the first query.
fn kept(folder: &Path, seconds: i64, options: HistoryOptions) -> History {
    History::open_with(folder, options, Arc::new(FixedClock(at(seconds)))).unwrap()
}

#[tokio::test]
async fn what_is_too_old_goes_by_itself_and_leaves_its_sums() {
    let folder = tempfile::tempdir().unwrap();
    let day = 86_400;
    let options = HistoryOptions { keep_days: 2, ..HistoryOptions::default() };
    let history = kept(folder.path(), 0, options);
    for seconds in [0, 1, day, 3 * day] {
        history.end(ended(&received(seconds), QueryState::Succeeded, 1 << 30)).await.unwrap();
    }
    history.begin(received(2));
    let totals = history.totals(UsageFilter::default()).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.queries).collect::<Vec<_>>(), [2, 1, 1]);
    drop(history);
    // Nobody asks for it: a process that ends does it.
    drop(kept(folder.path(), 3 * day + 1, options));
    let history = kept(folder.path(), 0, options);
    let left: Vec<_> = history.list(QueryFilter::default()).await.unwrap().iter().map(|query| query.submitted_at).collect();
    // The one that never ended has failed by now, and goes with the next.
    assert_eq!(left, [at(3 * day)]);
    let after = history.totals(UsageFilter::default()).await.unwrap();
    assert_eq!((after[0].queries, &after[1..]), (3, &totals[1..]), "with the one that failed");
}

#[tokio::test]
async fn what_is_too_much_goes_the_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let options = HistoryOptions { keep_days: 0, max_bytes: 1 << 20, ..HistoryOptions::default() };
    let history = kept(folder.path(), 0, options);
    for seconds in 0..300 {
        let begun = QueryRecord { statement: "x".repeat(10_000), ..received(seconds) };
        drop(history.end(ended(&begun, QueryState::Succeeded, 5)));
    }
    let totals = history.totals(UsageFilter::default()).await.unwrap();
    drop(history);
    let history = kept(folder.path(), 0, options);
    let left = history.list(QueryFilter::default()).await.unwrap();
    assert!((1..=100).contains(&left.len()), "{}", left.len());
    assert_eq!(left[0].submitted_at, at(299));
    assert_eq!(history.totals(UsageFilter::default()).await.unwrap(), totals);
    assert!(std::fs::metadata(folder.path().join("history.sqlite")).unwrap().len() < 2 << 20, "the disk has it back");
}
