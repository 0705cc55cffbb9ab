//! `glaux doctor`: checks everything that a query needs, and reports what is wrong and how to fix it. It changes nothing.

mod findings;
mod stores;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use glaux_catalog::{Metastore, metastore::Definitions};
use glaux_engine::{Error, Result, runtime::CATALOG_FILE};

use self::findings::Findings;
use super::{catalog_file, options::CommonOptions, runtime::runtime, say::say, stop::Stop, tariff};
use crate::{
    config::{CatalogOptions, Loaded},
    diagnostic, exit_code, figures,
};

/// Less free space than this is worth a warning.
const LOW_DISK_BYTES: u64 = 1_000_000_000;

/// Check configuration, data directory, catalog and stores
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at the configuration and where each setting came from, the data directory, the catalog, and every store that the tables or the
configuration name: each is asked for one page of one listing. Nothing is created or changed.

Examples:
  glaux doctor
  glaux --data-dir ./glaux-demo doctor

The exit code is 0 if nothing failed; warnings do not count.")]
pub(crate) struct DoctorArgs {}

pub(crate) fn run(options: &CommonOptions, _: &DoctorArgs) -> Result<(), Stop> {
    runtime()?.block_on(examine(options))
}

async fn examine(options: &CommonOptions) -> Result<(), Stop> {
    let mut findings = Findings::default();
    findings.ok(&format!("glaux {} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH))?;
    match options.load() {
        Ok(loaded) => {
            configuration(&mut findings, &loaded)?;
            let there = data_directory(&mut findings, &loaded.engine.data_dir)?;
            disk(&mut findings, &loaded.engine.data_dir)?;
            let metastore = match &loaded.catalog.url {
                Some(url) if !url.is_empty() => ask_service(&mut findings, url, &loaded.catalog).await?,
                _ if there => check_catalog(&mut findings, &loaded.engine.data_dir).await?,
                _ => None,
            };
            stores::examine(&mut findings, &loaded.engine.storage, metastore.as_deref()).await?;
        }
        Err(error) => findings.fail("configuration", &error)?,
    }
    let Findings { failed, failures, warnings } = findings;
    say(&format!("{}, {}", figures::count(failures, "failure"), figures::count(warnings, "warning")))?;
    match failed {
        Some(kind) => Err(Stop::Code(exit_code::of(kind))),
        None => Ok(()),
    }
}

fn configuration(findings: &mut Findings, loaded: &Loaded) -> Result<()> {
    match &loaded.file {
        Some(file) => findings.ok(&format!("configuration file {}", file.display()))?,
        None => findings.ok("no configuration file: defaults, environment and flags")?,
    }
    for setting in loaded.settings()?.iter().filter(|setting| !setting.is_default()) {
        findings.detail(&format!("{} = {}  ({})", setting.key, setting.value, setting.origin))?;
    }
    findings.ok(&tariff::describe(&loaded.tariffs.default_tariff()))
}

/// Whether the data directory is there and can be written to.
fn data_directory(findings: &mut Findings, dir: &Path) -> Result<bool> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            findings.fail("data directory", &Error::invalid(format!("\"{}\" is not a directory", dir.display())))?;
            return Ok(false);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("the data directory \"{}\" does not exist yet", dir.display());
            findings.warn(&text, "The first statement creates it; name another one with --data-dir or GLAUX_DATA_DIR")?;
            return Ok(false);
        }
        Err(error) => {
            findings.fail("data directory", &diagnostic::io_error("read the data directory", dir, error))?;
            return Ok(false);
        }
    }
    let probe = dir.join(format!(".doctor-{}", std::process::id()));
    let written = fs::OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|_| fs::remove_file(&probe));
    match written {
        Ok(()) => findings.ok(&format!("data directory {} can be written to", dir.display()))?,
        Err(error) => findings.fail("data directory", &diagnostic::io_error("write to the data directory", dir, error))?,
    }
    Ok(true)
}

fn disk(findings: &mut Findings, dir: &Path) -> Result<()> {
    let Some(existing) = dir.ancestors().map(existing_or_here).find(|dir| dir.exists()) else { return Ok(()) };
    match free_bytes(&existing) {
        Some(free) if free < LOW_DISK_BYTES => findings.warn(
            &format!("only {} are free on the disk of {}", figures::bytes(free), existing.display()),
            "Large sorts, joins and aggregations spill there; free some space or move the data directory",
        ),
        Some(free) => findings.ok(&format!("{} free on the disk of {}", figures::bytes(free), existing.display())),
        None => Ok(()),
    }
}

/// A relative path's last ancestor is empty and means the current directory.
fn existing_or_here(dir: &Path) -> PathBuf {
    if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir.to_owned() }
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Whether the catalog service answers, and what it holds.
async fn ask_service(findings: &mut Findings, url: &str, options: &CatalogOptions) -> Result<Option<Arc<dyn Metastore>>> {
    let asked = async {
        let Some(service) = options.connect().await? else { return Ok(None) };
        let known = service.hello().await?;
        let (databases, tables) = (service.databases().await?.len(), service.table_versions().await?.len());
        Ok::<_, Error>(Some((service, known, databases, tables)))
    };
    match asked.await {
        Ok(Some((service, known, databases, tables))) => {
            let databases = figures::count(databases as u64, "database");
            let tables = figures::count(tables as u64, "table");
            let role = if known.administrator { ", an administrator" } else { "" };
            let text = format!(
                "catalog service {url} (glaux {}) accepts \"{}\"{role}: {databases}, {tables}",
                known.version, known.user
            );
            findings.ok(&text)?;
            Ok(Some(service))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            findings.fail("catalog service", &error)?;
            Ok(None)
        }
    }
}

async fn check_catalog(findings: &mut Findings, dir: &Path) -> Result<Option<Arc<dyn Metastore>>> {
    let file = dir.join(CATALOG_FILE);
    if !file.exists() {
        findings.warn(&format!("there is no catalog at {}", file.display()), "The first statement creates it")?;
        return Ok(None);
    }
    let metastore = match catalog_file::open_existing(&file) {
        Ok(metastore) => metastore,
        Err(error) => {
            findings.fail("catalog", &error)?;
            return Ok(None);
        }
    };
    match metastore.check().await {
        Ok(faults) if faults.is_empty() => {
            let mut tables = 0;
            let databases = metastore.databases().await?;
            for database in &databases {
                tables += metastore.table_names(&database.name).await?.len() as u64;
            }
            let databases = figures::count(databases.len() as u64, "database");
            findings.ok(&format!("catalog {} is whole: {databases}, {}", file.display(), figures::count(tables, "table")))?;
        }
        Ok(faults) => {
            let error = Error::corrupt(format!("the catalog \"{}\" has errors: {}", file.display(), faults.join("; ")))
                .with_hint("Restore a copy with `glaux catalog restore FILE`");
            findings.fail("catalog", &error)?;
        }
        Err(error) => findings.fail("catalog", &error)?,
    }
    Ok(Some(Arc::new(metastore)))
}
