//! `lake_bench scan`: what scans take, Glaux beside DataFusion's own listing table and, where Python has them, DuckDB, Polars and chDB, on one
//! lake: TPC-H's lineitem as 84 monthly files and as one, and many small files, served by the loopback endpoint with a latency a request.
//!
//! Every contestant is a process of its own on two cores. Times and CPU are told by it, requests and bytes by the endpoint's log. Answers are
//! compared. Each figure that has a goal stands beside it.

mod compared;
mod first;
mod footers;
mod lake;
mod measure;
mod queries;
mod query;
mod repeat;
mod small;
mod tpch;

use std::{path::PathBuf, time::Duration};

use measure::Ground;

use crate::{Result, contestant::Who, finish};

/// How Glaux's data cache is switched on, unless the command line says it otherwise.
const CACHE: [(&str, &str); 2] = [("data_cache.memory_bytes", "1073741824"), ("data_cache.disk_bytes", "4294967296")];

const BENCHES: [&str; 6] = ["first", "queries", "repeat", "local", "small", "tpch"];

pub(crate) const USAGE: &str = "scan [first|queries|repeat|local|small|tpch|all] [--dir PATH] [--scale F] [--small-files N] [--latency MS] \
     [--list-latency MS] [--runs N] [--only NAME,..] [--peers PYTHON] [--set NAME=VALUE].. [--cache NAME=VALUE]..";

const HELP: &str = "
  first      the first count(*) of a table that nobody knows: LIST takes its latency, footers are read
  queries    six queries, and two more, of the 84 files and of the one: listing and footers known, data cold; then the same at 0 ms
  repeat     the same queries again, after a restart, and with the data cache: no footers, no GETs
  local      the same queries on local files
  small      a sum over many small files, first and again
  tpch       TPC-H's 22 queries on local files
  all        all of these, as is the default

  --dir PATH          where the lake is kept between runs (target/lake_bench/scan)
  --scale F           TPC-H's scale factor (1)
  --small-files N     how many small files (10000)
  --latency MS        what a GET takes (30)
  --list-latency MS   what a LIST takes at the first touch (100); none afterwards
  --runs N            of which the median counts (3)
  --only NAME,..      only these of glaux, datafusion, datafusion-32, datafusion-32-pushdown, duckdb, polars, chdb
  --peers PYTHON      a Python with duckdb and duckdb-extension-httpfs, polars, chdb; those that it does not have are left out, loudly
  --set NAME=VALUE    a setting of Glaux by its name in the settings' file, such as parallelism=1 or memory_limit=268435456
  --cache NAME=VALUE  the same, for what is measured with the data cache (data_cache.memory_bytes and data_cache.disk_bytes: 1 GiB, 4 GiB)

The exit code is 0 if all goals were met, 1 if not.";

/// What the command line asks for.
#[derive(Debug, Clone)]
struct Options {
    dir: PathBuf,
    scale: f64,
    small_files: usize,
    latency: Duration,
    list_latency: Duration,
    runs: usize,
    /// Empty means all.
    only: Vec<Who>,
    peers: Option<PathBuf>,
    settings: Vec<(String, String)>,
    cache: Vec<(String, String)>,
}

/// Runs the benches that are named; 0 if all goals were met, 1 if not, 2 for arguments that say nothing.
pub(crate) async fn run(arguments: &[String]) -> i32 {
    if matches!(arguments.first().map(String::as_str), Some("--help" | "-h" | "help")) {
        println!("lake_bench {USAGE}\n{HELP}");
        return 0;
    }
    let Some((names, options)) = parse(arguments) else {
        eprintln!("usage: lake_bench {USAGE}\n{HELP}");
        return 2;
    };
    finish(all(&names, options).await)
}

async fn all(names: &[&str], options: Options) -> Result<bool> {
    let ground = Ground::prepare(options).await?;
    let mut met = true;
    for name in names {
        let ran = match *name {
            "first" => first::run(&ground).await,
            "queries" => queries::run(&ground).await,
            "repeat" => repeat::run(&ground).await,
            "local" => queries::local(&ground).await,
            "small" => small::run(&ground).await,
            _ => tpch::run(&ground),
        };
        met &= finish(ran) == 0;
    }
    Ok(met)
}

fn parse(arguments: &[String]) -> Option<(Vec<&'static str>, Options)> {
    let mut options = Options {
        dir: "target/lake_bench/scan".into(),
        scale: 1.0,
        small_files: 10_000,
        latency: Duration::from_millis(30),
        list_latency: Duration::from_millis(100),
        runs: 3,
        only: Vec::new(),
        peers: None,
        settings: Vec::new(),
        cache: CACHE.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    };
    let mut names = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next();
        let setting = |text: &String| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        match argument.as_str() {
            "all" => names.extend(BENCHES),
            "--dir" => options.dir = value()?.into(),
            "--scale" => options.scale = value()?.parse().ok().filter(|scale: &f64| *scale > 0.0)?,
            "--small-files" => options.small_files = value()?.parse().ok()?,
            "--latency" => options.latency = Duration::from_millis(value()?.parse().ok()?),
            "--list-latency" => options.list_latency = Duration::from_millis(value()?.parse().ok()?),
            "--runs" => options.runs = value()?.parse().ok().filter(|runs| *runs > 0)?,
            "--only" => options.only = value()?.split(',').map(Who::by_name).collect::<Option<_>>()?,
            "--peers" => options.peers = Some(value()?.into()),
            "--set" => options.settings.push(setting(value()?)?),
            "--cache" => options.cache.push(setting(value()?)?),
            name => names.push(BENCHES.into_iter().find(|known| *known == name)?),
        }
    }
    if names.is_empty() {
        names.extend(BENCHES);
    }
    Some((names, options))
}
