//! Commands of the command line's own: words that begin with a backslash, and `help`, `exit` and `quit`. None needs a semicolon.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use glaux_engine::{Error, Result, nearest};

use crate::{
    output::{Expanded, Format, Width},
    stats::StatsFormat,
};

/// A command as it is listed.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Without the backslash.
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    usage: &'static str,
    about: &'static str,
    pub(crate) argument: Argument,
}

/// What a command's argument is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    None,
    Table,
    File,
    Choice(&'static [&'static str]),
    Number,
}

const SWITCH: Argument = Argument::Choice(&["on", "off"]);

const fn spec(
    name: &'static str,
    aliases: &'static [&'static str],
    usage: &'static str,
    about: &'static str,
    argument: Argument,
) -> Spec {
    Spec { name, aliases, usage, about, argument }
}

/// Every command.
pub(crate) const COMMANDS: &[Spec] = &[
    spec("q", &["quit"], "", "leave (also exit, quit and Ctrl-D)", Argument::None),
    spec("?", &["h", "help"], "", "this list (also help)", Argument::None),
    spec("l", &[], "", "databases", Argument::None),
    spec("d", &["dt"], "[TABLE]", "tables of the current database, or the columns of a table", Argument::Table),
    spec("i", &["include"], "FILE", "run a file of statements and commands", Argument::File),
    spec("e", &["edit"], "", "edit the last statement in VISUAL or EDITOR, and run it", Argument::None),
    spec("watch", &[], "[SECONDS]", "run the last statement again and again, every 2 seconds, until Ctrl-C", Argument::Number),
    spec("o", &["out"], "[FILE]", "results into a file; without FILE, to standard output again", Argument::File),
    spec(
        "format",
        &[],
        "[FORMAT]",
        "form of results: table, csv, json; into a file parquet and arrow, too",
        Argument::Choice(&["table", "csv", "json", "parquet", "arrow"]),
    ),
    spec("x", &[], "[on|off|auto]", "each row as a record, a line a column", Argument::Choice(&["on", "off", "auto"])),
    spec("width", &[], "[auto|off|N]", "to how many columns tables are cut", Argument::Choice(&["auto", "off"])),
    spec("pager", &[], "[on|off]", "whether what is longer than the screen goes to a pager", SWITCH),
    spec("stats", &[], "[FORM]", "bill of each statement: none, text, json", Argument::Choice(&["none", "text", "json"])),
    spec("timing", &[], "[on|off]", "time as the shell sees it", SWITCH),
];

const NOTES: &str = "\
Without an argument, \\x, \\pager, \\stats and \\timing switch between on and off, \\format and \\width show what holds.
Statements end with a semicolon and may span lines. Lines that you paste, or type while a query runs, wait and run in order.
Ctrl-C stops the running query or clears the line that you are typing. Tab completes.
";

/// The list of commands, for people.
pub(super) fn help() -> String {
    let line = |spec: &Spec| format!("  {:<20} {}\n", format!("\\{} {}", spec.name, spec.usage).trim_end(), spec.about);
    COMMANDS.iter().map(line).chain([NOTES.to_owned()]).collect()
}

/// A command, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Leave,
    Help,
    Databases,
    Tables,
    /// The table as written.
    Describe(String),
    Include(PathBuf),
    Edit,
    Watch(Duration),
    /// A file, or `None` for standard output.
    Output(Option<PathBuf>),
    /// A new format, or `None` to show the current one.
    Format(Option<Format>),
    /// Another display, or `None` to switch between records and tables.
    Expanded(Option<Expanded>),
    /// Another width, or `None` to show the current one.
    Width(Option<Width>),
    /// On or off, or `None` to switch.
    Pager(Option<bool>),
    /// A new form, or `None` to switch between text and nothing.
    Stats(Option<StatsFormat>),
    /// On or off, or `None` to switch.
    Timing(Option<bool>),
}

/// How often `\watch` runs a statement unless told otherwise.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

impl Command {
    /// Parses a line that is a command, with or without a semicolon at its end; `None` for all other text.
    ///
    /// # Errors
    /// `Invalid` for unknown commands and arguments.
    pub(crate) fn parse(line: &str) -> Option<Result<Self>> {
        let line = line.trim().trim_end_matches(';').trim_end();
        if let Some(command) = line.strip_prefix('\\') {
            return Some(Self::parse_backslash(command));
        }
        let is = |word: &str| line.eq_ignore_ascii_case(word);
        if is("exit") || is("quit") {
            return Some(Ok(Self::Leave));
        }
        is("help").then_some(Ok(Self::Help))
    }

