//! What an error says of the setting that it is about, by the door that shows it: a flag is of no use to who is connected over
//! the network, and who runs a command need not ask an administrator.

use std::sync::OnceLock;

use glaux_engine::Error;

use crate::config::Origin;

/// Where an error is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    CommandLine,
    Network,
}

/// How a setting is set.
struct Setting {
    /// In the configuration.
    key: &'static str,
    flag: &'static str,
    /// For `SET SESSION`.
    session: Option<&'static str>,
}

const SETTINGS: [Setting; 5] = [
    Setting { key: "session.max_scan", flag: "--max-scan", session: Some("max_scan_bytes") },
    Setting { key: "session.timeout", flag: "--timeout", session: Some("query_timeout") },
    Setting { key: "engine.memory_limit", flag: "--memory-limit", session: None },
    Setting { key: "engine.data_dir", flag: "--data-dir or GLAUX_DATA_DIR", session: None },
    Setting { key: "import.if_exists", flag: "--if-exists", session: None },
];

/// Where this process has its settings from, once it has read its configuration.
static ORIGINS: OnceLock<Vec<Origin>> = OnceLock::new();

/// Notes where the settings come from, for hints on the command line.
pub(crate) fn note_origins(settings: Vec<Origin>) {
    // A second configuration of one process is the same as the first but for its directory.
    let _ = ORIGINS.set(settings);
}

/// What to do about an error, with how that is done here.
pub(crate) fn hint(error: &Error, door: Door) -> Option<String> {
    hint_by(error, door, ORIGINS.get().map(Vec::as_slice).unwrap_or_default())
}

fn hint_by(error: &Error, door: Door, origins: &[Origin]) -> Option<String> {
    let Some(key) = error.setting() else { return error.hint().map(str::to_owned) };
    let known = SETTINGS.iter().find(|setting| setting.key == key);
    let origin = origins.iter().find(|origin| origin.key == key && !origin.is_default()).map(|origin| &origin.origin);
    let how = match (door, known, origin) {
        (Door::CommandLine, Some(Setting { flag, session, .. }), Some(origin)) => {
            let mut how = format!("{key} is set by {origin}");
            if !origin.starts_with("flag") {
                how.push_str(&format!(", and {flag} goes before it"));
            }
            // What a session began with is the most that it may have.
            if let Some(name) = session {
                how.push_str(&format!("; SET SESSION {name} only lowers it"));
            }
            how
        }
        (Door::CommandLine, Some(Setting { flag, session: None, .. }), None) => format!("it is set by {flag}"),
        (Door::CommandLine, Some(Setting { flag, session: Some(name), .. }), None) => {
            format!("it is set by {flag} or SET SESSION {name}")
        }
        (Door::Network, Some(Setting { session: Some(name), .. }), _) => {
            format!("it is set by SET SESSION {name}, within what the administrator allows")
        }
        (Door::Network, ..) => format!("the administrator of the server sets it: {key}"),
        (Door::CommandLine, None, _) => format!("it is set in the configuration: {key}"),
    };
    Some(match error.hint() {
        Some(hint) => format!("{hint}; {how}"),
        None => how,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_door_says_how_a_setting_is_set_there() {
        let of = |setting| Error::invalid("no").with_hint("Raise it").with_setting(setting);
        for (setting, command_line, network) in [
            (
                "session.max_scan",
                "Raise it; it is set by --max-scan or SET SESSION max_scan_bytes",
                "Raise it; it is set by SET SESSION max_scan_bytes, within what the administrator allows",
            ),
            (
                "engine.memory_limit",
                "Raise it; it is set by --memory-limit",
                "Raise it; the administrator of the server sets it: engine.memory_limit",
            ),
            (
                "engine.spill_limit",
                "Raise it; it is set in the configuration: engine.spill_limit",
                "Raise it; the administrator of the server sets it: engine.spill_limit",
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
            ("default", "Raise it; it is set by --max-scan or SET SESSION max_scan_bytes"),
            (
                "flag --max-scan",
                "Raise it; session.max_scan is set by flag --max-scan; SET SESSION max_scan_bytes only lowers it",
            ),
            (
                "environment variable GLAUX__SESSION__MAX_SCAN",
                "Raise it; session.max_scan is set by environment variable GLAUX__SESSION__MAX_SCAN, and --max-scan goes before it; \
                 SET SESSION max_scan_bytes only lowers it",
            ),
        ] {
            let origin = Origin { key: "session.max_scan".to_owned(), value: "1".to_owned(), origin: origin.to_owned() };
            assert_eq!(hint_by(&error, Door::CommandLine, &[origin]).as_deref(), Some(hint));
        }
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
        for Setting { flag, session, .. } in SETTINGS {
            let flag = flag.split(' ').next().unwrap_or_default();
            assert!(every.iter().any(|known| known == flag), "{flag}");
            if let Some(name) = session {
                let session = glaux_engine::Session::new(glaux_engine::SessionOptions::default());
                assert!(session.set(name, "1").is_ok() || session.set(name, "1s").is_ok(), "{name}");
            }
        }
    }
}
