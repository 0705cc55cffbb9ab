//! Lines on standard output.

use std::io::{self, Write};

use glaux_engine::{Error, ErrorKind, Result};

/// Prints a line on standard output.
///
/// # Errors
/// What [`crate::output::is_broken_pipe`] recognises, if the reader went away.
pub(super) fn say(line: &str) -> Result<()> {
    say_raw(&format!("{line}\n"))
}

/// Prints a text on standard output as it is.
///
/// # Errors
/// As [`say`].
pub(super) fn say_raw(text: &str) -> Result<()> {
    io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|error| Error::new(ErrorKind::Unavailable, "cannot write to standard output").with_source(error))
}

/// Prints a line that is no part of a result, on standard error. If even that is closed, there is nobody left to tell.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
