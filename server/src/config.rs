//! The configuration: defaults < a TOML file < environment `GLAUX__SECTION__KEY` < flags. Unknown keys are errors that name the key
//! and where it stands. What each key means is in `setting/keys`, which flags there are in `cli`.

mod catalog;
mod origin;
mod server;
mod sizes;

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

pub(crate) use catalog::CatalogOptions;
use figment::{
    Figment, Provider,
    error::Kind,
    providers::{Format, Serialized, Toml},
};
use glaux_engine::{
    EngineOptions, Error, Result, SessionOptions,
    accounting::{TariffOptions, Tariffs, Usd},
    clock::system_clock,
    error::nearest,
    session::{parse_bytes, parse_duration, parse_time_zone},
    storage::StorageOptions,
};
use origin::Variable;
use serde::{Deserialize, Serialize};
pub(crate) use server::ServerOptions;
use sizes::Sizes;

pub(crate) use crate::setting::{CATALOG_TOKEN_VARIABLE, CATALOG_VARIABLE, DATA_DIR_VARIABLE};
use crate::{
    auth::AuthOptions,
    diagnostic::io_error,
    flight::FlightOptions,
    setting::{self, Setting},
    telemetry::{LogOptions, TelemetryOptions},
    transport::TlsOptions,
};

/// The file in the data directory that is read if no other is named.
const FILE_NAME: &str = "glaux.toml";

/// What the flags say, as far as they were given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--data-dir` or `GLAUX_DATA_DIR`.
    pub(crate) data_dir: Option<PathBuf>,
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) database: Option<String>,
    pub(crate) workgroup: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) max_scan: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) time_zone: Option<String>,
    /// `--catalog` or `GLAUX_CATALOG`.
    pub(crate) catalog: Option<String>,
    /// `--catalog-ca-certificate`.
    pub(crate) catalog_ca_certificate: Option<PathBuf>,
    /// `--catalog-token` or `GLAUX_CATALOG_TOKEN`.
    pub(crate) catalog_token: Option<String>,
    /// The variables that gave values in the place of flags.
    pub(crate) from_variables: Vec<&'static str>,
}

impl Overrides {
    /// The variable that gave a key's value, if it was no flag.
    fn variable_of(&self, key: &str) -> Option<&'static str> {
        setting::find(key)?.variable.filter(|variable| self.from_variables.contains(variable))
    }
}

/// The sections of the file, each with a default for every key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// How the engine works: memory, parallelism, limits.
    engine: EngineOptions,
    /// Stores, their endpoints and credentials.
    storage: StorageOptions,
    /// Tariffs besides those that are built in: what scanned bytes and requests cost.
    tariffs: BTreeMap<String, Vec<TariffOptions>>,
    /// The catalog service to use in place of the data directory's catalog.
    catalog: CatalogOptions,
    /// What a session begins with.
    session: SessionSection,
    /// Where `glaux serve` listens, and how it ends.
    server: ServerOptions,
    /// What the Flight SQL server allows.
    flight: FlightOptions,
    /// The log of `glaux serve`.
    log: LogOptions,
    /// Where `glaux serve` sends traces.
    telemetry: TelemetryOptions,
    /// How callers prove who they are.
    auth: AuthOptions,
    /// What encrypts connections.
    tls: TlsOptions,
}

/// What a session begins with; text where people write units.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SessionSection {
    database: String,
    workgroup: String,
    labels: BTreeMap<String, String>,
    /// `10GB`.
    max_scan: Option<Text>,
    /// `30s`, `5m`.
    timeout: Option<Text>,
    time_zone: String,
    /// `live`, `ttl=5m`, `snapshot`.
    listing: Option<String>,
    max_recursion_depth: NonZeroU64,
}

impl Default for SessionSection {
    fn default() -> Self {
        let SessionOptions { database, workgroup, labels, time_zone, max_recursion_depth, .. } = SessionOptions::default();
        let max_recursion_depth = NonZeroU64::new(max_recursion_depth).unwrap_or(NonZeroU64::MIN);
        Self { database, workgroup, labels, max_scan: None, timeout: None, time_zone, listing: None, max_recursion_depth }
    }
}

/// A value with a unit, or a bare number, as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Number(u64),
    Text(String),
}

