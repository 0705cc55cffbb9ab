//! Line editing: several lines until a semicolon, a history file, completion. What is read beyond what can be run is kept for the next
//! line.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use glaux_engine::{Error, ErrorKind, Result};
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

use super::{complete::complete, names::Names};
use crate::{
    cli::interpreter::pieces,
    terminal::{self, ENTERED},
};

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
                let end = entered - pieces(&text[..entered]).rest.text.len();
                self.rest = text.split_off(end);
                if self.rest.trim().is_empty() {
                    self.rest.clear();
                }
                // The blanks before it stay: they keep a line out of the history.
                let entry = text.trim_end().trim_start_matches(['\r', '\n']);
                if entry.trim().is_empty() {
                    return Ok(Line::Cleared);
                }
                self.remember(entry);
                Ok(Line::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Cleared),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(terminal_error(error)),
        }
    }

    /// Adds an entry to the history. One that cannot be written must not stop anyone from working.
    pub(super) fn remember(&mut self, entry: &str) {
        let added = self.inner.add_history_entry(entry).and_then(|_| self.inner.append_history(&self.history));
        if let Err(error) = added {
            tracing::debug!(%error, "the history of the shell cannot be written");
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
        terminal::suspend();
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
        let is_complete = pieces(context.input()).rest.text.is_empty();
        Ok(if is_complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(&self.names, line, position))
    }
}
