//! `lake_bench history`: a history of many queries, written through the engine's own interface: what one more costs a query, and how long `system.queries`
//! and `system.usage` take to find and to sum them.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use glaux_catalog::TableName;
use glaux_engine::{
    Engine, EngineOptions, ErrorKind, Origin,
    accounting::{Bill, Requests, Scanned, StoreUsage, TableUsage, Timings, Usage, Usd},
    query::{Ending, HistoryOptions, QueryId, QueryRecord, QueryState},
    sql::{StatementKind, fingerprint},
};

use crate::{
    Result,
    figures::{Figures, Samples, millis},
    finish,
};

/// Queries unless another number is given.
const QUERIES: usize = 1_000_000;

/// Queries that are written before any is waited for.
const BATCH: usize = 10_000;

/// How often each statement runs after the first.
const ROUNDS: usize = 5;

/// Queries whose writing is waited for, one after another.
const SINGLE: usize = 1_000;

/// What a query may wait for its end to be written, what a search may take, and what a sum.
const WRITE: Duration = Duration::from_millis(1);
const SEARCH: Duration = Duration::from_millis(50);
const SUM: Duration = Duration::from_secs(1);

/// Statements that differ in more than literals, users and tables.
const STATEMENTS: usize = 500;
const USERS: usize = 50;
const WORKGROUPS: usize = 8;
const TABLES: usize = 100;

pub(crate) const USAGE: &str = "history [QUERIES]";

pub(crate) async fn run(arguments: &[String]) -> i32 {
    let queries = match arguments {
        [] => Some(QUERIES),
        [count] => count.parse().ok().filter(|count| *count >= SINGLE),
        _ => None,
    };
    match queries {
        Some(queries) => finish(measure(queries).await),
        None => {
            eprintln!("usage: lake_bench {USAGE}, at least {SINGLE}");
            2
        }
    }
}

async fn measure(count: usize) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let history = HistoryOptions { keep_days: 0, max_bytes: 0, ..HistoryOptions::default() };
    let options = EngineOptions { data_dir: folder.path().to_owned(), history, ..EngineOptions::default() };
    let engine = Engine::open(options).await?;
    let made = Made::new(count);
    let started = Instant::now();
    for first in (0..count).step_by(BATCH) {
        let last = usize::min(first + BATCH, count) - 1;
        for at in first..last {
            drop(engine.history().end(made.record(at)));
        }
        engine.history().end(made.record(last)).await?;
    }
    let took = started.elapsed();
    let bytes = std::fs::metadata(folder.path().join("history.sqlite"))?.len();

    let mut figures = Figures::new(&format!("{count} queries in the history"));
    figures.line("written in", format!("{:.1} s", took.as_secs_f64()));
    figures.line("bytes of the file for each", bytes / count as u64);
    let single = write_single(&engine, &made, count).await?;
    figures.time("beginning and end of one more, median", single.median(), WRITE);
    figures.line("the same, of 99 in 100", millis(single.percentile(99)));

    let one = made.record(count / 2);
    let day = one.submitted_at.format("%Y-%m-%d");
    let searches = [
        ("the latest 100, all columns", "SELECT * FROM system.queries ORDER BY submitted_at DESC LIMIT 100".to_owned()),
        ("the first 100 of a day", of(&format!("submitted_at >= TIMESTAMP '{day} 00:00:00'"), "submitted_at")),
        ("100 of a user that failed", of("\"user\" = 'user7@example.com' AND state = 'FAILED'", "submitted_at DESC")),
        ("100 of a workgroup", of("workgroup = 'workgroup3'", "submitted_at DESC")),
        (
            "100 of a workgroup that scanned much",
            of("workgroup = 'workgroup3' AND data_scanned_bytes > 4000000000", "submitted_at DESC"),
        ),
        ("those that were aborted: none", of("state = 'CANCELLED'", "submitted_at DESC")),
        ("one by its id", of(&format!("query_id = '{}'", one.query_id), "submitted_at")),
        (
            "100 runs of one statement",
            of(&format!("fingerprint = '{:016x}'", one.fingerprint.unwrap_or_default()), "submitted_at DESC"),
        ),
        ("a run of many statements", of("root_id = 'run 7'", "submitted_at DESC")),
        (
            "100 queries of one table",
            "SELECT * FROM system.query_tables WHERE table_name = 'sales.table7' ORDER BY submitted_at DESC LIMIT 100".to_owned(),
        ),
    ];
    for (name, sql) in &searches {
        let (rows, time) = timed(&engine, sql).await?;
        figures.time(&format!("{name} ({rows} rows)"), time, SEARCH);
    }
    let sums = [
        (
            "a sum by day and workgroup of system.queries",
            "SELECT date(submitted_at) AS day, workgroup, sum(data_scanned_bytes) AS bytes FROM system.queries GROUP BY 1, 2",
        ),
        (
            "a sum by day and workgroup of system.usage",
            "SELECT day, workgroup, sum(data_scanned_bytes) AS bytes, sum(cost_usd) AS cost FROM system.usage GROUP BY 1, 2",
        ),
        (
            "a sum by day and table of system.table_usage",
            "SELECT day, table_name, sum(data_scanned_bytes) AS bytes FROM system.table_usage GROUP BY 1, 2",
        ),
    ];
    for (name, sql) in sums {
        let (rows, time) = timed(&engine, sql).await?;
        figures.time(&format!("{name} ({rows} rows)"), time, SUM);
    }
    let others = [
        ("a filter on figures that nothing passes", of("rows > 1000000000", "submitted_at DESC")),
        ("the ten that cost most", "SELECT query_id, cost_usd FROM system.queries ORDER BY cost_usd DESC LIMIT 10".to_owned()),
        ("a part of a text", of("statement LIKE '%column77 %'", "submitted_at DESC")),
        (
            "a sum by table of system.query_tables",
            "SELECT table_name, sum(data_scanned_bytes) AS b FROM system.query_tables GROUP BY 1".to_owned(),
        ),
    ];
    for (name, sql) in &others {
        let (rows, time) = timed(&engine, sql).await?;
        figures.line(&format!("{name} ({rows} rows)"), millis(time));
    }
    Ok(figures.met())
}

