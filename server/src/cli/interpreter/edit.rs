//! `\e`: a statement in the user's own editor.

use std::{
    env, fs,
    io::{self, IsTerminal, Write},
};

use glaux_engine::{Error, ErrorKind, Result};

use crate::{diagnostic, terminal};

/// The variables that name an editor, the first that is set counts.
const VARIABLES: [&str; 2] = ["VISUAL", "EDITOR"];

const USUAL: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// What the user has made of a statement; `None` if it has not been changed, or nothing is left of it.
///
/// # Errors
/// `Invalid` without a terminal; `NotFound` without an editor; `Unavailable` if it fails.
pub(super) fn edited(statement: &str) -> Result<Option<String>> {
    if !io::stdin().is_terminal() {
        return Err(Error::invalid("there is no terminal to edit on").with_hint("\\i FILE runs a file"));
    }
    let named = VARIABLES.into_iter().filter_map(|name| env::var(name).ok()).find(|words| !words.trim().is_empty());
    let words = named.unwrap_or_else(|| USUAL.to_owned());
    if !terminal::is_there(&words) {
        return Err(
            Error::not_found(format!("there is no editor \"{words}\"")).with_hint("Name one by the variable VISUAL or EDITOR")
        );
    }
    let failed = |error: io::Error| Error::new(ErrorKind::Unavailable, "the statement cannot be edited").with_source(error);
    let before = if statement.is_empty() { String::new() } else { format!("{statement};\n") };
    let mut file = tempfile::Builder::new().prefix("glaux-").suffix(".sql").tempfile().map_err(failed)?;
    file.write_all(before.as_bytes()).map_err(failed)?;
    let lent = terminal::lend();
    let ended = terminal::command(&words, &[file.path().as_os_str()]).stdin(terminal::input()).status();
    drop(lent);
    let status = ended.map_err(failed)?;
    if !status.success() {
        return Err(
            Error::new(ErrorKind::Unavailable, format!("the editor \"{words}\" failed: {status}")).with_hint("Nothing was run")
        );
    }
    // By its name: editors put another file in its place.
    let after = fs::read_to_string(file.path()).map_err(|error| diagnostic::io_error("read", file.path(), error))?;
    Ok((after.trim() != before.trim() && !after.trim().is_empty()).then_some(after))
}
