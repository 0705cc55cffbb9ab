//! Cuts text into lines: a line ends with `\n`, `\r\n` or `\r`, whatever its fields hold, and the last one need not end.
//!
//! A line belongs to the range in which it begins. Whoever reads a range that is not a file's first begins one byte early ([`LineRange::first_byte`]),
//! to see whether a line begins with the range, and reads beyond its end until its last line is whole.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use crate::error::{Error, Result};

/// Bytes of the longest line that is read, as in Trino.
pub(super) const LONGEST_LINE: usize = 100 << 20;

/// A file may begin with it; it is no part of the first line.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a file whose lines are wanted: those that begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineRange {
    start: u64,
    end: u64,
}

impl LineRange {
    /// A whole file, however long.
    pub(crate) const WHOLE: Self = Self { start: 0, end: u64::MAX };

    /// From `start` up to but not including `end`.
    #[must_use]
    pub(crate) fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Where the bytes begin that are to be pushed.
    #[must_use]
    pub(crate) fn first_byte(self) -> u64 {
        self.start.saturating_sub(1)
    }
}

/// What [`Lines::advance`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// [`Lines::line`] is the next line.
    Line,
    /// It takes more text to go on.
    More,
    /// There are no more lines.
    End,
}

/// The lines of a range, of text that comes in pieces.
#[derive(Debug)]
pub(super) struct Lines {
    range: LineRange,
    /// The piece at hand, how much of it is done, and where in the file it begins.
    piece: Bytes,
    at: usize,
    base: u64,
    /// The start of a line that goes on in the next piece.
    carry: Vec<u8>,
    line: Line,
    /// Whether a carriage return was the last byte: a line feed after it ends no other line.
    after_return: bool,
    /// Whether the text begins within a line of the range before.
    is_within_line: bool,
    /// Lines at the start that are still to be left out.
    header: u64,
    /// Lines so far, with those of the header.
    count: u64,
    is_last_piece: bool,
    is_done: bool,
}

/// Where the line is that was found.
#[derive(Debug)]
enum Line {
    Piece(Range<usize>),
    /// All of the carry but so many bytes at its start.
    Carry(usize),
}

impl Lines {
    pub(super) fn new(range: LineRange, header: u64) -> Self {
        let is_first = range.start == 0;
        Self {
            range,
            piece: Bytes::new(),
            at: 0,
            base: range.first_byte(),
            carry: Vec::new(),
            line: Line::Piece(0..0),
            after_return: false,
            is_within_line: !is_first,
            header: if is_first { header } else { 0 },
            count: 0,
            is_last_piece: false,
            is_done: range.start >= range.end,
        }
    }

    /// Adds text, after the step [`Step::More`].
    pub(super) fn push(&mut self, piece: Bytes) {
        self.base += self.piece.len() as u64;
        self.piece = piece;
        self.at = 0;
    }

    /// Says that there is no more text.
    pub(super) fn finish(&mut self) {
        self.is_last_piece = true;
    }

    /// Whether all lines of the range were found: no more text is needed.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The number of the line that was found, from 1, if all before it were counted.
    pub(super) fn number(&self) -> Option<u64> {
        (self.range.start == 0).then_some(self.count)
    }

    /// The line that was found, without its end.
    pub(super) fn line(&self) -> &[u8] {
        match &self.line {
            Line::Piece(range) => &self.piece[range.clone()],
            Line::Carry(skipped) => &self.carry[*skipped..],
        }
    }

    /// Looks for the next line.
    ///
    /// # Errors
    /// `CorruptData` for a line that is too long.
    pub(super) fn advance(&mut self) -> Result<Step> {
        if matches!(self.line, Line::Carry(_)) {
            self.carry.clear();
            self.line = Line::Piece(0..0);
        }
        while !self.is_done {
            if self.after_return && self.at < self.piece.len() {
                self.at += usize::from(self.piece[self.at] == b'\n');
                self.after_return = false;
            }
            // A line that begins here belongs to the next range; one that began before the end is read to its own.
            let position = self.base + self.at as u64;
            if position >= self.range.end && self.carry.is_empty() {
                self.is_done = true;
                break;
            }
            let rest = &self.piece[self.at..];
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                if !self.is_within_line {
                    check_length(self.carry.len() + rest.len())?;
                    self.carry.extend_from_slice(rest);
                }
                self.at = self.piece.len();
                if !self.is_last_piece {
                    let is_past = self.base + self.at as u64 >= self.range.end && self.carry.is_empty();
                    self.is_done = is_past;
                    return Ok(if is_past { Step::End } else { Step::More });
                }
                self.is_done = true;
                return Ok(if self.take_last() { Step::Line } else { Step::End });
            };
            self.after_return = rest[length] == b'\r';
            let start = self.at;
            self.at += length + 1;
            if self.is_within_line {
                self.is_within_line = false;
                continue;
            }
            check_length(self.carry.len() + length)?;
            if self.carry.is_empty() {
                let skipped = self.mark(&self.piece[start..start + length]);
                self.line = Line::Piece(start + skipped..start + length);
            } else {
                self.carry.extend_from_slice(&self.piece[start..start + length]);
                self.line = Line::Carry(self.mark(&self.carry));
            }
            self.count += 1;
            if self.count > self.header {
                return Ok(Step::Line);
            }
            self.carry.clear();
            self.line = Line::Piece(0..0);
        }
        Ok(Step::End)
    }

    /// Takes what is left as the last line, which has no end, unless it is empty.
    fn take_last(&mut self) -> bool {
        let skipped = self.mark(&self.carry);
        if self.is_within_line || self.carry.len() == skipped {
            return false;
        }
        self.line = Line::Carry(skipped);
        self.count += 1;
        self.count > self.header
    }

    /// The length of the mark of byte order that a line has, if it is the file's first.
    fn mark(&self, line: &[u8]) -> usize {
        let is_first = self.count == 0 && self.range.start == 0;
        if is_first && line.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
    }
}

fn check_length(length: usize) -> Result<()> {
    if length <= LONGEST_LINE {
        return Ok(());
    }
    Err(Error::corrupt(format!("a line has more than {LONGEST_LINE} bytes"))
        .with_hint("Check that the file is text whose lines end with a line feed or a carriage return"))
}
