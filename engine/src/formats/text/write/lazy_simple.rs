//! Lines of `LazySimpleSerDe`: fields between delimiters, arrays, maps and structs with a delimiter for each level.

use glaux_catalog::HiveType;

use super::columns::{Typed, Values, range};
use crate::formats::text::options::{LazyOptions, deepest};

/// What stands in the forms of values that are no text, besides letters and digits.
const MARKS: &[u8] = b"+-.:/= ";

/// What ends a line.
const LINE_ENDS: &[u8] = b"\n\r";

#[derive(Debug)]
pub(super) struct LazyLines {
    options: LazyOptions,
    /// Bytes of text that are written after the escape character, if there is one.
    escaped: Bytes,
    /// Bytes for which a text may be read as another one.
    in_text: Bytes,
    /// The same for numbers, dates and the like, none of which is escaped; nothing if their forms have no such bytes.
    in_plain: Option<Bytes>,
    /// Whether NULL may be read as something else.
    is_null_special: bool,
}

/// Some of all bytes.
type Bytes = [bool; 256];

impl LazyLines {
    /// For columns of these types.
    pub(super) fn new<'t>(options: &LazyOptions, types: impl Iterator<Item = &'t HiveType>) -> Self {
        let set = |separators: &[u8], others: &[u8]| {
            let mut set = [false; 256];
            for byte in separators.iter().chain(&options.escape).chain(others) {
                set[usize::from(*byte)] = true;
            }
            set
        };
        let deepest = types.map(|hive_type| deepest(hive_type, 1)).max().unwrap_or_default();
        let used = &options.separators[..options.separators.len().min(deepest + 1)];
        let in_plain = set(used, LINE_ENDS);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
        let has_plain = (0..=u8::MAX).any(|byte| in_plain[usize::from(byte)] && is_plain(byte));
        // Within the text of NULL an escape character is one of its characters; at its end it would escape the delimiter.
        let has_separator = options.null.iter().any(|byte| used.contains(byte) || LINE_ENDS.contains(byte));
        let ends_escaping = options.escape.is_some() && options.null.last().copied() == options.escape;
        Self {
            escaped: set(&options.separators, &[]),
            // A delimiter that the types do not need is escaped all the same.
            in_text: if options.escape.is_some() { set(&options.separators, LINE_ENDS) } else { in_plain },
            in_plain: has_plain.then_some(in_plain),
            is_null_special: has_separator || ends_escaping,
            options: options.clone(),
        }
    }

    /// Writes the columns' names as a line, without its end.
    pub(super) fn write_header<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut Vec<u8>) {
        for (at, name) in names.enumerate() {
            if at > 0 {
                out.push(self.separator(0));
            }
            self.text(name, out);
        }
    }

    /// Writes a row as a line, without its end. The first column is given whose value may be read as another one.
    pub(super) fn write(&self, columns: &[Values<'_>], row: usize, out: &mut Vec<u8>) -> Option<usize> {
        let mut doubtful = None;
        for (at, values) in columns.iter().enumerate() {
            if at > 0 {
                out.push(self.separator(0));
            }
            if self.value(values, row, 1, out) {
                doubtful = doubtful.or(Some(at));
            }
        }
        doubtful
    }

    /// Writes a value; whether it may be read as another one.
    fn value(&self, values: &Values<'_>, row: usize, level: usize, out: &mut Vec<u8>) -> bool {
        if values.is_null(row) {
            out.extend_from_slice(&self.options.null);
            return self.is_null_special;
        }
        let start = out.len();
        let is_doubtful = match &values.typed {
            Typed::Array(list, elements) => {
                let parts = range(list.offsets(), row);
                let mut is_doubtful = false;
                for (at, part) in parts.clone().enumerate() {
                    if at > 0 {
                        out.push(self.separator(level));
                    }
                    is_doubtful |= self.value(elements, part, level + 1, out);
                }
                // One element without a text is read as none.
                is_doubtful || !parts.is_empty() && out.len() == start
            }
            Typed::Map(map, keys, map_values) => {
                let parts = range(map.offsets(), row);
                let mut is_doubtful = false;
                for (at, part) in parts.clone().enumerate() {
                    if at > 0 {
                        out.push(self.separator(level));
                    }
                    is_doubtful |= self.value(keys, part, level + 2, out);
                    out.push(self.separator(level + 1));
                    is_doubtful |= self.value(map_values, part, level + 2, out);
                }
                // Of entries with one key the first is read.
                is_doubtful || parts.len() > 1
            }
            Typed::Struct(fields) => {
                let mut is_doubtful = false;
                for (at, field) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(self.separator(level));
                    }
                    is_doubtful |= self.value(field, row, level + 1, out);
                }
                is_doubtful
            }
            Typed::Text(texts, 0) => self.text(texts.value(row), out),
            Typed::Text(texts, length) => {
                let length = *length;
                self.text(&format!("{:length$}", texts.value(row).trim_end_matches(' ')), out)
            }
            Typed::Micros(_) | Typed::Millis(_) => {
                values.write_plain(row, out);
                // A pattern of the table's may take the usual form for another time.
                self.has_special(&out[start..]) || !self.options.timestamp_formats.is_empty()
            }
            _ => {
                values.write_plain(row, out);
                self.has_special(&out[start..])
            }
        };
        is_doubtful || out[start..] == self.options.null
    }

    fn has_special(&self, plain: &[u8]) -> bool {
        self.in_plain.as_ref().is_some_and(|special| plain.iter().any(|byte| special[usize::from(*byte)]))
    }

    /// Writes a text; whether it may be read as another one.
    fn text(&self, text: &str, out: &mut Vec<u8>) -> bool {
        let is_special = text.bytes().any(|byte| self.in_text[usize::from(byte)]);
        match self.options.escape.filter(|_| is_special) {
            None => out.extend_from_slice(text.as_bytes()),
            Some(escape) => {
                for byte in text.bytes() {
                    if self.escaped[usize::from(byte)] {
                        out.push(escape);
                    }
                    out.push(byte);
                }
            }
        }
        is_special
    }

    /// The delimiter of a level; a type that needs more of them than there are is refused when a table is looked up.
    fn separator(&self, level: usize) -> u8 {
        self.options.separators.get(level).copied().unwrap_or_default()
    }
}
