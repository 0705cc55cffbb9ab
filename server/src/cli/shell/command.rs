//! The shell's own commands: words that begin with a backslash, and `help`, `exit` and `quit`. None needs a semicolon.

use clap::ValueEnum;
use glaux_engine::{Error, Result};

use crate::{output::Format, stats::StatsFormat};

pub(super) const HELP: &str = "\
  \\q, exit, quit     leave (also Ctrl-D)
  \\?, help           this list
  \\l                 databases
  \\d                 tables of the current database
  \\d TABLE           columns of a table
  \\format [FORMAT]   form of results: table, csv, json
  \\stats [FORM]      bill of each statement: none, text, json; without FORM, on or off
  \\timing            time as the shell sees it, on or off
Statements end with a semicolon and may span lines. Lines that you paste, or type while a query runs, wait and run in order.
Ctrl-C stops the running query or clears the line that you are typing. Tab completes.";

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
    /// Parses a line that is a command, with or without a semicolon at its end; `None` for all other text.
    ///
    /// # Errors
    /// `Invalid` for unknown commands and arguments.
    pub(super) fn parse(line: &str) -> Option<Result<Self>> {
        let line = line.trim().trim_end_matches(';').trim_end();
        if line.starts_with('\\') {
            return Some(Self::parse_backslash(line));
        }
        match line.to_ascii_lowercase().as_str() {
            "exit" | "quit" => Some(Ok(Self::Leave)),
            "help" => Some(Ok(Self::Help)),
            _ => None,
        }
    }

    fn parse_backslash(line: &str) -> Result<Self> {
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
        Error::invalid(format!("invalid argument \"{argument}\" of the shell's command \"{command}\""))
            .with_hint(format!("Choose one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed_or_explained() {
        let parsed = |line: &str| Command::parse(line).unwrap().unwrap();
        let refused = |line: &str| Command::parse(line).unwrap().unwrap_err();
        assert_eq!(parsed(" \\q;\n"), Command::Leave);
        assert_eq!(parsed("\\d  sales.orders ;"), Command::Describe("sales.orders".to_owned()));
        assert_eq!(parsed("\\d"), Command::Tables);
        assert_eq!(parsed("\\format CSV"), Command::Format(Some(Format::Csv)));
        assert_eq!(parsed("\\stats"), Command::Stats(None));
        assert!(refused("\\format xml").hint().unwrap().contains("table, csv"));
        assert!(refused("\\nope").message().contains("\\nope"));
        refused("\\timing on");
    }

    #[test]
    fn leaving_and_help_are_words() {
        for (line, command) in [
            ("exit", Command::Leave),
            (" EXIT ;", Command::Leave),
            ("quit;", Command::Leave),
            ("Quit", Command::Leave),
            ("help", Command::Help),
            ("help;", Command::Help),
        ] {
            assert_eq!(Command::parse(line).unwrap().unwrap(), command, "{line}");
        }
        for statement in ["exit now", "helpless", "SELECT exit", "", ";", "quit; SELECT 1;"] {
            assert!(Command::parse(statement).is_none(), "{statement}");
        }
    }
}
