//! Line editing: several lines until a semicolon, a history file, completion. What is read beyond a line is kept for the next one.

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
    RepeatCount,
    completion::Completer,
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};

use super::{command::Command, names::Names};

/// What was typed.
#[derive(Debug)]
pub(super) enum Line {
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
        let clearing = Clearing::default();
        inner.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(clearing.clone())));
        if let Err(error) = inner.load_history(history)
            && !matches!(&error, ReadlineError::Io(error) if error.kind() == std::io::ErrorKind::NotFound)
        {
            tracing::warn!(%error, "the history of the shell cannot be read");
        }
        Ok(Self { inner, history: history.to_owned(), clearing })
    }

    /// Completes from these names from now on.
    pub(super) fn complete_from(&mut self, names: Names) {
        if let Some(helper) = self.inner.helper_mut() {
            helper.names = names;
        }
    }

    /// Reads one command or statement.
    ///
    /// # Errors
    /// `Unavailable` if the terminal went away.
    pub(super) fn read(&mut self, database: &str) -> Result<Line> {
        let line = self.inner.readline(&format!("glaux:{database}> "));
        if self.clearing.0.swap(false, SeqCst) {
            return Ok(Line::Cleared);
        }
        match line {
            Ok(text) if text.trim().is_empty() => Ok(Line::Cleared),
            Ok(text) => {
                // A history that cannot be written must not stop anyone from working.
                let added = self.inner.add_history_entry(text.trim()).and_then(|_| self.inner.append_history(&self.history));
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

/// Whether an input can be run: a command of the shell, nothing, or statements of which the last has its semicolon.
pub(super) fn is_complete(input: &str) -> bool {
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
        Ok(if is_complete(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
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
    use super::is_complete;

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