    fn parse_backslash(command: &str) -> Result<Self> {
        let (typed, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let Some(spec) = COMMANDS.iter().find(|spec| spec.name == typed || spec.aliases.contains(&typed)) else {
            return Err(unknown(typed));
        };
        let (name, argument) = (spec.name, argument.trim());
        if matches!(spec.argument, Argument::None) && !argument.is_empty() {
            return Err(Error::invalid(format!("the command \"\\{name}\" takes no argument")).with_hint("\\? lists the commands"));
        }
        Ok(match name {
            "q" => Self::Leave,
            "?" => Self::Help,
            "l" => Self::Databases,
            "d" if argument.is_empty() => Self::Tables,
            "d" => Self::Describe(argument.to_owned()),
            "i" => Self::Include(
                file(argument)
                    .ok_or_else(|| Error::invalid("the command \"\\i\" needs a file").with_hint("Name one: \\i report.sql"))?,
            ),
            "e" => Self::Edit,
            "watch" => Self::Watch(interval(argument)?),
            "o" => Self::Output(file(argument)),
            "format" => Self::Format(choice(name, argument)?),
            "x" => Self::Expanded(choice(name, argument)?),
            "width" => Self::Width(width(argument)?),
            "pager" => Self::Pager(switch(name, argument)?),
            "stats" => Self::Stats(choice(name, argument)?),
            "timing" => Self::Timing(switch(name, argument)?),
            _ => return Err(unknown(typed)),
        })
    }
}

fn unknown(typed: &str) -> Error {
    let names = || COMMANDS.iter().flat_map(|spec| spec.aliases.iter().chain([&spec.name]).copied());
    // One letter is as near to any other.
    let near = (typed.chars().count() > 1)
        .then(|| names().find(|name| name.starts_with(typed)).or_else(|| nearest(typed, names())))
        .flatten();
    let hint = match near {
        Some(near) => format!("Did you mean \\{near}? \\? lists the commands"),
        None => "\\? lists the commands".to_owned(),
    };
    Error::invalid(format!("there is no command \"\\{typed}\"")).with_hint(hint)
}

fn refused(command: &str, argument: &str, choices: &str) -> Error {
    Error::invalid(format!("invalid argument \"{argument}\" of the command \"\\{command}\""))
        .with_hint(format!("Choose one of {choices}"))
}

fn choice<T: ValueEnum>(command: &str, argument: &str) -> Result<Option<T>> {
    if argument.is_empty() {
        return Ok(None);
    }
    T::from_str(argument, true).map(Some).map_err(|_| {
        let names: Vec<_> =
            T::value_variants().iter().filter_map(T::to_possible_value).map(|value| value.get_name().to_owned()).collect();
        refused(command, argument, &names.join(", "))
    })
}

fn switch(command: &str, argument: &str) -> Result<Option<bool>> {
    match argument.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        _ => Err(refused(command, argument, "on, off")),
    }
}

fn width(argument: &str) -> Result<Option<Width>> {
    match argument.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "auto" => Ok(Some(Width::Auto)),
        "off" => Ok(Some(Width::Off)),
        number => match number.parse() {
            Ok(columns) if columns > 0 => Ok(Some(Width::Columns(columns))),
            _ => Err(refused("width", argument, "auto, off and a number of columns")),
        },
    }
}

fn interval(argument: &str) -> Result<Duration> {
    if argument.is_empty() {
        return Ok(WATCH_INTERVAL);
    }
    match argument.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Error::invalid(format!("invalid argument \"{argument}\" of the command \"\\watch\""))
            .with_hint("Give a number of seconds from 0.1 to 86400")),
    }
}

/// A file's name, which may be quoted, and may begin with `~/`.
fn file(argument: &str) -> Option<PathBuf> {
    let unquoted = ['\'', '"'].into_iter().find_map(|quote| argument.strip_prefix(quote)?.strip_suffix(quote));
    let name = unquoted.unwrap_or(argument);
    (!name.is_empty()).then(|| in_home(name))
}

/// A path in which a `~` at its beginning is the user's own folder.
pub(crate) fn in_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(below), Some(home)) => home.join(below),
        _ => PathBuf::from(path),
    }
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
        assert_eq!(parsed("\\x auto"), Command::Expanded(Some(Expanded::Auto)));
        assert_eq!(parsed("\\width 120"), Command::Width(Some(Width::Columns(120))));
        assert_eq!(parsed("\\timing off"), Command::Timing(Some(false)));
        assert_eq!(parsed("\\i 'a file.sql'"), Command::Include(PathBuf::from("a file.sql")));
        assert_eq!(parsed("\\o"), Command::Output(None));
        assert_eq!(parsed("\\watch 0.5"), Command::Watch(Duration::from_millis(500)));
        assert!(refused("\\format xml").hint().unwrap().contains("table, csv"));
        for wrong in ["\\watch 0", "\\watch now", "\\width 0", "\\width wide", "\\pager maybe", "\\i", "\\q now"] {
            assert!(refused(wrong).hint().is_some(), "{wrong}");
        }
    }

    #[test]
    fn unknown_commands_suggest_the_nearest() {
        for (typed, near) in [("\\foramt", "\\format"), ("\\tim", "\\timing"), ("\\watsh 3", "\\watch"), ("\\dv", "\\d?")] {
            let error = Command::parse(typed).unwrap().unwrap_err();
            assert!(error.hint().unwrap().contains(near), "{typed}: {:?}", error.hint());
        }
        for typed in ["\\", "\\z", "\\nonsense"] {
            let error = Command::parse(typed).unwrap().unwrap_err();
            assert_eq!(error.hint(), Some("\\? lists the commands"), "{typed}");
        }
    }

    #[test]
    fn every_listed_command_is_known_and_documented() {
        let page = include_str!("../../../../docs/shell.md");
        for spec in COMMANDS {
            for name in spec.aliases.iter().chain([&spec.name]) {
                let known = Command::parse(&format!("\\{name}")).unwrap();
                assert!(known.is_ok() || spec.name == "i", "{name}");
                let is_named = [format!("`\\{name}`"), format!("`\\{name} ")].iter().any(|written| page.contains(written));
                assert!(is_named, "\\{name} is not in docs/shell.md");
            }
            if let Argument::Choice(choices) = spec.argument {
                for choice in choices {
                    Command::parse(&format!("\\{} {choice}", spec.name)).unwrap().unwrap();
                }
            }
        }
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
