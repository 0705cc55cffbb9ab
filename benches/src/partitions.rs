//! `lake_bench partitions [N...]`: finding, repairing and listing tables of N partitions of one file each, `dt=YYYY-MM-DD/h=HH`, on a store that takes 100 ms a
//! page of a listing and 30 ms a GET. Everything runs in this process, the store too, and shares its cores; then DataFusion and, with
//! `--peers PYTHON`, DuckDB, Polars and chDB are asked the same (see `beside`).

mod beside;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use arrow::temporal_conversions::date32_to_datetime;
use glaux_engine::accounting::{RequestKind, Usage};
use glaux_tests::{
    instance::{Instance, Outcome},
    lake::{BUCKET, Lake},
    s3_endpoint::S3Endpoint,
};

use crate::{
    GET_LATENCY, LIST_LATENCY, Result,
    figures::{Figures, mebibytes, millis},
    process::Process,
};

pub(crate) const USAGE: &str = "partitions [PARTITIONS...] [--peers PYTHON]   (100000 and 1000000 by default)";

/// Keys of a page.
const PAGE: usize = 1000;
/// Pages of a first walk for each that its keys fill.
const PAGES_GOAL: f64 = 1.4;
/// Memory of the process, with the store's keys.
const MEMORY_GOAL: u64 = 2 << 30;
/// The last day of a table, in days since 1970: 2024-10-04.
const LAST_DAY: usize = 20_000;
/// Directories whose values are no dates.
const MALFORMED: usize = 1000;
/// How often a query runs after the first.
const ROUNDS: usize = 3;
/// How often it is planned.
const PLANS: u32 = 20;

pub(crate) async fn run(arguments: &[String]) -> i32 {
    let (mut counts, mut python, mut arguments) = (Vec::new(), None, arguments.iter());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--peers" => python = arguments.next().map(PathBuf::from),
            count => counts.push(count),
        }
    }
    let counts: std::result::Result<Vec<usize>, _> = counts.iter().map(|count| count.parse()).collect();
    let counts = match counts {
        Ok(counts) if counts.is_empty() => vec![100_000, 1_000_000],
        Ok(counts) => counts,
        Err(_) => {
            eprintln!("usage: lake_bench {USAGE}");
            return 2;
        }
    };
    let mut met = true;
    for count in counts {
        match of_table(count, python.clone()).await {
            Ok(of_this) => met &= of_this,
            Err(error) => return crate::finish(Err(error)),
        }
    }
    crate::finish(Ok(met))
}

fn day(day: usize) -> Result<String> {
    let date = i32::try_from(day).ok().and_then(date32_to_datetime).ok_or("a day beyond the calendar")?;
    Ok(date.date().to_string())
}

/// The keys of a day from its first hour on, as many as `hours`.
fn keys(of: usize, hours: usize) -> Result<impl Iterator<Item = String>> {
    let date = day(of)?;
    Ok((0..hours).map(move |hour| format!("t/dt={date}/h={hour:02}/part-0.parquet")))
}

/// Times a statement.
async fn timed(instance: &Instance, sql: &str) -> (Duration, Outcome) {
    let started = Instant::now();
    let outcome = instance.run(sql).await;
    (started.elapsed(), outcome)
}

async fn of_table(partitions: usize, python: Option<PathBuf>) -> Result<bool> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let Lake::S3(endpoint) = &instance.lake else { return Ok(false) };
    instance.write("one/a.parquet", "SELECT value AS n FROM generate_series(1, 1000)").await;
    let file = endpoint.get(BUCKET, "one/a.parquet").ok_or("the file is not there")?;
    let days = partitions.div_ceil(24);
    let first = (LAST_DAY + 1).saturating_sub(days);
    for (at, of) in (first..first + days).enumerate() {
        endpoint.put_many(BUCKET, keys(of, 24.min(partitions - at * 24))?, file.clone());
    }
    let create = "CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (dt DATE, h INT) STORED AS PARQUET LOCATION '{lake}/t/'";
    instance.run(create).await;
    endpoint.set_latency(RequestKind::List, LIST_LATENCY);
    endpoint.set_latency(RequestKind::Get, GET_LATENCY);
    let mut figures =
        Figures::new(&format!("{partitions} partitions of one file; LIST {LIST_LATENCY:?} a page, GET {GET_LATENCY:?}"));
    discovery(&instance, endpoint, &mut figures, partitions, first + days, &file.clone().into()).await?;
    let instance = opening(instance, &mut figures, partitions).await?;
    planning(&instance, &mut figures, partitions).await?;
    listing(&instance, &mut figures, partitions).await?;
    let Lake::S3(endpoint) = &instance.lake else { return Ok(false) };
    if partitions <= beside::MOST {
        beside::compare(endpoint, partitions, &query()?, python)?;
    }
    if partitions >= 1_000_000 {
        malformed(&instance, endpoint, &mut figures, partitions).await?;
    }
    Ok(figures.met())
}

