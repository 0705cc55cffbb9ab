//! Positions in a text, and errors that name them in Trino's style: `line 1:8: mismatched input 'x'. Expecting: ...`.

use sqlparser::tokenizer::Location;

use crate::error::{Error, ErrorKind};

/// The byte offsets of tokens, whose places the tokenizer gives in lines and characters. Must be asked in the order of the text.
pub(super) struct Offsets<'a> {
    chars: std::str::CharIndices<'a>,
    line: u64,
    column: u64,
    len: usize,
}

impl<'a> Offsets<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { chars: text.char_indices(), line: 1, column: 1, len: text.len() }
    }

    /// The offset of a place at or after the one asked for before.
    pub(super) fn of(&mut self, place: Location) -> usize {
        while (self.line, self.column) < (place.line, place.column) {
            match self.chars.next() {
                Some((_, '\n')) => {
                    self.line += 1;
                    self.column = 1;
                }
                Some(_) => self.column += 1,
                None => return self.len,
            }
        }
        self.chars.clone().next().map_or(self.len, |(offset, _)| offset)
    }
}

/// A `Syntax` error at a place.
pub(super) fn syntax(place: Location, message: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("line {}:{}: {message}", place.line, place.column))
}

/// A `Syntax` error at a token that was not expected.
pub(super) fn mismatched(place: Location, found: &str, expecting: &[&str]) -> Error {
    let found = if found.is_empty() { "<EOF>" } else { found };
    syntax(place, &format!("mismatched input '{found}'. Expecting: {}", expecting.join(", ")))
}

/// The place just after the last visible character: where a statement ends too early.
pub(super) fn end_of(text: &str) -> Location {
    let text = text.trim_end();
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Location { line: line as u64, column: column as u64 }
}

/// Turns an error of the tokenizer or the parser, whose place is at the end of its message, into ours.
pub(super) fn from_parser(message: &str, text: &str) -> Error {
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((message, place)) => match place.split_once(", Column: ").map(|(line, column)| (line.parse(), column.parse())) {
            Some((Ok(line), Ok(column))) => (message, Location { line, column }),
            _ => (message, end_of(text)),
        },
        None => (message, end_of(text)),
    };
    match message.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: ")) {
        Some((expected, "EOF")) => mismatched(end_of(text), "", &[expected]),
        Some((expected, found)) => {
            let error = mismatched(place, as_written(found, place, text), &[expected]);
            if found == "`" { error.with_hint("Queries quote names with double quotes; backticks belong to DDL") } else { error }
        }
        None => syntax(place, &lower_first(message)),
    }
}

/// A token as the statement has it, where it was read in another case.
fn as_written<'a>(found: &'a str, place: Location, text: &'a str) -> &'a str {
    let written = text.get(Offsets::new(text).of(place)..).and_then(|rest| rest.get(..found.len()));
    written.filter(|written| written.eq_ignore_ascii_case(found)).unwrap_or(found)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
