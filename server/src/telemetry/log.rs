//! The section `[log]` and where log lines go: standard error, as text or as one JSON object a line.

use std::io::{self, IsTerminal};

use glaux_engine::{Error, Result, nearest};
use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, filter::LevelFilter, registry::LookupSpan};

use super::json::JsonLines;

/// The variable that sets the filter whatever the configuration says.
pub(super) const VARIABLE: &str = "GLAUX_LOG";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The section `[log]` of the configuration: the log of `glaux serve`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogOptions {
    pub(crate) format: LogFormat,
    /// A level for what Glaux itself logs (`info`), or a filter such as `info,glaux_engine=debug`.
    pub(crate) level: String,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl LogOptions {
    /// The filter of the section.
    ///
    /// # Errors
    /// `Invalid` for what is neither a level nor a filter.
    fn filter(&self) -> Result<EnvFilter> {
        let written = self.level.trim();
        if LEVELS.contains(&written.to_lowercase().as_str())
            && let Ok(level) = written.parse::<LevelFilter>()
        {
            // Libraries log warnings only, unless a filter names them.
            return Ok(EnvFilter::new(format!("{},glaux={level}", level.min(LevelFilter::WARN))));
        }
        // A single word would be taken for the name of a crate, and would silence all others.
        let is_filter = written.contains(['=', ',']);
        match EnvFilter::try_new(written).ok().filter(|_| is_filter) {
            Some(filter) => Ok(filter),
            None => {
                let error = Error::invalid(format!("invalid \"log.level\": \"{written}\" is neither a level nor a filter"));
                Err(match nearest(&written.to_lowercase(), LEVELS.into_iter()) {
                    Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                    None => error.with_hint("Write a level such as \"info\", or a filter such as \"info,glaux_engine=debug\""),
                })
            }
        }
    }
}

/// The filter that the environment asks for. One that does not parse is reported and passed over.
pub(super) fn asked_for() -> Option<EnvFilter> {
    let directives = std::env::var(VARIABLE).ok().filter(|directives| !directives.is_empty())?;
    match EnvFilter::try_new(&directives) {
        Ok(filter) => Some(filter),
        Err(error) => {
            eprintln!("warning: {VARIABLE}=\"{directives}\" is not a log filter: {error}");
            None
        }
    }
}

/// The layer that writes the log of a server.
///
/// # Errors
/// As [`LogOptions::filter`], unless the environment sets the filter.
pub(super) fn layer<S>(options: &LogOptions) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let configured = options.filter()?;
    let filter = asked_for().unwrap_or(configured);
    Ok(match options.format {
        LogFormat::Text => {
            let text = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
            text.with_filter(filter).boxed()
        }
        LogFormat::Json => JsonLines::new(io::stderr).with_filter(filter).boxed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(level: &str) -> Result<String> {
        LogOptions { level: level.to_owned(), ..LogOptions::default() }.filter().map(|filter| filter.to_string())
    }

    #[test]
    fn a_level_speaks_of_glaux_and_a_filter_of_everything() {
        assert_eq!(filter("info").unwrap(), "glaux=info,warn");
        assert_eq!(filter("OFF").unwrap(), "glaux=off,off");
        assert_eq!(filter("error").unwrap(), "glaux=error,error");
        assert_eq!(filter("info,glaux_engine=debug").unwrap(), "glaux_engine=debug,info");
        for wrong in ["inof", "a=b=c", "", "loud"] {
            let error = filter(wrong).unwrap_err();
            assert!(error.message().contains("\"log.level\"") && error.hint().is_some(), "{error}");
        }
        assert!(filter("inof").unwrap_err().hint().unwrap().contains("\"info\""));
    }
}
