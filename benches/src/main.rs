//! `lake_bench`: figures that the project reports, on a lake of its own behind the loopback S3 endpoint. Exact counts (requests, bytes) beside
//! times, which only mean something as ratios within one run.
//!
//! `cargo run --release -p glaux-benches -- prune [PARTITIONS]`, or `scan` beside DataFusion and other engines (see `scan`), or `flight`, which has
//! figures of its own (see `flight`).

mod catalog;
mod contestant;
mod figures;
mod flight;
mod history;
mod partitions;
mod process;
mod scan;

use std::time::{Duration, Instant};

use glaux_engine::accounting::{RequestKind, Usage};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
};

/// What a bench ends with if it cannot go on.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How often each query runs after the first.
const ROUNDS: usize = 5;

/// What a request takes on the endpoint.
const LIST_LATENCY: Duration = Duration::from_millis(100);
const GET_LATENCY: Duration = Duration::from_millis(30);

fn main() {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no threads: {error}");
            std::process::exit(1);
        }
    };
    let code = runtime.block_on(run(std::env::args().skip(1).collect()));
    runtime.shutdown_background();
    std::process::exit(code);
}

async fn run(mut arguments: Vec<String>) -> i32 {
    let bench = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    let partitions = match arguments.as_slice() {
        [] => Some(10_000),
        [count] => count.parse().ok(),
        _ => None,
    };
    match (bench.as_str(), partitions) {
        // What other benches start to be measured.
        ("contestant", _) => return finish(contestant::role::play(&arguments).await.map(|()| true)),
        ("catalog", _) => return catalog::run(&arguments).await,
        ("flight", _) => return flight::run(arguments).await,
        ("history", _) => return history::run(&arguments).await,
        ("partitions", _) => return partitions::run(&arguments).await,
        ("scan", _) => return scan::run(&arguments).await,
        ("prune", Some(partitions)) => prune(partitions).await,
        _ => {
            eprintln!(
                "usage: lake_bench prune [PARTITIONS]\n       lake_bench {}\n       lake_bench {}\n       lake_bench {}\n       lake_bench {}\n       lake_bench {}",
                catalog::USAGE,
                history::USAGE,
                partitions::USAGE,
                scan::USAGE,
                flight::USAGE
            );
            return 2;
        }
    }
    0
}

/// What a bench's end means to the shell: 0 if all goals were met, 1 if not or if it could not go on.
fn finish(ran: Result<bool>) -> i32 {
    match ran {
        Ok(met) => i32::from(!met),
        Err(error) => {
            eprintln!("lake_bench: {error}");
            1
        }
    }
}

/// A table of `d=DAY/h=HOUR` partitions of one file each: what queries on few of them ask of the store.
async fn prune(partitions: usize) {
    let instance = Instance::start(Lake::on_s3().await).await;
    let Lake::S3(endpoint) = &instance.lake else { return };
    instance.write("one/a.parquet", "SELECT value AS n FROM generate_series(1, 1000)").await;
    let Some(file) = endpoint.get(BUCKET, "one/a.parquet") else { return };
    endpoint.put_many(BUCKET, (0..partitions).map(|at| format!("t/d={}/h={}/a.parquet", at / 24, at % 24)), file);
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (d INT, h INT) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    endpoint.set_latency(RequestKind::List, LIST_LATENCY);
    endpoint.set_latency(RequestKind::Get, GET_LATENCY);
    println!("{partitions} partitions of one file; LIST {LIST_LATENCY:?} a page, GET {GET_LATENCY:?}");
    println!(
        "{:<44} {:>9} {:>9} {:>6} {:>6} {:>12} {:>12}",
        "statement", "first", "median", "list", "get", "fetched", "partitions"
    );
    let started = Instant::now();
    let usage = instance.run("MSCK REPAIR TABLE t").await.report.usage;
    line("MSCK REPAIR TABLE", started.elapsed(), started.elapsed(), &usage);
    for (name, predicate) in [
        ("point: d = 7 AND h = 3", "d = 7 AND h = 3"),
        ("range and equality: d BETWEEN 7 AND 9, h = 3", "d BETWEEN 7 AND 9 AND h = 3"),
        ("function: d % 100 = 7 AND h = 3", "d % 100 = 7 AND h = 3"),
        ("nothing: d = -1", "d = -1"),
    ] {
        let sql = format!("SELECT sum(n) AS total FROM t WHERE {predicate}");
        let mut times = Vec::new();
        let mut usage = Usage::default();
        for _ in 0..=ROUNDS {
            let started = Instant::now();
            usage = instance.run(&sql).await.report.usage;
            times.push(started.elapsed());
        }
        let first = times.remove(0);
        times.sort_unstable();
        line(name, first, times[times.len() / 2], &usage);
    }
}

fn line(name: &str, first: Duration, median: Duration, usage: &Usage) {
    let partitions = format!("{}/{}", usage.partitions.scanned, usage.partitions.total.unwrap_or_default());
    println!(
        "{name:<44} {:>6} ms {:>6} ms {:>6} {:>6} {:>12} {partitions:>12}",
        first.as_millis(),
        median.as_millis(),
        usage.requests.list,
        usage.requests.get,
        usage.fetched_bytes,
    );
}
