//! What an error says of the setting that it is about, by the door that shows it: a flag is of no use to who is connected over
//! the network, and who runs a command need not ask an administrator.

use glaux_engine::Error;

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

/// What to do about an error, with how that is done here.
pub(crate) fn hint(error: &Error, door: Door) -> Option<String> {
    let Some(key) = error.setting() else { return error.hint().map(str::to_owned) };
    let known = SETTINGS.iter().find(|setting| setting.key == key);
    let how = match (door, known) {
        (Door::CommandLine, Some(Setting { flag, session: None, .. })) => format!("it is set by {flag}"),
        (Door::CommandLine, Some(Setting { flag, session: Some(name), .. })) => {
            format!("it is set by {flag} or SET SESSION {name}")
        }
        (Door::Network, Some(Setting { session: Some(name), .. })) => {
            format!("it is set by SET SESSION {name}, within what the administrator allows")
        }
        (Door::Network, _) => format!("the administrator of the server sets it: {key}"),
        (Door::CommandLine, None) => format!("it is set in the configuration: {key}"),
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
            assert_eq!(hint(&of(setting), Door::CommandLine).as_deref(), Some(command_line));
            assert_eq!(hint(&of(setting), Door::Network).as_deref(), Some(network));
        }
        assert_eq!(hint(&Error::invalid("no"), Door::Network), None);
        assert_eq!(hint(&Error::invalid("no").with_hint("Do"), Door::CommandLine).as_deref(), Some("Do"));
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