impl Text {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A loaded configuration and where its values came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) engine: EngineOptions,
    pub(crate) session: SessionOptions,
    pub(crate) server: ServerOptions,
    pub(crate) flight: FlightOptions,
    pub(crate) log: LogOptions,
    pub(crate) telemetry: TelemetryOptions,
    pub(crate) auth: AuthOptions,
    pub(crate) tls: TlsOptions,
    pub(crate) catalog: CatalogOptions,
    pub(crate) tariffs: Tariffs,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    figment: Figment,
}

/// Loads the configuration; `variables` is the environment.
///
/// # Errors
/// `NotFound` for a named file that does not exist; `Invalid` for unknown keys and values that do not fit, naming the key and the file
/// or variable.
pub(crate) fn load(overrides: &Overrides, variables: &[(String, String)]) -> Result<Loaded> {
    let (file, named) = match &overrides.file {
        Some(file) => (file.clone(), true),
        None => (data_dir_before_file(overrides, variables).join(FILE_NAME), false),
    };
    let exists = file.try_exists().map_err(|error| io_error("read the configuration file", &file, error))?;
    if named && !exists {
        return Err(Error::not_found(format!("the configuration file \"{}\" does not exist", file.display())));
    }
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if exists {
        figment = merge_file(figment, &file, named)?;
    }
    for variable in variables {
        if let Some(variable) = Variable::new(variable) {
            figment = figment.merge(Sizes(variable));
        }
    }
    figment = merge_flags(figment, overrides);

    refuse_former_tariff(&figment)?;
    let config: Config = figment.extract().map_err(|error| extract_error(&error))?;
    refuse_copies(&figment)?;
    config.storage.check()?;
    let Config { engine, storage, tariffs, catalog, session, server, flight, log, telemetry, auth, tls } = config;
    let session = session_options(&session, overrides, variables)?;
    let mut engine = EngineOptions { tariffs, storage, ..engine };
    let tariffs = Tariffs::new(&engine.tariff, &engine.tariffs, system_clock())?;
    engine.locations.closed.extend([Some(&file), auth.users_file.as_ref(), tls.key.as_ref()].into_iter().flatten().cloned());
    let file = exists.then_some(file);
    Ok(Loaded { engine, session, server, flight, log, telemetry, auth, tls, catalog, tariffs, file, figment })
}

impl Loaded {
    /// Every value with its origin, by key.
    pub(crate) fn settings(&self) -> Result<Vec<Setting>> {
        origin::settings(&self.figment, &default_name())
    }
}

/// Refuses `[engine.tariffs]` and `[engine.storage]`: they are sections of their own, which the engine's options hold only in memory.
fn refuse_copies(figment: &Figment) -> Result<()> {
    for setting in origin::all(figment, &default_name())? {
        let section = ["tariffs", "storage"].into_iter().find(|section| setting.key.starts_with(&format!("engine.{section}.")));
        if let Some(section) = section.filter(|_| !setting.is_default()) {
            return Err(Error::invalid(format!("unknown key \"{}\" in {}", setting.key, setting.origin))
                .with_hint(format!("Write it in its own section: [{section}]")));
        }
    }
    Ok(())
}

/// Refuses the section `[tariff]` of former versions, when there was one tariff without a name, and says what to write in its place.
fn refuse_former_tariff(figment: &Figment) -> Result<()> {
    let Some(metadata) = figment.find_metadata("tariff") else { return Ok(()) };
    let number = |key: &str| figment.extract_inner::<u64>(&format!("tariff.{key}")).ok();
    let mut written = vec!["effective_from = \"2026-01-01\"".to_owned()];
    // Of millionths of a USD.
    let price = number("micro_usd_per_terabyte").map(|micro| Usd::from_atto(u128::from(micro) * 1_000_000_000_000));
    written.extend(price.map(|price| format!("usd_per_tb = \"{price}\"")));
    for key in ["increment_bytes", "minimum_bytes"] {
        written.extend(number(key).map(|bytes| format!("{key} = {bytes}")));
    }
    let written = written.join(", ");
    Err(Error::invalid(format!("unknown key \"tariff\" in {}: tariffs have names", origin::describe(metadata)))
        .with_hint(format!("Write a section [[tariffs.mine]] with {written}; and tariff = \"mine\" in the section [engine]")))
}

/// The name of the provider of the defaults.
fn default_name() -> String {
    Serialized::defaults(Config::default()).metadata().name.into_owned()
}

