//! The options that every command takes, and how they become an open engine and a session.

use std::path::PathBuf;

use clap::Args;
use glaux_engine::{Engine, Error, Result, Session, session};

use crate::config::{self, Loaded, Overrides};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonOptions {
    /// Directory of the catalog, history and results [default: ./glaux-data]
    #[arg(long, global = true, env = "GLAUX_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Catalog service to use instead of the data directory's own catalog
    #[arg(long, global = true, value_name = "URL")]
    catalog: Option<String>,

    /// Database that unqualified table names belong to [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    database: Option<String>,

    /// Workgroup that queries are recorded under [default: primary]
    #[arg(long, global = true, value_name = "NAME")]
    workgroup: Option<String>,

    /// Configuration file [default: glaux.toml in the data directory, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Label for the history and the cost report; may be repeated
    #[arg(long = "label", global = true, value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// Stop a query that scans more table data than this, such as 500MB or 2GiB
    #[arg(long, global = true, value_name = "BYTES", value_parser = checked_bytes)]
    max_scan: Option<String>,

    /// Memory of all queries together before they spill to disk, such as 4GiB
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    memory_limit: Option<u64>,

    /// Stop a query that takes longer than this, such as 30s or 5m
    #[arg(long, global = true, value_name = "TIME", value_parser = checked_duration)]
    timeout: Option<String>,

    /// Time zone of CURRENT_DATE and of instants as text, such as Europe/Berlin [default: UTC]
    #[arg(long, global = true, value_name = "ZONE", value_parser = checked_time_zone)]
    time_zone: Option<String>,
}

impl CommonOptions {
    /// What the flags say to the configuration.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.data_dir.clone(),
            file: self.config.clone(),
            memory_limit: self.memory_limit,
            database: self.database.clone(),
            workgroup: self.workgroup.clone(),
            labels: self.labels.clone(),
            max_scan: self.max_scan.clone(),
            timeout: self.timeout.clone(),
            time_zone: self.time_zone.clone(),
        }
    }

    /// The same options on another data directory.
    pub(crate) fn with_data_dir(&self, dir: PathBuf) -> Self {
        Self { data_dir: Some(dir), ..self.clone() }
    }

    /// The effective configuration.
    ///
    /// # Errors
    /// As [`config::load`]; `Unsupported` for a remote catalog.
    pub(crate) fn load(&self) -> Result<Loaded> {
        if let Some(url) = &self.catalog {
            let message = format!("the catalog \"{url}\" is not in the data directory, and remote catalogs are not offered yet");
            return Err(Error::unsupported(message).with_hint("Leave --catalog out to use the catalog in --data-dir"));
        }
        let variables: Vec<_> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        config::load(&self.overrides(), &variables)
    }

    /// Opens the engine and a session.
    ///
    /// # Errors
    /// As [`CommonOptions::load`] and [`Engine::open`].
    pub(crate) async fn open(&self) -> Result<(Engine, Session)> {
        let loaded = self.load()?;
        let engine = Engine::open(loaded.engine).await?;
        Ok((engine, Session::new(loaded.session)))
    }
}

fn text(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    }
}

fn bytes(value: &str) -> Result<u64, String> {
    session::parse_bytes(value).map_err(|error| text(&error))
}

fn checked_bytes(value: &str) -> Result<String, String> {
    bytes(value).map(|_| value.to_owned())
}

fn checked_duration(value: &str) -> Result<String, String> {
    session::parse_duration(value).map(|_| value.to_owned()).map_err(|error| text(&error))
}

fn checked_time_zone(value: &str) -> Result<String, String> {
    session::parse_time_zone(value).map(|_| value.to_owned()).map_err(|error| text(&error))
}

fn label(value: &str) -> Result<(String, String), String> {
    match value.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("\"{value}\" is not a label. Write it as key=value")),
    }
}
