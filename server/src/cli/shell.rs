//! The shell: `glaux sql` on a terminal. Reads statements over several lines until a semicolon, and its own commands. An error is shown
//! and the shell goes on; Ctrl-C stops a query or clears a line, Ctrl-D leaves. Lines that are pasted or typed while a query runs wait for
//! their turn.

mod command;
mod editor;
mod keys;
mod names;
mod terminal;

use std::time::Instant;

use command::Command;
use editor::{Editor, Line, pieces};
use glaux_engine::{
    Error, Result,
    sql::{self, Changes, split},
};
use names::Names;
use terminal::Held;
pub(crate) use terminal::restore as restore_terminal;
use tokio::runtime::Runtime;

use super::{execute::Executor, say};
use crate::{diagnostic, figures, output, stats::StatsFormat};

/// Runs the shell until its user leaves.
///
/// # Errors
/// Only what makes going on impossible, such as a terminal that went away.
pub(crate) fn run(runtime: &Runtime, executor: &mut Executor) -> Result<()> {
    let data_dir = executor.engine.options().data_dir.clone();
    eprintln!("Glaux {}, data directory {}", env!("CARGO_PKG_VERSION"), data_dir.display());
    eprintln!("End a statement with a semicolon. `help` lists the shell's commands, `exit` or Ctrl-D leaves.");
    let _held = Held::hold(runtime);
    let mut shell = Shell { runtime, executor, timing: false };
    let mut editor = Editor::open(&data_dir.join("shell_history"))?;
    editor.complete_from(shell.names());
    loop {
        let text = match editor.read(&shell.executor.session.database())? {
            Line::Text(text) => text,
            Line::Cleared => continue,
            Line::End => return Ok(()),
        };
        for (line, piece) in pieces(&text).pieces {
            match shell.take(piece, line) {
                Ok(After::Leave) => return Ok(()),
                Ok(After::Names) => editor.complete_from(shell.names()),
                Ok(After::Nothing) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(error),
                Err(error) => diagnostic::print(&error),
            }
        }
    }
}

/// Whether a statement may change what there is to complete.
fn changes_names(statement: &str) -> bool {
    sql::parse(statement).is_ok_and(|statement| match statement.nature().changes {
        Changes::Catalog | Changes::Session => true,
        Changes::Queries | Changes::Nothing => false,
    })
}

/// # Errors
/// `Invalid` for a statement, which begins on this line, with bytes that are not UTF-8.
fn check_text(statement: &str, line: usize) -> Result<()> {
    let Some(at) = statement.find(keys::INVALID) else { return Ok(()) };
    let line = line + statement[..at].matches('\n').count();
    Err(Error::invalid(format!("the statement holds bytes that are not UTF-8, on line {line}"))
        .with_hint("Paste it as UTF-8, or write such a character by its code: U&'\\00E9'"))
}

/// What follows from an input.
enum After {
    Nothing,
    /// There may be other names to complete.
    Names,
    Leave,
}

struct Shell<'a> {
    runtime: &'a Runtime,
    executor: &'a mut Executor,
    timing: bool,
}

impl Shell<'_> {
    fn names(&self) -> Names {
        let metastore = self.executor.engine.metastore();
        self.runtime.block_on(Names::load(metastore.as_ref(), &self.executor.session.database()))
    }

    /// Runs what was typed, a piece that begins on this line: commands of the shell and statements, of which the first failure ends the
    /// rest.
    fn take(&mut self, text: &str, line: usize) -> Result<After> {
        let mut after = After::Nothing;
        for statement in split(text) {
            check_text(statement.text, line + statement.line - 1)?;
            let done = match Command::parse(statement.text) {
                Some(command) => self.obey(command?)?,
                None => self.run(statement.text)?,
            };
            match done {
                After::Leave => return Ok(After::Leave),
                After::Names => after = After::Names,
                After::Nothing => {}
            }
        }
        Ok(after)
    }

    fn run(&mut self, statement: &str) -> Result<After> {
        let begun = Instant::now();
        let result = self.runtime.block_on(self.executor.run(statement));
        if self.timing {
            eprintln!("time: {}", figures::duration(begun.elapsed()));
        }
        result?;
        Ok(if changes_names(statement) { After::Names } else { After::Nothing })
    }

    fn obey(&mut self, command: Command) -> Result<After> {
        match command {
            Command::Leave => return Ok(After::Leave),
            Command::Help => say(command::HELP)?,
            Command::Databases => return self.run("SHOW DATABASES"),
            Command::Tables => return self.run("SHOW TABLES"),
            Command::Describe(table) => return self.run(&format!("DESCRIBE {table}")),
            Command::Format(format) => {
                if let Some(format) = format {
                    format.check_terminal()?;
                    self.executor.format = format;
                }
                say(&format!("format is {}", self.executor.format.name()))?;
            }
            Command::Stats(stats) => {
                self.executor.stats.format = stats.unwrap_or(match self.executor.stats.format {
                    StatsFormat::None => StatsFormat::Text,
                    StatsFormat::Text | StatsFormat::Json => StatsFormat::None,
                });
                let name = format!("{:?}", self.executor.stats.format).to_lowercase();
                say(&format!("stats is {name}"))?;
            }
            Command::Timing => {
                self.timing = !self.timing;
                say(if self.timing { "timing is on" } else { "timing is off" })?;
            }
        }
        Ok(After::Nothing)
    }
}
