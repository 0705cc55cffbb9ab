//! `glaux catalog`: backing the data directory's catalog up, restoring it, and checking it. Definitions go in and out of any catalog
//! (`exchange`).

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use glaux_catalog::metastore::SqliteMetastore;
use glaux_engine::{CATALOG_FILE, Error};

use super::{
    catalog_file::open_existing,
    exchange::{self, ExportArgs, ImportArgs},
    options::CommonOptions,
    repair::{self, RepairArgs},
    runtime::runtime,
    say::say,
    stop::Stop,
    watch::{self, WatchArgs},
};
use crate::{diagnostic, figures};

/// Back up, restore or check the catalog of the data directory; import and export definitions
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  glaux catalog backup catalog-2024-06-01.sqlite   a consistent copy, also while others use the catalog
  glaux catalog check                              is every row of the catalog what it should be?
  glaux catalog restore catalog-2024-06-01.sqlite  put a copy back; stop everything else that uses the data directory first
  glaux catalog export sales -o sales.json         definitions and partitions as AWS Glue's JSON
  glaux catalog import tables.json partitions.json take over what `aws glue get-tables` and `get-partitions` print
  glaux --catalog grpc://lake:32010 catalog repair sales.orders   the service finds the partitions, with its own access to storage

The catalog holds definitions only: databases, tables, partitions. Data files are neither copied nor touched.")]
pub(crate) struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Copy the catalog to a file, which must not exist yet
    Backup {
        /// The copy
        file: PathBuf,
    },
    /// Replace the catalog by a copy made by `backup`
    Restore {
        /// The copy
        file: PathBuf,
    },
    /// Check that the catalog is intact
    Check,
    /// Export databases, tables, partitions and views as Glue's JSON or as DDL
    Export(ExportArgs),
    /// Import databases, tables, partitions and views from Glue's JSON
    Import(ImportArgs),
    /// Find a table's partitions in storage, by a catalog service
    Repair(RepairArgs),
    /// Print a line for each change of a catalog service as it happens
    Watch(WatchArgs),
}

pub(crate) fn run(options: &CommonOptions, args: &CatalogArgs) -> Result<(), Stop> {
    match &args.command {
        CatalogCommand::Export(args) => return exchange::export(options, args),
        CatalogCommand::Import(args) => return exchange::import(options, args),
        CatalogCommand::Repair(args) => return repair::run(options, args),
        CatalogCommand::Watch(args) => return watch::run(options, args),
        _ => {}
    }
    let loaded = options.load()?;
    if let Some(url) = loaded.catalog.url.as_ref().filter(|url| !url.is_empty()) {
        let message = format!("the catalog is the service \"{url}\", not the one in the data directory");
        return Err(Error::unsupported(message)
            .with_hint("Run this where the service has its data directory, without --catalog and without GLAUX_CATALOG")
            .into());
    }
    let catalog = loaded.engine.data_dir.join(CATALOG_FILE);
    let runtime = runtime()?;
    runtime.block_on(async {
        match &args.command {
            CatalogCommand::Backup { file } => backup(&catalog, file).await,
            CatalogCommand::Restore { file } => restore(&catalog, file).await,
            CatalogCommand::Check => check(&catalog).await,
            // Carried out above.
            CatalogCommand::Export(_) | CatalogCommand::Import(_) | CatalogCommand::Repair(_) | CatalogCommand::Watch(_) => {
                Ok(())
            }
        }
    })
}

async fn backup(catalog: &Path, file: &Path) -> Result<(), Stop> {
    let metastore = open_existing(catalog)?;
    if file.exists() {
        return Err(Error::already_exists(format!("the file \"{}\" already exists", file.display()))
            .with_hint("Choose another name: a backup never replaces a file")
            .into());
    }
    metastore.backup(file).await?;
    let size = std::fs::metadata(file).map_err(|error| diagnostic::io_error("read the copy", file, error))?.len();
    Ok(say(&format!("wrote {} ({})", file.display(), figures::bytes(size)))?)
}

async fn restore(catalog: &Path, file: &Path) -> Result<(), Stop> {
    SqliteMetastore::restore(file, catalog).await?;
    Ok(say(&format!("restored {} from {}", catalog.display(), file.display()))?)
}

async fn check(catalog: &Path) -> Result<(), Stop> {
    let faults = open_existing(catalog)?.check().await?;
    if faults.is_empty() {
        return Ok(say(&format!("ok: {}", catalog.display()))?);
    }
    for fault in &faults {
        say(&format!("fault: {fault}"))?;
    }
    let message = format!("the catalog \"{}\" has {}", catalog.display(), figures::count(faults.len() as u64, "fault"));
    Err(Error::corrupt(message).with_hint("Restore a copy with `glaux catalog restore FILE`").into())
}