async fn discovery(
    instance: &Instance,
    endpoint: &S3Endpoint,
    figures: &mut Figures,
    partitions: usize,
    next_day: usize,
    file: &glaux_tests::s3_endpoint::Content,
) -> Result<()> {
    let process = Process::own();
    process.reset_peak()?;
    let least = partitions.div_ceil(PAGE);
    let cpu = process.cpu()?;
    let (time, first) = timed(instance, "MSCK REPAIR TABLE t").await;
    let spent = process.cpu()?.saturating_sub(cpu);
    let added = instance.run("SELECT count(*) AS n FROM \"t$partitions\"").await.lines();
    figures.goal("discovery from nothing: partitions committed", &added[0], partitions, added[0] == partitions.to_string());
    let goal = Duration::from_millis(partitions as u64 * 12 / 1000);
    figures.time("discovery from nothing: time", time, goal);
    figures.line("discovery from nothing: CPU time, with the store's", millis(spent));
    let pages = first.report.usage.requests.list;
    figures.line("discovery from nothing: pages", pages);
    figures.at_most("discovery from nothing: pages for each that is filled", pages as f64 / least as f64, PAGES_GOAL);
    figures.bytes("discovery from nothing: memory, with the store's keys", process.peak()?, MEMORY_GOAL);

    endpoint.put_many(BUCKET, keys(next_day, 24)?, file.clone());
    let cpu = process.cpu()?;
    let (time, again) = timed(instance, "MSCK REPAIR TABLE t").await;
    let spent = process.cpu()?.saturating_sub(cpu);
    let added = added_by(&again);
    figures.goal("repair with one new day: partitions added", added, 24, added == 24);
    let goal = Duration::from_millis(500 * (partitions as u64).div_ceil(100_000).max(1));
    figures.time("repair with one new day, by remembered ranges: time", time, goal);
    figures.line("repair with one new day: CPU time, with the store's", millis(spent));
    figures.line("repair with one new day: pages", again.report.usage.requests.list);

    endpoint.put_many(BUCKET, keys(next_day + 1, 24)?, file.clone());
    let (time, tail) = timed(instance, "MSCK REPAIR TABLE t TAIL").await;
    let (added, pages) = (added_by(&tail), tail.report.usage.requests.list);
    figures.goal("repair of the tail with one new day: partitions added", added, 24, added == 24);
    figures.goal("repair of the tail: pages", pages, 1, pages == 1);
    figures.line("repair of the tail: time", millis(time));
    Ok(())
}

fn added_by(outcome: &Outcome) -> usize {
    outcome.lines().iter().filter(|line| line.starts_with("Repair: Added")).count()
}

/// A range on one key and equality on the other, which are not a prefix of the keys.
fn query() -> Result<String> {
    let (from, to) = (day(LAST_DAY - 9)?, day(LAST_DAY)?);
    Ok(format!("SELECT sum(n) AS total FROM t WHERE dt BETWEEN DATE '{from}' AND DATE '{to}' AND h = 3"))
}

/// The catalog file, and what it takes to open it and plan a first query.
async fn opening(instance: Instance, figures: &mut Figures, partitions: usize) -> Result<Instance> {
    let started = Instant::now();
    let instance = instance.restart_with(|_| {}).await;
    let opened = started.elapsed();
    let mut size = 0;
    for entry in std::fs::read_dir(instance.data_dir())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("catalog") {
            size += entry.metadata()?.len();
        }
    }
    figures.bytes("catalog file", size, (partitions as u64 * 150 * 1_000_000).div_ceil(1_000_000));
    let (time, _) = timed(&instance, &format!("EXPLAIN {}", query()?)).await;
    figures.time("cold: opening the catalog and planning a first query", opened + time, Duration::from_secs(1));
    let id = instance.engine.metastore().table(&glaux_catalog::TableName::new("default", "t")).await?;
    let index = instance.engine.metastore().partition_index(&id).await?;
    figures.line("partition index in memory", mebibytes(index.memory_size() as u64));
    Ok(instance)
}

