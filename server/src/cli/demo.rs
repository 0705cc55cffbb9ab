//! `glaux demo`: the main job in one command. Generates a lake, partitioned and not, queries both, and shows what each query costs.

mod answered;
mod compare;
mod generate;
mod lake;
mod queries;
mod tables;

use std::path::PathBuf;

use clap::Args;
use glaux_engine::{Engine, Result, Session};
use lake::{Lake, Parameters};

use super::{options::CommonOptions, runtime::runtime, say::say, stop::Stop};
use crate::{diagnostic, exit_code, figures, terminal};

/// Where the demo lives unless told otherwise.
const DEFAULT_DIR: &str = "./glaux-demo";

/// Build a small lake, query it, and see what each query costs
///
/// Generates TPC-H's lineitem twice, partitioned by ship_year and ship_month and in one piece, and orders partitioned by order_year.
/// Then runs the same questions on both layouts and shows side by side what they scanned and what that costs.
#[derive(Debug, Args)]
#[command(after_help = format!("\
Examples:
  glaux demo                                  in ./glaux-demo, in seconds
  glaux demo --scale 1                        six million rows, as TPC-H's scale factor 1
  glaux --data-dir ./glaux-demo sql           look around afterwards

Running it again uses the lake that is there; another scale replaces it. Delete the directory to be rid of it.

{}", exit_code::HELP))]
pub(crate) struct DemoArgs {
    /// Directory of the demo, new, empty, or made by an earlier demo; used as the data directory instead of --data-dir
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR)]
    dir: PathBuf,

    /// Size of the lake as TPC-H's scale factor: 1 is six million rows, about 140 MB in each layout
    #[arg(long, value_name = "FACTOR", default_value_t = 0.05, value_parser = scale, allow_hyphen_values = true)]
    scale: f64,

    /// Do not draw a line of progress on a terminal
    #[arg(long)]
    no_progress: bool,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.001..=1000.0).contains(&scale) => Ok(scale),
        _ => Err(format!("\"{text}\" is not a scale factor from 0.001 to 1000")),
    }
}

pub(crate) fn run(options: &CommonOptions, args: &DemoArgs) -> Result<(), Stop> {
    let dir = std::path::absolute(&args.dir).map_err(|error| diagnostic::io_error("find the directory", &args.dir, error))?;
    let options = options.with_data_dir(dir.clone());
    runtime()?.block_on(async {
        let lake = Lake::claim(&dir)?;
        let (engine, session) = options.open().await?;
        session.set_default_application("glaux-demo");
        // The tables are where the contract says, whatever the configuration prefers.
        session.set_database(glaux_catalog::ident::DEFAULT_DATABASE);
        Box::pin(present(&lake, &engine, &session, args)).await.map_err(Stop::Error)
    })
}

async fn present(lake: &Lake, engine: &Engine, session: &Session, args: &DemoArgs) -> Result<()> {
    let parameters = Parameters::new(args.scale);
    let shown = args.dir.display();
    if lake.holds(&parameters)? {
        say(&format!("Using the lake in {shown}/lake (scale {}).", args.scale))?;
    } else {
        say(&format!("Generating a lake in {shown}/lake (scale {}) ...", args.scale))?;
        let made = generate::run(engine, lake, &parameters, !args.no_progress).await?;
        for table in &made.tables {
            say(&format!("  {table}"))?;
        }
        tables::forget(engine, session, lake).await?;
    }
    tables::register(engine, session, lake).await?;
    let comparison = queries::run(engine, session, args.scale).await?;
    compare::summary(&comparison)?;
    let (called, dir) = (as_called(), quoted(&shown.to_string()));
    let minimum_bytes = engine.queries().tariff().minimum_bytes;
    if args.scale < 1.0 && comparison.iter().any(|answered| answered.costs_the_minimum(minimum_bytes)) {
        let minimum = figures::bytes(minimum_bytes);
        say(&format!("\nScans of more than {minimum} differ in price, too: {called} demo --scale 1 --dir {dir}"))?;
    }
    let glaux = format!("{called} --data-dir {dir}");
    say(&format!(
        "\nGo on:\n  {glaux} sql\n  {glaux} sql -e \"SHOW PARTITIONS lineitem\"\n  \
         {glaux} sql -e \"SELECT ship_year, sum(l_extendedprice) FROM lineitem GROUP BY ship_year ORDER BY 1\" --stats text"
    ))
}

/// This program as it can be called again: after `cargo run` there is no `glaux` on the path.
fn as_called() -> String {
    let called = std::env::args_os().next().unwrap_or_else(|| "glaux".into()).to_string_lossy().into_owned();
    match std::env::current_exe() {
        Ok(program) if !terminal::is_there(&quoted(&called)) => quoted(&program.to_string_lossy()),
        _ => quoted(&called),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./+:=@%,~".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