/// The data directory as known without a file.
fn data_dir_before_file(overrides: &Overrides, variables: &[(String, String)]) -> PathBuf {
    let from_env = || variable(variables, "GLAUX__ENGINE__DATA_DIR").map(PathBuf::from);
    overrides.data_dir.clone().or_else(from_env).unwrap_or_else(|| EngineOptions::default().data_dir)
}

/// A variable that is set and not empty.
fn variable<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn merge_file(figment: Figment, file: &Path, named: bool) -> Result<Figment> {
    let toml = Figment::from(Toml::file_exact(file));
    if !named && toml.contains("engine.data_dir") {
        let message = format!("\"engine.data_dir\" cannot be set in \"{}\", which is in the data directory", file.display());
        return Err(Error::invalid(message).with_hint("Keep the file elsewhere and name it with --config"));
    }
    toml.data().map_err(|error| {
        Error::invalid(format!("the configuration file \"{}\" does not parse", file.display()))
            .with_source(Error::invalid(error.to_string()))
    })?;
    Ok(figment.merge(Sizes(Toml::file_exact(file))))
}

fn merge_flags(mut figment: Figment, overrides: &Overrides) -> Figment {
    let set = |figment: Figment, key: &str, value: Option<String>| match value {
        Some(value) => {
            let variable = overrides.variable_of(key);
            figment.merge(origin::Flag { key: key.to_owned(), value: value.into(), variable })
        }
        None => figment,
    };
    figment = set(figment, "engine.data_dir", overrides.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned()));
    if let Some(limit) = overrides.memory_limit {
        figment = figment.merge(origin::Flag { key: "engine.memory_limit".to_owned(), value: limit.into(), variable: None });
    }
    figment = set(figment, "catalog.url", overrides.catalog.clone());
    let ca_certificate = overrides.catalog_ca_certificate.as_ref().map(|file| file.to_string_lossy().into_owned());
    figment = set(figment, "catalog.ca_certificate", ca_certificate);
    figment = set(figment, "catalog.token", overrides.catalog_token.clone());
    figment = set(figment, "session.database", overrides.database.clone());
    figment = set(figment, "session.workgroup", overrides.workgroup.clone());
    figment = set(figment, "session.max_scan", overrides.max_scan.clone());
    figment = set(figment, "session.timeout", overrides.timeout.clone());
    set(figment, "session.time_zone", overrides.time_zone.clone())
}

fn session_options(section: &SessionSection, overrides: &Overrides, variables: &[(String, String)]) -> Result<SessionOptions> {
    let default = SessionOptions::default();
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| variable(variables, name));
    let mut labels = section.labels.clone();
    labels.extend(overrides.labels.iter().cloned());
    let wanted = |text: &Option<Text>| text.as_ref().map(Text::text).filter(|text| !text.is_empty());
    Ok(SessionOptions {
        database: glaux_catalog::ident::fold(&section.database),
        workgroup: section.workgroup.clone(),
        user: user.map_or(default.user, str::to_owned),
        workgroup_bound: default.workgroup_bound,
        groups: default.groups,
        role: default.role,
        labels,
        time_zone: parse_time_zone(&section.time_zone)?,
        max_scan: wanted(&section.max_scan).as_deref().map(parse_bytes).transpose()?,
        timeout: wanted(&section.timeout).as_deref().map(parse_duration).transpose()?,
        listing: section.listing.as_deref().filter(|text| !text.is_empty()).map(str::parse).transpose()?,
        max_recursion_depth: section.max_recursion_depth.get(),
    })
}

/// What does not fit, with its key and place.
fn extract_error(error: &figment::Error) -> Error {
    let place = error.metadata.as_ref().map(|metadata| format!(" in {}", origin::describe(metadata))).unwrap_or_default();
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, expected) => {
            let parent = error.path.iter().filter(|part| *part != name).cloned().collect::<Vec<_>>();
            let key = parent.into_iter().chain([name.clone()]).collect::<Vec<_>>().join(".");
            let error = Error::invalid(format!("unknown key \"{key}\"{place}"));
            match nearest(name, expected.iter().copied()) {
                Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                None => error.with_hint(format!("Known keys: {}", expected.join(", "))),
            }
        }
        kind => {
            let error = Error::invalid(format!("invalid \"{key}\"{place}: {kind}"));
            match setting::find(&key) {
                Some(known) => error.with_hint(format!("{} ({})", known.meaning.replace('`', "\""), known.takes)),
                None => error,
            }
        }
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