/// CPU time of a plan when the index is known, and when one partition was added meanwhile.
async fn planning(instance: &Instance, figures: &mut Figures, partitions: usize) -> Result<()> {
    let process = Process::own();
    let goal = Duration::from_millis(if partitions > 100_000 { 40 } else { 10 });
    instance.run("SET SESSION listing = 'snapshot'").await;
    instance.run("REFRESH TABLE t").await;
    let others = [
        ("a function of one key", "dt = DATE '2024-10-01' AND h % 12 = 3"),
        ("both keys", "EXTRACT(DAY FROM dt) = h AND dt BETWEEN DATE '2024-09-01' AND DATE '2024-10-04'"),
    ];
    let of_both = query()?;
    let queries = std::iter::once(("a range and equality", of_both.as_str()));
    for (name, filter) in queries.chain(others) {
        let sql = match filter.starts_with("SELECT") {
            true => format!("EXPLAIN {filter}"),
            false => format!("EXPLAIN SELECT sum(n) AS total FROM t WHERE {filter}"),
        };
        let first = instance.run(&sql).await.report.usage;
        figures.line(&format!("plan by {name}: partitions left"), first.partitions.scanned);
        figures.line(&format!("plan by {name}: pages of listings"), first.requests.list);
        let before = process.fine_cpu()?;
        let mut times = Vec::new();
        for _ in 0..PLANS {
            times.push(timed(instance, &sql).await.0);
        }
        times.sort_unstable();
        let cpu = process.fine_cpu()?.saturating_sub(before) / PLANS;
        figures.time(&format!("plan by {name}: CPU time"), cpu, goal);
        figures.line(&format!("plan by {name}: time"), millis(times[times.len() / 2]));
    }
    let sql = format!("EXPLAIN {of_both}");
    let before = process.fine_cpu()?;
    for n in 0..PLANS {
        instance.run(&format!("ALTER TABLE t ADD PARTITION (dt = '1960-01-{:02}', h = 1) LOCATION '{{lake}}/one/'", n + 1)).await;
        instance.run(&sql).await;
    }
    let cpu = process.fine_cpu()?.saturating_sub(before) / PLANS;
    figures.line("a partition is added, and a plan after it: CPU time", millis(cpu));
    for n in 0..PLANS {
        instance.run(&format!("ALTER TABLE t DROP PARTITION (dt = '1960-01-{:02}', h = 1)", n + 1)).await;
    }
    instance.run("RESET SESSION listing").await;
    Ok(())
}

async fn listing(instance: &Instance, figures: &mut Figures, partitions: usize) -> Result<()> {
    let days = (0..10.min(partitions / 24)).count();
    let query = query()?;
    instance.run("ALTER TABLE t SET TBLPROPERTIES ('listing' = 'snapshot')").await;
    let (time, refresh) = timed(instance, "REFRESH TABLE t").await;
    figures.line("REFRESH TABLE: time", millis(time));
    figures.line("REFRESH TABLE: pages", refresh.report.usage.requests.list);
    for policy in ["live", "ttl=1h", "snapshot"] {
        instance.run(&format!("SET SESSION listing = '{policy}'")).await;
        let (first, _) = timed(instance, &query).await;
        let (mut times, mut usage) = (Vec::new(), Usage::default());
        for _ in 0..ROUNDS {
            let (time, outcome) = timed(instance, &query).await;
            usage = outcome.report.usage;
            times.push(time);
        }
        times.sort_unstable();
        let name = format!("{policy}, {days} partitions by range and equality");
        figures.line(&format!("{name}: first"), millis(first));
        figures.line(&format!("{name}: again"), millis(times[times.len() / 2]));
        let allowed = if policy == "live" { days as u64 } else { 0 };
        let list = usage.requests.list;
        figures.goal(&format!("{name}: LIST again"), list, format!("<= {allowed}"), list <= allowed);
        figures.goal(&format!("{name}: HEAD again"), usage.requests.head, 0, usage.requests.head == 0);
    }
    instance.run("RESET SESSION listing").await;
    Ok(())
}

/// A table as large with directories that are no partitions: the others are taken, and each of these is told.
async fn malformed(instance: &Instance, endpoint: &S3Endpoint, figures: &mut Figures, partitions: usize) -> Result<()> {
    let bad = (0..MALFORMED).map(|at| format!("t/dt=unknown-{at:04}/h={}/part-0.parquet", at % 24));
    endpoint.put_many(BUCKET, bad, "never read");
    instance
        .run("CREATE EXTERNAL TABLE u (n BIGINT) PARTITIONED BY (dt DATE, h INT) STORED AS PARQUET LOCATION '{lake}/t/'")
        .await;
    let (time, outcome) = timed(instance, "MSCK REPAIR TABLE u").await;
    figures.line("with 1,000 malformed directories: time", millis(time));
    let ignored = outcome.lines().iter().filter(|line| line.starts_with("Ignored: ")).count();
    figures.line("with 1,000 malformed directories: lines about them", ignored);
    let taken = instance.run("SELECT count(*) AS n FROM \"u$partitions\"").await.lines();
    let expected = partitions + 48;
    figures.goal("with 1,000 malformed directories: partitions", &taken[0], expected, taken[0] == expected.to_string());
    let told = instance.run("SELECT count(*) AS n FROM system.repair_findings WHERE \"table\" = 'u'").await.lines();
    figures.goal("with 1,000 malformed directories: findings", &told[0], MALFORMED, told[0] == MALFORMED.to_string());
    figures.line("memory at the end", mebibytes(Process::own().peak()?));
    Ok(())
}
