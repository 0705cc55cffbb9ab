//! Line editing: several lines until a semicolon, a history file, completion. What is read beyond what can be run is kept for the next
//! line.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use glaux_engine::{Error, ErrorKind, Result, sql::split};
use rustyline::{
    Cmd, CompletionType, ConditionalEventHandler, Config, Context, Event, EventContext, EventHandler, Helper, KeyEvent,
    Modifiers, RepeatCount,
    completion::Completer,
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::{command::Command, keys::ENTERED, names::Names, terminal};

/// What was typed.
#[derive(Debug)]
pub(super) enum Line {
    /// Text of which each piece can be run.
    Text(String),
    /// Ctrl-C.
    Cleared,
    /// Ctrl-D.
    End,
}

/// The editor of one shell.
pub(super) struct Editor {
    inner: rustyline::Editor<Assistant, FileHistory>,
    history: PathBuf,
    clearing: Clearing,
    entering: Entering,
    /// What was pasted after the last piece that could be run.
    rest: String,
}

impl Editor {
    /// Opens the editor with the history of earlier shells. A history that cannot be read is no reason to stop.
    ///
    /// # Errors
    /// `Unavailable` if the terminal cannot be used.
    pub(super) fn open(history: &Path) -> Result<Self> {
        let config = Config::builder()
            .max_history_size(10_000)
            .and_then(|config| config.history_ignore_dups(true))
            .map(|config| config.history_ignore_space(true).completion_type(CompletionType::List).build())
            .map_err(terminal_error)?;
        let lines = FileHistory::with_config(&config);
        let mut inner = rustyline::Editor::with_history(config, lines).map_err(terminal_error)?;
        inner.set_helper(Some(Assistant::default()));
        let (clearing, entering) = (Clearing::default(), Entering::default());
        inner.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(clearing.clone())));
        inner.bind_sequence(KeyEvent::new(ENTERED, Modifiers::NONE), EventHandler::Conditional(Box::new(entering.clone())));
        #[cfg(unix)]
        inner.bind_sequence(KeyEvent::ctrl('Z'), EventHandler::Conditional(Box::new(Stopping)));
        if let Err(error) = inner.load_history(history)
            && !matches!(&error, ReadlineError::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
        {
            tracing::warn!(%error, "the history of the shell cannot be read");
        }
        Ok(Self { inner, history: history.to_owned(), clearing, entering, rest: String::new() })
    }

    /// Completes from these names from now on.
    pub(super) fn complete_from(&mut self, names: Names) {
        if let Some(helper) = self.inner.helper_mut() {
            helper.names = names;
        }
    }

    /// Reads what can be run: commands and statements.
    ///
    /// # Errors
    /// `Unavailable` if the terminal went away.
    pub(super) fn read(&mut self, database: &str) -> Result<Line> {
        let rest = std::mem::take(&mut self.rest);
        let line = terminal::editing(|| self.inner.readline_with_initial(&format!("glaux:{database}> "), (rest.as_str(), "")));
        if self.clearing.0.swap(false, SeqCst) {
            return Ok(Line::Cleared);
        }
        match line {
            Ok(mut text) => {
                let entered = if self.entering.0.swap(false, SeqCst) { entered(&text) } else { text.len() };
                let end = entered - pieces(&text[..entered]).rest.len();
                self.rest = text.split_off(end);
                if self.rest.trim().is_empty() {
                    self.rest.clear();
                }
                // The blanks before it stay: they keep a line out of the history.
                let entry = text.trim_end().trim_start_matches(['\r', '\n']);
                if entry.trim().is_empty() {
                    return Ok(Line::Cleared);
                }
                // A history that cannot be written must not stop anyone from working.
                let added = self.inner.add_history_entry(entry).and_then(|_| self.inner.append_history(&self.history));
                if let Err(error) = added {
                    tracing::debug!(%error, "the history of the shell cannot be written");
                }
                Ok(Line::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Cleared),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(terminal_error(error)),
        }
    }
}

/// What was handed over in one piece held the end of a line: what can be run is run, as if it had been typed.
#[derive(Debug, Clone, Default)]
struct Entering(Arc<AtomicBool>);

impl ConditionalEventHandler for Entering {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let entered = &context.line()[..entered(context.line())];
        if pieces(entered).pieces.is_empty() && !context.line().trim().is_empty() {
            return Some(Cmd::Noop);
        }
        self.0.store(true, SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// How much of a text has been entered: up to its last line break.
fn entered(text: &str) -> usize {
    text.rfind('\n').map_or(0, |at| at + 1)
}

/// Ctrl-Z: who comes next has the terminal as it was.
#[cfg(unix)]
struct Stopping;

#[cfg(unix)]
impl ConditionalEventHandler for Stopping {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        terminal::lend();
        Some(Cmd::Suspend)
    }
}

/// Ctrl-C: the line comes to its end and is not run. The editor's own way to clear a line forgets the keys that were typed after it.
#[derive(Debug, Clone, Default)]
struct Clearing(Arc<AtomicBool>);

impl ConditionalEventHandler for Clearing {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, SeqCst);
        Some(Cmd::AcceptLine)
    }
}

