//! `glaux crawl`: finds the tables below a URL, as `CALL system.crawl(...)`, which it runs.

use clap::{Args, ValueEnum};
use glaux_engine::{
    Error, Result,
    sql::{Crawl, CrawlDeletions, CrawlPolicy, Statement},
};

use super::{execute::Executor, options::CommonOptions, runtime::runtime, stop::Stop};
use crate::{
    exit_code,
    output::{Format, Results},
    stats::{Stats, StatsFormat},
};

/// Find the tables and partitions below a URL, and bring the catalog up to date with them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  glaux crawl s3://lake/ --dry-run                     show the differences from the catalog
  glaux crawl s3://lake/sales/ --database sales        create and update tables in a database
  glaux crawl s3://lake/ --policy log                  only report, as Glue's LOG
  glaux crawl s3://lake/raw/ --table-level 2           the tables are two folders below the URL

The result has a row for each difference. In SQL, use CALL system.crawl(...).")]
pub(crate) struct CrawlArgs {
    /// The folder to search, such as s3://bucket/prefix/ or a path
    url: String,

    /// What may change: update (tables, columns, types, partitions), add-columns (types stay), or log (nothing)
    #[arg(long, value_parser = policy, default_value = "update", value_name = "POLICY")]
    policy: CrawlPolicy,

    /// What to do with missing objects: log, or delete from the catalog
    #[arg(long, value_enum, default_value = "log", value_name = "WHAT")]
    deletions: Deletions,

    /// Report the changes, but do not make them
    #[arg(long)]
    dry_run: bool,

    /// How many folders below the URL the tables are [default: detected]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    table_level: Option<u32>,

    /// Files to read in each partition
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_hyphen_values = true)]
    sample: u32,

    /// Prefix for the names of new tables
    #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
    table_prefix: String,

    /// Form of the result
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Format,

    /// Form of the figures: requests and bytes read
    #[arg(long, value_enum, value_name = "FORM")]
    stats: Option<StatsFormat>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Deletions {
    Log,
    Delete,
}

fn policy(name: &str) -> Result<CrawlPolicy, String> {
    CrawlPolicy::parse(name).ok_or_else(|| "the policies are update, add-columns and log".to_owned())
}

pub(crate) fn run(options: &CommonOptions, args: &CrawlArgs) -> Result<(), Stop> {
    let results = Results::new(args.format);
    results.check_format()?;
    let crawl = Crawl {
        policy: args.policy,
        deletions: match args.deletions {
            Deletions::Log => CrawlDeletions::Log,
            Deletions::Delete => CrawlDeletions::Delete,
        },
        dry_run: args.dry_run,
        table_level: args.table_level,
        sample: args.sample,
        table_prefix: args.table_prefix.clone(),
        ..Crawl::new(&args.url)
    };
    let statement = Statement::Crawl(Box::new(crawl)).to_string();
    let stats = Stats::open(args.stats, None)?;
    let runtime = runtime()?;
    let mut executor = runtime.block_on(async {
        let (engine, session) = options.open().await?;
        session.set_default_application("glaux-crawl");
        Ok::<_, Error>(Executor::new(engine, session, results, stats, true))
    })?;
    let outcome = runtime.block_on(executor.run(&statement));
    let was_pressed = executor.interrupt.was_pressed();
    drop(executor);
    runtime.shutdown_background();
    match outcome {
        Ok(()) if was_pressed => Err(Stop::Code(exit_code::INTERRUPTED)),
        outcome => Ok(outcome?),
    }
}
