//! The settings of this process: every key of the configuration (`keys`), current values and their origins, and the hint that an error gives on a
//! setting. The hint depends on the door: clients over the network cannot use a flag, and the user of a command need not ask an administrator.

mod keys;

use std::sync::OnceLock;

use glaux_engine::Error;

pub(crate) use self::keys::{CATALOG_TOKEN_VARIABLE, CATALOG_VARIABLE, DATA_DIR_VARIABLE, Key, find};

#[cfg(test)]
pub(crate) use self::keys::{KEYS, Takes};

/// Where an error is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    CommandLine,
    Network,
}

/// The origin of a value that nobody set.
pub(crate) const DEFAULT_ORIGIN: &str = "default";

/// The value of a key that holds, and where it comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// `engine.memory_limit`.
    pub(crate) key: String,
    /// As TOML writes it.
    pub(crate) value: String,
    /// [`DEFAULT_ORIGIN`], the file's path, the environment variable, or the flag.
    pub(crate) origin: String,
}

impl Setting {
    /// Whether nobody set it.
    pub(crate) fn is_default(&self) -> bool {
        self.origin == DEFAULT_ORIGIN
    }
}

/// What is set by a flag of one command, and is no key of the configuration.
const FLAGS_ALONE: [(&str, &str); 1] = [("import.if_exists", "--if-exists")];

/// Where this process has its settings from, once it has read its configuration.
static ORIGINS: OnceLock<Vec<Setting>> = OnceLock::new();

/// Notes where the settings come from, for hints on the command line.
pub(crate) fn note_origins(settings: Vec<Setting>) {
    // A second configuration of one process is the same as the first but for its directory.
    let _ = ORIGINS.set(settings);
}

/// What to do about an error, with how that is done here.
pub(crate) fn hint(error: &Error, door: Door) -> Option<String> {
    hint_by(error, door, ORIGINS.get().map(Vec::as_slice).unwrap_or_default())
}

fn hint_by(error: &Error, door: Door, settings: &[Setting]) -> Option<String> {
    let Some(key) = error.setting() else { return error.hint().map(str::to_owned) };
    let session = find(key).and_then(Key::session);
    let how = match (door, flag(key), session) {
        (Door::CommandLine, Some(flag), session) => {
            let setting = settings.iter().find(|setting| setting.key == key && !setting.is_default());
            by_flag(key, &flag, session, setting.map(|setting| setting.origin.as_str()))
        }
        (Door::CommandLine, None, _) => format!("set {key} in the configuration"),
        (Door::Network, _, Some(name)) => format!("set it with SET SESSION {name}, within what the administrator allows"),
        (Door::Network, _, None) => format!("ask the administrator of the server to set {key}"),
    };
    Some(match error.hint() {
        Some(hint) => format!("{hint}; {how}"),
        None => how,
    })
}

/// The flag that sets a key, and the variable that stands for it: `--data-dir or GLAUX_DATA_DIR`.
fn flag(key: &str) -> Option<String> {
    let alone = FLAGS_ALONE.into_iter().find(|(name, _)| *name == key).map(|(_, flag)| flag.to_owned());
    alone.or_else(|| match find(key)? {
        Key { flag, variable: None, .. } => flag.map(str::to_owned),
        Key { flag, variable: Some(variable), .. } => flag.map(|flag| format!("{flag} or {variable}")),
    })
}

