//! Where a value of the configuration came from: the defaults, a file, an environment variable or a flag.

use figment::{
    Error as FigmentError, Figment, Metadata, Profile, Provider, Source,
    value::{Dict, Map, Value},
};
use glaux_engine::{Error, Result};

use crate::setting::{self, DEFAULT_ORIGIN, Setting};

/// The prefix of environment variables that set a key: `GLAUX__ENGINE__PARALLELISM=4`.
const ENV_PREFIX: &str = "GLAUX__";

/// The sections, in order of their names.
pub(super) const SECTIONS: [&str; 11] =
    ["auth", "catalog", "engine", "flight", "log", "server", "session", "storage", "tariffs", "telemetry", "tls"];

/// A value given by a flag, or by the variable that stands for it.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) variable: Option<&'static str>,
}

impl Provider for Flag {
    fn metadata(&self) -> Metadata {
        if let Some(variable) = self.variable {
            return Metadata::named(format!("environment variable {variable}"));
        }
        let flag = setting::find(&self.key).and_then(|key| key.flag);
        Metadata::named(format!("flag {}", flag.unwrap_or(&self.key)))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        Ok(Profile::Default.collect(nested(&self.key, self.value.clone())))
    }
}

/// A value given by a variable of the environment: `GLAUX__ENGINE__PARALLELISM=4`.
#[derive(Debug)]
pub(super) struct Variable {
    name: String,
    key: String,
    value: Value,
}

impl Variable {
    /// The setting that a variable gives; `None` for other variables.
    pub(super) fn new((name, text): &(String, String)) -> Option<Self> {
        let key = name.strip_prefix(ENV_PREFIX)?.to_lowercase().replace("__", ".");
        let Ok(value) = text.parse::<Value>();
        Some(Self { name: name.clone(), key, value })
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, FigmentError> {
        Ok(Profile::Default.collect(nested(&self.key, self.value.clone())))
    }
}

fn nested(key: &str, value: Value) -> Dict {
    match figment::util::nest(key, value) {
        Value::Dict(_, dict) => dict,
        _ => Dict::new(),
    }
}

/// A provider in words.
pub(super) fn describe(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(Source::File(path)) => format!("\"{}\"", path.display()),
        _ => metadata.name.to_string(),
    }
}

/// Every value that is set, in order of its key, without the engine's copies of other sections. `defaults` is the name of the provider of
/// the defaults.
///
/// # Errors
/// `Internal` if a value is no text.
pub(super) fn settings(figment: &Figment, defaults: &str) -> Result<Vec<Setting>> {
    let copy = |key: &str| key.starts_with("engine.tariffs.") || key.starts_with("engine.storage.");
    Ok(all(figment, defaults)?.into_iter().filter(|setting| !copy(&setting.key)).collect())
}

/// Every value that is set, in order of its key.
pub(super) fn all(figment: &Figment, defaults: &str) -> Result<Vec<Setting>> {
    let mut settings = Vec::new();
    for section in SECTIONS {
        let Ok(Value::Dict(_, dict)) = figment.find_value(section) else { continue };
        let mut leaves = Vec::new();
        flatten(section, &dict, &mut leaves);
        for (key, value) in leaves {
            let origin = match figment.get_metadata(value.tag()) {
                Some(metadata) if metadata.name != defaults => describe(metadata),
                _ => DEFAULT_ORIGIN.to_owned(),
            };
            settings.push(Setting { value: shown(&key, value)?, key, origin });
        }
    }
    Ok(settings)
}

fn flatten<'a>(prefix: &str, dict: &'a Dict, leaves: &mut Vec<(String, &'a Value)>) {
    for (name, value) in dict {
        let key = format!("{prefix}.{name}");
        match value {
            Value::Dict(_, inner) => flatten(&key, inner, leaves),
            _ => leaves.push((key, value)),
        }
    }
}

/// A value as TOML; secrets are not shown.
fn shown(key: &str, value: &Value) -> Result<String> {
    let last = key.rsplit('.').next().unwrap_or(key);
    let secret = ["secret", "password", "token", "account_key", "sas"].iter().any(|word| last.contains(word));
    if secret && !last.ends_with("_lifetime") {
        return Ok("\"***\"".to_owned());
    }
    match value {
        Value::Empty(..) => Ok("(not set)".to_owned()),
        value => toml::Value::try_from(value)
            .map(|value| without_password(&value.to_string()))
            .map_err(|error| Error::internal(format!("cannot show the setting \"{key}\"")).with_source(error)),
    }
}

/// A value in which a URL may have a user name and a password: they are not shown.
fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let authority = rest.split(['/', '"']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => format!("{scheme}://***{}", &rest[user.len()..]),
        _ => value.to_owned(),
    }
}
