//! `glaux catalog watch`: prints a line for each change in a catalog service, and on request for everything it contains first, until Ctrl-C.

use clap::Args;
use futures::StreamExt;
use glaux_catalog::grpc::{CatalogChange, ChangeKind};
use glaux_engine::{Error, Result};

use super::{options::CommonOptions, runtime::runtime, say::say, stop::Stop};

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Print everything in the catalog first
    #[arg(long)]
    present: bool,
}

pub(super) fn run(options: &CommonOptions, args: &WatchArgs) -> Result<(), Stop> {
    let loaded = options.load()?;
    runtime()?.block_on(async {
        let Some(service) = loaded.catalog.connect().await? else {
            return Err(Error::unsupported("a catalog in a data directory cannot be watched")
                .with_hint("Name a catalog service with --catalog grpc://host:port; `glaux serve` is one")
                .into());
        };
        let mut heard = service.watch().await?;
        while let Some(changes) = heard.next().await {
            for change in changes?.0.iter().filter(|change| args.present || change.kind != ChangeKind::Present) {
                say(&line(change))?;
            }
        }
        Ok(())
    })
}

fn line(change: &CatalogChange) -> String {
    let what = match change.kind {
        ChangeKind::Present => "present",
        ChangeKind::Created => "created",
        ChangeKind::Changed => "changed",
        ChangeKind::Dropped => "dropped",
    };
    match &change.table {
        None => format!("{what}  database {}", change.database),
        Some(table) => format!("{what}  table {}  version {}", table.name, table.version),
    }
}

#[cfg(test)]
mod tests {
    use glaux_catalog::{TableName, metastore::TableVersion};

    use super::*;

    #[test]
    fn a_change_is_a_line() {
        let mut change = CatalogChange { kind: ChangeKind::Dropped, database: "sales".to_owned(), table: None };
        assert_eq!(line(&change), "dropped  database sales");
        change.table = Some(TableVersion { name: TableName::new("sales", "orders"), id: 1, version: 7 });
        assert_eq!(line(&change), "dropped  table sales.orders  version 7");
    }
}
