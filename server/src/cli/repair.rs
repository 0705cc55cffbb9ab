//! `glaux catalog repair`: asks a catalog service to repair a table with its own access to storage, and shows the progress.

use clap::Args;
use futures::StreamExt;
use glaux_catalog::{TableName, discovery::RepairMode};
use glaux_engine::{Error, ErrorKind, Result};

use super::{options::CommonOptions, runtime::runtime, say::say, stop::Stop};
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct RepairArgs {
    /// The table, as TABLE or DATABASE.TABLE
    table: String,
    /// Drop partitions whose directories are gone, but add none
    #[arg(long, conflicts_with_all = ["sync", "tail"])]
    drop: bool,
    /// Add new partitions, and drop those whose directories are gone
    #[arg(long, conflicts_with = "tail")]
    sync: bool,
    /// Look only for partitions after the greatest one
    #[arg(long)]
    tail: bool,
    /// Do not draw a line of progress on a terminal
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(options: &CommonOptions, args: &RepairArgs) -> Result<(), Stop> {
    let loaded = options.load()?;
    let table = match args.table.split_once('.') {
        Some((database, table)) => TableName::new(database, table),
        None => TableName::new(&loaded.session.database, &args.table),
    };
    let mode = match (args.drop, args.sync) {
        (true, _) => RepairMode::Drop,
        (_, true) => RepairMode::Sync,
        _ => RepairMode::Add,
    };
    runtime()?.block_on(async {
        let Some(service) = loaded.catalog.connect().await? else {
            let error = Error::unsupported("to repair a catalog in a data directory, use a statement");
            return Err(error.with_hint(format!("Run: glaux sql -e 'MSCK REPAIR TABLE {}'", args.table)).into());
        };
        let mut steps = service.repair(&table, mode, args.tail).await?;
        let mut progress = Progress::statement(!args.no_progress);
        let mut lines = None;
        while let Some(step) = steps.next().await {
            let step = step?;
            progress.repairing(&step);
            lines = step.lines;
        }
        progress.clear();
        let lines = lines.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, "the catalog service stopped before the repair was finished")
                .with_hint("Repair again: it continues where it stopped")
        })?;
        for line in lines {
            say(&line)?;
        }
        Ok(())
    })
}
