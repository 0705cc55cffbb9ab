//! `lake_bench flight`: figures of the Flight SQL server, which is started as a process of its own on loopback, each beside its goal and,
//! where the goal is a ratio, beside what it is compared with in the same run. It tests nothing but figures.

mod batches;
mod cancel;
mod client;
mod compared;
mod lake;
mod metrics;
mod point;
mod proxy;
mod server;
mod sessions;
mod soak;
mod storm;
mod stream;
mod tables;

use std::path::PathBuf;

use crate::{Result, figures, finish, process};

/// What the command line asks for.
#[derive(Debug, Clone)]
struct Options {
    /// The `glaux` whose server is measured.
    bin: PathBuf,
    /// Rows of the stream.
    rows: usize,
    /// How long the soak lasts.
    minutes: u64,
}

const BENCHES: [&str; 7] = ["point", "stream", "tables", "sessions", "cancel", "storm", "soak"];

pub(crate) const USAGE: &str =
    "flight [point|stream|tables|sessions|cancel|soak|storm|all] [--bin PATH] [--rows N] [--minutes N]";

/// Runs the benches that are named; 0 if all goals were met, 1 if not, 2 for arguments that say nothing.
pub(crate) async fn run(arguments: Vec<String>) -> i32 {
    match arguments.first().map(String::as_str) {
        // What a bench starts to compare the server with.
        Some("embedded") => return finish(compared::embedded(&arguments[1..]).await.map(|()| true)),
        Some("bare") => return finish(compared::bare(&arguments[1..]).await.map(|()| true)),
        _ => {}
    }
    let Some((names, options)) = parse(&arguments) else {
        eprintln!("usage: lake_bench {USAGE}");
        return 2;
    };
    let mut met = true;
    for name in names {
        let ran = match name {
            "point" => point::run(&options).await,
            "stream" => stream::run(&options).await,
            "tables" => tables::run(&options).await,
            "sessions" => sessions::run(&options).await,
            "cancel" => cancel::run(&options).await,
            "storm" => storm::run(&options).await,
            _ => soak::run(&options).await,
        };
        met &= finish(ran) == 0;
    }
    i32::from(!met)
}

fn parse(arguments: &[String]) -> Option<(Vec<&'static str>, Options)> {
    let beside = std::env::current_exe().ok()?.with_file_name("glaux");
    let mut options = Options { bin: beside, rows: 10_000_000, minutes: 10 };
    let mut names = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "all" => names.extend(BENCHES),
            "--bin" => options.bin = arguments.next()?.into(),
            "--rows" => options.rows = arguments.next()?.parse().ok()?,
            "--minutes" => options.minutes = arguments.next()?.parse().ok()?,
            name => names.push(BENCHES.into_iter().find(|known| *known == name)?),
        }
    }
    if names.is_empty() {
        names.extend(BENCHES);
    }
    Some((names, options))
}
