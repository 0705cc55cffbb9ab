//! Tests of what the history keeps, across reopening, processes and their deaths.

use chrono::TimeDelta;

use super::*;
use crate::{
    accounting::{Bill, Requests, Scanned, Tariff, Timings, Usage, UsageDetail, Usd},
    clock::FixedClock,
    lifecycle::QueryState,
    statement_kind::StatementKind,
};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn received(seconds: i64) -> QueryRecord {
    QueryRecord {
        query_id: QueryId::next(),
        state: QueryState::Queued,
        user: "ada".to_owned(),
        workgroup: "primary".to_owned(),
        database: "default".to_owned(),
        labels: [("team".to_owned(), "data \"lake\"".to_owned())].into(),
        statement: "SELECT 'é'".to_owned(),
        statement_type: None,
        submitted_at: at(seconds),
        ended_at: None,
        error_kind: None,
        error_message: None,
        usage: Usage::default(),
        bill: Bill::default(),
        tariff: None,
        timings: Timings::default(),
    }
}

fn ended(begun: &QueryRecord, state: QueryState, bytes: u64) -> QueryRecord {
    QueryRecord {
        state,
        statement_type: Some(StatementKind::Dml),
        ended_at: Some(begun.submitted_at + TimeDelta::seconds(2)),
        usage: Usage {
            data_scanned_bytes: bytes,
            metadata_bytes: 2,
            fetched_bytes: 3,
            requests: Requests { get: 4, head: 5, list: 6, put: 7, delete: 8 },
            partitions: Scanned { scanned: 9, total: None },
            files: Scanned { scanned: 10, total: Some(11) },
            row_groups: Scanned { scanned: 12, total: Some(13) },
            rows: 14,
        },
        bill: Tariff::default().bill(&UsageDetail::of_scan(bytes)),
        timings: Timings { queued: 15, planning: 16, listing: 17, execution: 18, total: 2_000 },
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
async fn queries_of_a_process_that_died_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (alive, query) = (opened(folder.path()), received(0));
    alive.begin(query.clone());
    alive.flush().await.unwrap();
    // Somebody who opens and lists the same directory leaves the query of the living process alone.
    let other = opened(folder.path());
    assert_eq!(other.list(QueryFilter::default()).await.unwrap(), std::slice::from_ref(&query));

    // A dead process has left its file behind, unlocked; or nothing at all.
    for left_behind in [true, false] {
        let (dead, mut row) = (uuid::Uuid::now_v7().to_string(), received(1));
        row.state = QueryState::Running;
        row.bill = Tariff::default().bill(&UsageDetail::of_scan(1));
        row.timings.total = 700;
        let path = folder.path().join("run").join(format!("{dead}.lock"));
        if left_behind {
            std::fs::write(&path, "").unwrap();
        }
        schema::put(&connect(&folder.path().join("history.sqlite")).unwrap(), &dead, &row).unwrap();
        let found = other.get(row.query_id).await.unwrap();
        assert_eq!((found.state, found.error_message.as_deref()), (QueryState::Failed, Some(DIED)));
        assert_eq!(found.ended_at, Some(row.submitted_at + TimeDelta::milliseconds(700)), "the last sign of life");
        assert_eq!(found.bill, Bill::default(), "failed queries are free");
        assert!(!path.exists());
    }
    assert_eq!(alive.get(query.query_id).await.unwrap(), query);
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
    let states: Vec<_> = found.iter().map(|query| (query.state, query.bill.billed_bytes)).collect();
    assert_eq!(states, [(QueryState::Failed, 0), (QueryState::Succeeded, 10_000_000)]);
    assert_eq!(found[0].error_message.as_deref(), Some(DIED));
}

#[tokio::test]
async fn a_process_takes_its_lock_away_and_sweeps_after_others() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("run").join(format!("{}.lock", uuid::Uuid::now_v7()));
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
    let price_per_tb = Usd::from_atto(1_000_000_000_000);
    let tariff = Tariff { increment_bytes: 1, minimum_bytes: 0, price_per_tb, ..Tariff::default() };
    for (seconds, bytes) in [(0, 1), (1, 2), (86_400, u64::from(u32::MAX))] {
        let mut end = ended(&received(seconds), QueryState::Succeeded, bytes);
        end.bill = tariff.bill(&UsageDetail::of_scan(bytes));
        history.end(end).await.unwrap();
    }
    history.begin(received(2));
    let totals = history.totals(UsageFilter::default()).await.unwrap();
    let row = |total: &UsageTotal| (total.day.to_string(), total.queries, total.bill.billed_bytes, total.bill.cost_usd());
    assert_eq!(row(&totals[0]), ("2023-11-14".to_owned(), 2, 3, "0.000000000000000003".to_owned()));
    assert_eq!(row(&totals[1]), ("2023-11-15".to_owned(), 1, 4_294_967_295, "0.000000004294967295".to_owned()));
    let since = UsageFilter { since: Some(totals[1].day), ..UsageFilter::default() };
    assert_eq!(history.totals(since).await.unwrap(), totals[1..]);
    let until = UsageFilter { until: Some(totals[0].day), ..UsageFilter::default() };
    assert_eq!(history.totals(until).await.unwrap(), totals[..1]);
    let nobody =
        UsageFilter { texts: [("user".to_owned(), TextBounds::of(["bob".to_owned()].into()))].into(), ..UsageFilter::default() };
    assert_eq!(history.totals(nobody).await.unwrap(), []);
    // What is forgotten leaves its sums, which add up over the days and over several times.
    assert_eq!(history.prune(at(1)).await.unwrap(), 1);
    assert_eq!(history.totals(UsageFilter::default()).await.unwrap(), totals);
    assert_eq!(history.prune(at(86_401)).await.unwrap(), 2);
    assert_eq!(history.totals(UsageFilter::default()).await.unwrap(), totals);
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

#[tokio::test]
async fn a_file_of_an_earlier_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let timed_out = QueryRecord {
        error_kind: Some(ErrorKind::Cancelled),
        error_message: Some("the query took longer than its limit".to_owned()),
        ..ended(&received(0), QueryState::Cancelled, 5)
    };
    {
        let connection = connect(&folder.path().join("history.sqlite")).unwrap();
        connection.execute_batch(schema::MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        schema::put(&connection, "before", &timed_out).unwrap();
    }
    let history = opened(folder.path());
    assert_eq!(history.list(QueryFilter::default()).await.unwrap(), [timed_out]);
    assert_eq!(history.totals(UsageFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn pages_follow_each_other_in_either_order() {
    let history = History::in_memory().unwrap();
    let mut all = Vec::new();
    for seconds in [5, 3, 3, 3, 9, 1] {
        let end = ended(&received(seconds), QueryState::Succeeded, 5);
        history.end(end.clone()).await.unwrap();
        all.push(end);
    }
    all.sort_by_key(|query| (query.submitted_at, query.query_id.to_string()));
    for newest_first in [false, true] {
        let filter = Arc::new(PageFilter { newest_first, with_texts: true, ..PageFilter::default() });
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = history.page(Arc::clone(&filter), after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.submitted_at, last.query_id));
            found.extend(page);
        }
        if newest_first {
            found.reverse();
        }
        assert_eq!(found, all, "newest first: {newest_first}");
    }
    let bare = history.page(Arc::default(), None, 1).await.unwrap();
    assert_eq!((bare[0].statement.as_str(), bare[0].labels.len(), bare[0].usage), ("", 0, all[0].usage));
}
