//! The text of a script: where it comes from, and the place of an error in it.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use glaux_engine::{Error, Result};

use crate::diagnostic;

/// The script in a file.
///
/// # Errors
/// Those of reading it; `Invalid` if it is not UTF-8.
pub(crate) fn read_file(file: &Path) -> Result<String> {
    let bytes = fs::read(file).map_err(|error| diagnostic::io_error("read the script", file, error))?;
    text(bytes, &format!("\"{}\"", file.display()))
}

/// The script on standard input.
///
/// # Errors
/// As [`read_file`].
pub(crate) fn read_stdin() -> Result<String> {
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::invalid("cannot read statements from standard input").with_source(error))?;
    text(bytes, "standard input")
}

/// A script as text, from the place of this name.
///
/// # Errors
/// `Invalid` for bytes that are not UTF-8, naming the line.
fn text(bytes: Vec<u8>, place: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        Error::invalid(format!("the script in {place} is not UTF-8: line {line} has bytes that are not characters"))
            .with_hint("Save it as UTF-8, or convert it: `iconv -f LATIN1 -t UTF-8`")
    })
}

/// Where a statement begins in a script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In bytes.
    pub(super) offset: usize,
    /// Counted from 1.
    pub(super) line: usize,
    /// Whether the script has other statements.
    pub(super) is_one_of_many: bool,
}

impl Place {
    /// The error of a statement with its place in the script: the one that the error tells, or the statement's line.
    pub(super) fn of_statement(&self, error: Error, script: &str) -> Error {
        match self.in_script(error.message(), script) {
            Some(message) => error.with_message(message),
            None => self.of_command(error),
        }
    }

    /// The error of a command with its line.
    pub(super) fn of_command(&self, error: Error) -> Error {
        if self.is_one_of_many { error.with_context("line", self.line.to_string()) } else { error }
    }

    /// A message that begins with a place in the statement, `line 1:8: `, with the place in the script.
    fn in_script(&self, message: &str, script: &str) -> Option<String> {
        let (place, said) = message.strip_prefix("line ")?.split_once(": ")?;
        let (line, column) = place.split_once(':')?;
        let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
        let before = script[..self.offset].rsplit('\n').next().filter(|_| line == 1).map_or(0, |text| text.chars().count());
        Some(format!("line {}:{}: {said}", self.line + line - 1, column + before))
    }
}