/// How a key with a flag is set on the command line; `origin` is where its value comes from, if somebody set it.
fn by_flag(key: &str, flag: &str, session: Option<&str>, origin: Option<&str>) -> String {
    match (origin, session) {
        (Some(origin), session) => {
            let mut how = format!("{key} is set by {origin}");
            if !origin.starts_with("flag") {
                how.push_str(&format!(", and {flag} overrides it"));
            }
            // What a session began with is the most that it may have.
            if let Some(name) = session {
                how.push_str(&format!("; SET SESSION {name} only lowers it"));
            }
            how
        }
        (None, None) => format!("set it with {flag}"),
        (None, Some(name)) => format!("set it with {flag} or SET SESSION {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_door_says_how_a_setting_is_set_there() {
        let of = |setting| Error::invalid("no").with_hint("Raise it").with_setting(setting);
        for (setting, command_line, network) in [
            (
                "session.max_scan",
                "Raise it; set it with --max-scan or SET SESSION max_scan",
                "Raise it; set it with SET SESSION max_scan, within what the administrator allows",
            ),
            (
                "engine.memory_limit",
                "Raise it; set it with --memory-limit",
                "Raise it; ask the administrator of the server to set engine.memory_limit",
            ),
            (
                "engine.spill_limit",
                "Raise it; set engine.spill_limit in the configuration",
                "Raise it; ask the administrator of the server to set engine.spill_limit",
            ),
        ] {
            assert_eq!(hint_by(&of(setting), Door::CommandLine, &[]).as_deref(), Some(command_line));
            assert_eq!(hint_by(&of(setting), Door::Network, &[]).as_deref(), Some(network));
        }
        assert_eq!(hint(&Error::invalid("no"), Door::Network), None);
        assert_eq!(hint(&Error::invalid("no").with_hint("Do"), Door::CommandLine).as_deref(), Some("Do"));
    }

    #[test]
    fn the_command_line_says_where_a_setting_comes_from() {
        let error = Error::invalid("no").with_hint("Raise it").with_setting("session.max_scan");
        for (origin, hint) in [
            ("default", "Raise it; set it with --max-scan or SET SESSION max_scan"),
            ("flag --max-scan", "Raise it; session.max_scan is set by flag --max-scan; SET SESSION max_scan only lowers it"),
            (
                "environment variable GLAUX__SESSION__MAX_SCAN",
                "Raise it; session.max_scan is set by environment variable GLAUX__SESSION__MAX_SCAN, and --max-scan \
                 overrides it; SET SESSION max_scan only lowers it",
            ),
        ] {
            let setting = Setting { key: "session.max_scan".to_owned(), value: "1".to_owned(), origin: origin.to_owned() };
            assert_eq!(hint_by(&error, Door::CommandLine, &[setting]).as_deref(), Some(hint));
        }
    }

    #[test]
    fn keys_are_found_also_for_one_bucket_or_tariff() {
        assert_eq!(find("engine.memory_limit").and_then(|key| key.flag), Some("--memory-limit"));
        let of_bucket = find("storage.buckets.s3://lake.example.timeout_seconds");
        assert_eq!(of_bucket.map(|key| key.name), Some("storage.defaults.timeout_seconds"));
        assert_eq!(find("tariffs.mine.0.usd_per_tb").map(|key| key.name), Some("tariffs"));
        assert!(find("engine.nope").is_none() && find("storage.buckets.lake.nope").is_none());
    }

    /// Flags are the command line's own; an engine that names one helps nobody else.
    #[test]
    fn every_flag_and_session_setting_exists() {
        let whole = <crate::cli::Cli as clap::CommandFactory>::command();
        let commands = whole.get_subcommands().chain([&whole]);
        let every: Vec<String> = commands
            .flat_map(|command| command.get_subcommands().chain([command]))
            .flat_map(clap::Command::get_arguments)
            .filter_map(|argument| argument.get_long().map(|long| format!("--{long}")))
            .collect();
        for flag in KEYS.iter().filter_map(|key| key.flag).chain(FLAGS_ALONE.map(|(_, flag)| flag)) {
            assert!(every.iter().any(|known| known == flag), "{flag}");
        }
        let session = glaux_engine::Session::new(glaux_engine::SessionOptions::default());
        // Where a session's statements come from is said in the session alone.
        let is_of_file = |name: &String| !["application", "parent_id", "root_id"].contains(&name.as_str());
        let settings: BTreeSet<String> = session.settings().into_iter().map(|[name, ..]| name).filter(is_of_file).collect();
        let of_keys: BTreeSet<String> = KEYS.iter().filter_map(Key::session).map(str::to_owned).collect();
        assert_eq!(settings, of_keys);
        // Each has the name that it has in the file.
        assert!(settings.iter().all(|name| find(&format!("session.{name}")).is_some()), "{settings:?}");
    }
}
