//! The shell's own commands, which begin with a backslash.

use clap::ValueEnum;
use glaux_engine::{Error, Result};

use crate::{output::Format, stats::StatsFormat};

pub(super) const HELP: &str = "\
  \\q                 leave (also Ctrl-D)
  \\?                 this list
  \\l                 databases
  \\d                 tables of the current database
  \\d TABLE           columns of a table
  \\format [FORMAT]   form of results: table, csv, json
  \\stats [FORM]      bill of each statement: none, text, json; without FORM, on or off
  \\timing            time as the shell sees it, on or off
Statements end with a semicolon and may span lines. Ctrl-C stops a running query or clears what is typed. Tab completes.";

/// A command, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Leave,
    Help,
    Databases,
    Tables,
    /// The table as written.
    Describe(String),
    /// A new format, or `None` to show the current one.
    Format(Option<Format>),
    /// A new form, or `None` to switch between text and nothing.
    Stats(Option<StatsFormat>),
    Timing,
}

impl Command {
    /// Parses a line that begins with a backslash; a semicolon at its end is forgiven.
    ///
    /// # Errors
    /// `Invalid` for unknown commands and arguments.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let line = line.trim_end_matches(';').trim();
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let command = match name {
            "\\q" | "\\quit" => Self::Leave,
            "\\?" | "\\h" | "\\help" => Self::Help,
            "\\l" => Self::Databases,
            "\\d" if argument.is_empty() => Self::Tables,
            "\\d" => return Ok(Self::Describe(argument.to_owned())),
            "\\format" => return Ok(Self::Format(choice(name, argument)?)),
            "\\stats" => return Ok(Self::Stats(choice(name, argument)?)),
            "\\timing" => Self::Timing,
            _ => return Err(Error::invalid(format!("the shell has no command \"{name}\"")).with_hint("\\? lists the commands")),
        };
        if argument.is_empty() {
            Ok(command)
        } else {
            Err(Error::invalid(format!("the shell's command \"{name}\" takes no argument")).with_hint("\\? lists the commands"))
        }
    }
}

fn choice<T: ValueEnum>(command: &str, argument: &str) -> Result<Option<T>> {
    if argument.is_empty() {
        return Ok(None);
    }
    T::from_str(argument, true).map(Some).map_err(|_| {
        let names: Vec<_> =
            T::value_variants().iter().filter_map(T::to_possible_value).map(|value| value.get_name().to_owned()).collect();
        Error::invalid(format!("\"{argument}\" does not suit \"{command}\""))
            .with_hint(format!("Choose one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed_or_explained() {
        assert_eq!(Command::parse("\\q;").unwrap(), Command::Leave);
        assert_eq!(Command::parse("\\d  sales.orders ;").unwrap(), Command::Describe("sales.orders".to_owned()));
        assert_eq!(Command::parse("\\d").unwrap(), Command::Tables);
        assert_eq!(Command::parse("\\format CSV").unwrap(), Command::Format(Some(Format::Csv)));
        assert_eq!(Command::parse("\\stats").unwrap(), Command::Stats(None));
        assert!(Command::parse("\\format xml").unwrap_err().hint().unwrap().contains("table, csv"));
        assert!(Command::parse("\\nope").unwrap_err().message().contains("\\nope"));
        assert!(Command::parse("\\timing on").is_err());
    }
}
