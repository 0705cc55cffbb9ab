//! Logs: on standard error, warnings and worse unless `GLAUX_LOG` asks for more (`GLAUX_LOG=glaux_engine=debug`).

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Sets the process's log up. A filter that does not parse is reported and replaced by the default one.
pub(crate) fn init() {
    let filter = match std::env::var("GLAUX_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(&directives).unwrap_or_else(|error| {
            eprintln!("warning: GLAUX_LOG=\"{directives}\" is not a log filter: {error}");
            EnvFilter::new("warn")
        }),
        _ => EnvFilter::new("warn"),
    };
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // A second initialisation cannot happen in a process of one main function; if it did, the first one stays.
    let _ = subscriber.try_init();
}
