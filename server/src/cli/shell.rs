//! The shell: `glaux sql` on a terminal. Reads statements over several lines until a semicolon, and commands. An error is shown and the
//! shell goes on; Ctrl-C stops a query or clears a line, Ctrl-D leaves. Lines that are pasted or typed while a query runs wait for their
//! turn.

mod complete;
mod editor;
mod names;
mod words;

use editor::{Editor, Line};
use glaux_engine::{Error, Result, sql::split};
use names::Names;
use tokio::runtime::Runtime;

use super::{
    execute::Executor,
    interpreter::{After, Interpreter, pieces},
};
use crate::{
    diagnostic, output,
    terminal::{Held, INVALID},
};

/// Runs the shell until its user leaves.
///
/// # Errors
/// Only what makes going on impossible, such as a terminal that went away.
pub(crate) fn run(runtime: &Runtime, executor: &mut Executor) -> Result<()> {
    let data_dir = executor.engine.options().data_dir.clone();
    eprintln!("Glaux {}, data directory {}", env!("CARGO_PKG_VERSION"), data_dir.display());
    eprintln!("End a statement with a semicolon. `help` lists the shell's commands, `exit` or Ctrl-D leaves.");
    let _held = Held::hold(runtime);
    let mut editor = Editor::open(&data_dir.join("shell_history"))?;
    editor.complete_from(runtime.block_on(Names::load(executor)));
    let mut interpreter = Interpreter::new(runtime, executor);
    loop {
        let text = match editor.read(&interpreter.executor().session.database())? {
            Line::Text(text) => text,
            Line::Cleared => continue,
            Line::End => return Ok(()),
        };
        for piece in pieces(&text).pieces {
            let taken = take(&mut interpreter, piece.text, piece.line);
            for edited in interpreter.take_edited() {
                editor.remember(&edited);
            }
            match taken {
                Ok(After::Leave) => return Ok(()),
                Ok(After::Names) => editor.complete_from(runtime.block_on(Names::load(interpreter.executor()))),
                Ok(After::Nothing) => {}
                Err(error) if output::is_broken_pipe(&error) => return Err(error),
                Err(error) => diagnostic::print(&error),
            }
        }
    }
}

/// Runs what was typed, a piece that begins on this line: commands and statements, of which the first failure ends the rest.
fn take(interpreter: &mut Interpreter<'_>, text: &str, line: usize) -> Result<After> {
    let mut after = After::Nothing;
    for statement in split(text) {
        check_text(statement.text, line + statement.line - 1)?;
        match interpreter.take(statement.text)? {
            After::Leave => return Ok(After::Leave),
            After::Names => after = After::Names,
            After::Nothing => {}
        }
    }
    Ok(after)
}

/// # Errors
/// `Invalid` for a statement, which begins on this line, with bytes that are not UTF-8.
fn check_text(statement: &str, line: usize) -> Result<()> {
    let Some(at) = statement.find(INVALID) else { return Ok(()) };
    let line = line + statement[..at].matches('\n').count();
    Err(Error::invalid(format!("the statement holds bytes that are not UTF-8, on line {line}"))
        .with_hint("Paste it as UTF-8, or write such a character by its code: U&'\\00E9'"))
}