/// The first 100 queries of a condition in an order.
fn of(condition: &str, order: &str) -> String {
    format!(
        "SELECT query_id, submitted_at, \"user\", statement, cost_usd FROM system.queries WHERE {condition} ORDER BY {order} LIMIT 100"
    )
}

/// How many rows a statement has, and the median of its times after the first.
async fn timed(engine: &Engine, sql: &str) -> Result<(usize, Duration)> {
    let (mut samples, mut rows) = (Samples::default(), 0);
    for round in 0..=ROUNDS {
        let started = Instant::now();
        let batches = engine.query(sql).collect().await?;
        if round > 0 {
            samples.push(started.elapsed());
        }
        rows = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    }
    Ok((rows, samples.median()))
}

/// Writes queries one after another, as each would be: its beginning, which is not waited for, and its end, which is.
async fn write_single(engine: &Engine, made: &Made, count: usize) -> Result<Samples> {
    let mut samples = Samples::default();
    for at in count..count + SINGLE {
        let end = made.record(at);
        let begun = QueryRecord { state: QueryState::Queued, ended_at: None, ending: None, ..end.clone() };
        let started = Instant::now();
        engine.history().begin(begun);
        engine.history().end(end).await?;
        samples.push(started.elapsed());
    }
    Ok(samples)
}

/// Queries of ninety days that never ran.
struct Made {
    first: DateTime<Utc>,
    every: TimeDelta,
    /// With their normalised texts and fingerprints.
    statements: Vec<(String, Option<String>, u64)>,
}

impl Made {
    fn new(count: usize) -> Self {
        let statement = |at: usize| {
            let text = format!(
                "SELECT l_shipmode, count(*) AS lines, sum(l_extendedprice) AS price FROM sales.table{} WHERE ship_year = 1995 AND \
                 ship_month = 3 AND column{at} = 'a value' GROUP BY l_shipmode ORDER BY price DESC LIMIT 3",
                at % TABLES
            );
            let fingerprint = fingerprint(&text);
            (text, fingerprint.normalized, fingerprint.hash)
        };
        Self {
            first: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
            every: TimeDelta::days(90) / i32::try_from(count).unwrap_or(i32::MAX),
            statements: (0..STATEMENTS).map(statement).collect(),
        }
    }

    fn record(&self, at: usize) -> QueryRecord {
        // Spread without repeating, and the same in every run.
        let spread = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
        let pick = |of: usize, shift: u32| ((spread >> shift) as usize) % of;
        let submitted_at = self.first + self.every * i32::try_from(at).unwrap_or(i32::MAX);
        let (statement, normalized, hash) = &self.statements[pick(STATEMENTS, 0)];
        let has_failed = pick(20, 3) == 0;
        let data_scanned_bytes = if has_failed { 0 } else { spread % (1 << 32) };
        let billed_bytes = if has_failed { 0 } else { data_scanned_bytes.max(10_000_000) };
        let requests = Requests { get: spread % 40, list: 1, ..Requests::default() };
        let some = |scanned| Scanned { scanned, total: Some(2 * scanned) };
        let (partitions, files, row_groups) = (some(spread % 30), some(spread % 90), some(spread % 300));
        let table = TableUsage {
            table: TableName::new("sales", format!("table{}", pick(STATEMENTS, 0) % TABLES)),
            data_scanned_bytes,
            metadata_bytes: 70_000,
            partitions,
            files,
            row_groups,
            has_partition_keys: true,
            is_partition_filtered: true,
        };
        QueryRecord {
            state: if has_failed { QueryState::Failed } else { QueryState::Succeeded },
            user: format!("user{}@example.com", pick(USERS, 5)),
            workgroup: format!("workgroup{}", pick(WORKGROUPS, 9)),
            database: "sales".to_owned(),
            labels: [("team".to_owned(), "data".to_owned())].into(),
            origin: Origin {
                application: Some("dbt".to_owned()),
                session_id: Some(format!("{:032x}", at / 1000)),
                parent_id: None,
                root_id: at.is_multiple_of(3).then(|| format!("run {}", at / 500)),
            },
            statement: statement.clone(),
            normalized: normalized.clone(),
            fingerprint: Some(*hash),
            statement_type: Some(StatementKind::Dml),
            ended_at: Some(submitted_at + TimeDelta::milliseconds(500)),
            ending: Some(if has_failed { Ending::Failed } else { Ending::Succeeded }),
            error_kind: has_failed.then_some(ErrorKind::NotFound),
            error_message: has_failed.then(|| "column \"x\" does not exist".to_owned()),
            usage: Usage {
                data_scanned_bytes,
                metadata_bytes: 70_000,
                fetched_bytes: data_scanned_bytes + 70_000,
                requests,
                partitions,
                files,
                row_groups,
                rows: spread % 10_000,
            },
            stores: vec![StoreUsage { store: "s3://lake".to_owned(), requests, fetched_bytes: data_scanned_bytes + 70_000 }],
            tables: vec![table],
            bill: Bill { billed_bytes, scan: Usd::from_atto(u128::from(billed_bytes) * 5_000_000), ..Bill::default() },
            tariff: Some("athena@2026-11-01".to_owned()),
            timings: Timings { queued: 0, planning: 12, listing: 30, execution: 458, total: 500 },
            ..QueryRecord::received(QueryId::next(), submitted_at)
        }
    }
}
