//! The options that every command takes, and those of the server; how they become a configuration, an open engine and a session.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::{
    ArgMatches, Args,
    builder::{OsStringValueParser, TypedValueParser},
    parser::ValueSource,
};
use glaux_catalog::Metastore;
use glaux_engine::{Engine, Error, Origin, Parts, Result, Session, SessionOptions, session};
use uuid::Uuid;

use crate::{
    auth::Assigned,
    config::{self, Loaded, Overrides},
    data_dir::NewCatalog,
    setting,
    terminal::ColorChoice,
};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonOptions {
    /// Directory of the catalog, history and results [default: ./glaux-data]
    #[arg(long, global = true, env = config::DATA_DIR_VARIABLE, value_name = "DIR", value_parser = directory())]
    data_dir: Option<PathBuf>,

    /// Catalog service to use instead of the data directory's own catalog, such as grpc://host:32010, or grpcs:// for TLS
    #[arg(long, global = true, env = config::CATALOG_VARIABLE, value_name = "URL")]
    catalog: Option<String>,

    /// PEM file of the authorities that sign the catalog service's certificate [default: the system's]
    #[arg(long, alias = "catalog-ca", global = true, value_name = "FILE")]
    catalog_ca_certificate: Option<PathBuf>,

    /// Token for a catalog service with authentication; prefer the variable: arguments are visible to other users
    #[arg(long, global = true, env = config::CATALOG_TOKEN_VARIABLE, hide_env_values = true, value_name = "TOKEN")]
    catalog_token: Option<String>,

    /// Database that unqualified table names belong to [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    database: Option<String>,

    /// Workgroup that queries run in [default: primary]
    #[arg(long, global = true, value_name = "NAME")]
    workgroup: Option<String>,

    /// Configuration file [default: glaux.toml in the data directory, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Label for the history and the cost report; may be repeated
    #[arg(long = "label", global = true, value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// Stop a query before it scans more table data than this, such as 500MB or 2GiB
    #[arg(long, global = true, value_name = "BYTES", value_parser = checked_bytes, allow_hyphen_values = true)]
    max_scan: Option<String>,

    /// Memory of all queries together before they spill to disk, such as 4GiB
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes, allow_hyphen_values = true)]
    memory_limit: Option<u64>,

    /// Stop a query that takes longer than this, such as 30s or 5m
    #[arg(long, global = true, value_name = "TIME", value_parser = checked_duration, allow_hyphen_values = true)]
    timeout: Option<String>,

    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: ColorChoice,

    /// Time zone of CURRENT_DATE and of instants as text, such as Europe/Berlin or +02:00 [default: UTC]
    #[arg(long, global = true, value_name = "ZONE", value_parser = checked_time_zone)]
    time_zone: Option<String>,

    /// The variables that gave values in the place of flags.
    #[arg(skip)]
    from_variables: Vec<&'static str>,
}

// Not a doc comment, which would be the help of the commands that have them: the options of `glaux serve`, which `glaux config show` takes too.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerFlags {
    /// Address of Flight SQL; port 0 takes any free one [default: 127.0.0.1:32010]
    #[arg(long, value_name = "ADDR")]
    flight_addr: Option<SocketAddr>,

    /// Address of health and metrics [default: 127.0.0.1:8686]
    #[arg(long, value_name = "ADDR")]
    http_addr: Option<SocketAddr>,

    /// Let anybody on the network read and change everything
    #[arg(long)]
    allow_anonymous_network: bool,
}

impl CommonOptions {
    /// Notes which values came from the environment: parsed, they are as those of flags. An empty variable is none.
    pub(crate) fn note_sources(&mut self, matches: &ArgMatches) {
        let options = [
            ("data_dir", config::DATA_DIR_VARIABLE),
            ("catalog", config::CATALOG_VARIABLE),
            ("catalog_token", config::CATALOG_TOKEN_VARIABLE),
        ];
        let is_variable = |id: &str| matches.value_source(id) == Some(ValueSource::EnvVariable);
        if is_variable("data_dir") && self.names_no_data_dir() {
            self.data_dir = None;
        }
        self.from_variables = options.into_iter().filter(|(id, _)| is_variable(id)).map(|(_, variable)| variable).collect();
    }

    /// When output is coloured.
    pub(crate) fn color(&self) -> ColorChoice {
        self.color
    }

    fn names_no_data_dir(&self) -> bool {
        self.data_dir.as_ref().is_some_and(|dir| dir.as_os_str().is_empty())
    }

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
            catalog: self.catalog.clone(),
            catalog_ca_certificate: self.catalog_ca_certificate.clone(),
            catalog_token: self.catalog_token.clone(),
            from_variables: self.from_variables.clone(),
            ..Overrides::default()
        }
    }

    /// The same options on another data directory and its own catalog.
    pub(crate) fn with_data_dir(&self, dir: PathBuf) -> Self {
        Self { data_dir: Some(dir), catalog: Some(String::new()), from_variables: Vec::new(), ..self.clone() }
    }

    /// The effective configuration.
    ///
    /// # Errors
    /// As [`config::load`].
    pub(crate) fn load(&self) -> Result<Loaded> {
        self.load_with(&ServerFlags::default())
    }

    /// The effective configuration of a server with these flags.
    ///
    /// # Errors
    /// As [`config::load`].
    pub(crate) fn load_with(&self, server: &ServerFlags) -> Result<Loaded> {
        let variables: Vec<_> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        if self.names_no_data_dir() {
            return Err(Error::invalid("--data-dir is empty").with_hint("Leave it out for ./glaux-data"));
        }
        let overrides = Overrides {
            flight_addr: server.flight_addr,
            http_addr: server.http_addr,
            allow_anonymous_network: server.allow_anonymous_network,
            ..self.overrides()
        };
        let loaded = config::load(&overrides, &variables)?;
        setting::note_origins(loaded.settings()?);
        Ok(loaded)
    }

    /// Opens the engine, on the catalog service if one is named, and a session. Says so if that creates a catalog.
    ///
    /// # Errors
    /// As [`CommonOptions::load`], [`Engine::open`], and connecting to the catalog service.
    pub(crate) async fn open(&self) -> Result<(Engine, Session)> {
        let loaded = self.load()?;
        let metastore = loaded.catalog.connect().await?.map(|remote| remote as Arc<dyn Metastore>);
        let created = if metastore.is_none() { NewCatalog::expected(&loaded.engine.data_dir) } else { None };
        let assigned = Assigned { users: loaded.auth.users_path(&loaded.engine.data_dir), of_sessions: None };
        let parts = Parts { metastore, workgroup_assignments: Some(Arc::new(assigned)), ..Parts::default() };
        let engine = Engine::open_with(loaded.engine, parts).await?;
        if let Some(created) = created {
            created.announce();
        }
        // What one process asks is one session of the history.
        let origin = Origin { session_id: Some(Uuid::now_v7().to_string()), ..loaded.session.origin };
        Ok((engine, Session::new(SessionOptions { origin, ..loaded.session })))
    }
}

/// Takes an empty name too: who says what, is known later.
fn directory() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
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