fn terminal_error(error: ReadlineError) -> Error {
    Error::new(ErrorKind::Unavailable, "the terminal cannot be used")
        .with_hint("Give statements with -e, as a file or on standard input")
        .with_source(error)
}

/// What a text holds that can be run, line by line as if it had been typed, and the rest that is still open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces<'a> {
    /// Each with the line on which it begins, counted from 1.
    pub(super) pieces: Vec<(usize, &'a str)>,
    pub(super) rest: &'a str,
}

pub(super) fn pieces(text: &str) -> Pieces<'_> {
    let mut pieces = Vec::new();
    let (mut begin, mut begun, mut at) = (0, 1, 0);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        if begin == at {
            begun = number;
        }
        let is_first = begin == at;
        at += line.len();
        let open = &text[begin..at];
        // Only what ends a statement or a comment can complete an open one: long ones are looked at once.
        if (is_first || line.contains(';') || line.contains("*/")) && is_complete(open) {
            if !open.trim().is_empty() {
                pieces.push((begun, open));
            }
            begin = at;
        }
    }
    Pieces { pieces, rest: &text[begin..] }
}

/// Whether an input can be run: a command of the shell, nothing, or statements of which the last has its semicolon.
fn is_complete(input: &str) -> bool {
    if input.trim().is_empty() || Command::parse(input).is_some() {
        return true;
    }
    // A word after a finished statement is a statement of its own; after an open one, or within quotes or a comment, it is a part.
    split(&format!("{input}\nx")).len() > split(input).len()
}

/// What the editor asks: is it complete, what could it become.
#[derive(Default)]
struct Assistant {
    names: Names,
}

impl Helper for Assistant {}
impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let is_complete = pieces(context.input()).rest.is_empty();
        Ok(if is_complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.names.complete(&line[..position]))
    }
}

#[cfg(test)]
mod tests {
    use super::{is_complete, pieces};

    #[test]
    fn a_text_is_taken_line_by_line() {
        let taken = |text| {
            let taken = pieces(text);
            (taken.pieces.into_iter().map(|(line, piece)| (line, piece.trim())).collect::<Vec<_>>(), taken.rest)
        };
        assert_eq!(taken("\\l\n\n\\d\n"), (vec![(1, "\\l"), (3, "\\d")], ""));
        assert_eq!(taken("SELECT 1;\nexit\nSELECT 2;"), (vec![(1, "SELECT 1;"), (2, "exit"), (3, "SELECT 2;")], ""));
        assert_eq!(taken("SELECT\n  1;\nSELECT\n 2"), (vec![(1, "SELECT\n  1;")], "SELECT\n 2"));
        assert_eq!(taken("SELECT '\nexit\n';\n"), (vec![(1, "SELECT '\nexit\n';")], ""));
        assert_eq!(taken("-- done\n/* a\n b */\nSEL"), (vec![(1, "-- done"), (2, "/* a\n b */")], "SEL"));
    }

    #[test]
    fn an_input_is_complete_at_its_semicolon() {
        for complete in
            ["", "  ", "\\d", "exit", "help ", "quit;", "SELECT 1;", "SELECT 1; -- done", "SELECT ';';", "USE a; SELECT 1;"]
        {
            assert!(is_complete(complete), "{complete}");
        }
        for open in ["SELECT 1", "exit now", "SELECT ';", "SELECT 1 -- ;", "USE a; SELECT 1", "SELECT /* ; "] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
