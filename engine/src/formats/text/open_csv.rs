//! Rows of `OpenCSVSerde`: fields that may be quoted, within one line. It reads what Hive's parser reads, oddities and all.
//!
//! A field that is quoted as it should be, or has neither quotes nor escapes, is taken as it stands; only others go byte by byte.

use std::ops::Range;

use arrow::{array::ArrayRef, datatypes::Schema};
use memchr::{memchr2, memchr3};

use super::{
    leaf::Leaf,
    options::CsvOptions,
    row::{BadField, TextColumn, unreadable},
};
use crate::error::Result;

#[derive(Debug)]
pub(super) struct CsvRows {
    options: CsvOptions,
    /// In the order of fields.
    wanted: Vec<Wanted>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Wanted {
    /// Its field's place in a line.
    position: usize,
    /// Its place in the schema.
    index: usize,
    values: Leaf,
}

/// A field, and where the next one begins, if there is one.
struct Field {
    value: Value,
    next: Option<usize>,
}

enum Value {
    Line(Range<usize>),
    Scratch,
    /// Quotes were opened and not closed: there is no value.
    None,
}

impl CsvRows {
    /// # Errors
    /// `Internal` if a column is none that [`super::TextOptions::check`] lets pass.
    pub(super) fn new(options: CsvOptions, columns: &[TextColumn], schema: &Schema) -> Result<Self> {
        let wanted = columns.iter().zip(schema.fields()).enumerate().map(|(index, (column, field))| {
            let values = Leaf::new(&column.hive_type, field.data_type());
            let values = values.ok_or_else(|| unreadable(column, field.data_type()))?;
            Ok(Wanted { position: column.position, index, values })
        });
        let mut wanted = wanted.collect::<Result<Vec<_>>>()?;
        wanted.sort_by_key(|wanted| wanted.position);
        Ok(Self { options, wanted, scratch: Vec::new() })
    }

    /// Adds a line as a row: missing fields are NULL, as are all of an empty line; those beyond the columns are left out.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), BadField> {
        let Self { options, wanted, scratch } = self;
        let mut wanted = wanted.iter_mut().peekable();
        let mut position = 0;
        let mut next = (!line.is_empty()).then_some(0);
        while let Some(start) = next
            && wanted.peek().is_some()
        {
            let field = options.field(line, start, scratch);
            let text = match field.value {
                Value::Line(range) => Some(&line[range]),
                Value::Scratch => Some(scratch.as_slice()),
                Value::None => None,
            };
            while let Some(column) = wanted.next_if(|wanted| wanted.position == position) {
                let bad = |_| BadField { column: column.index, text: text.unwrap_or_default().to_vec() };
                column.values.append_csv(text).map_err(bad)?;
            }
            next = field.next;
            position += 1;
        }
        for missing in wanted {
            missing.values.append_null();
        }
        Ok(())
    }

    /// The columns so far, in the order of the schema.
    pub(super) fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<_> = self.wanted.iter_mut().map(|wanted| (wanted.index, wanted.values.finish())).collect();
        columns.sort_by_key(|(index, _)| *index);
        columns.into_iter().map(|(_, values)| values).collect()
    }
}

impl CsvOptions {
    /// The field that begins at `start`.
    fn field(&self, line: &[u8], start: usize, scratch: &mut Vec<u8>) -> Field {
        let rest = &line[start..];
        if rest.first() == Some(&self.quote) && self.quote != self.escape {
            let within = start + 1;
            let end = memchr2(self.quote, self.escape, &line[within..]).map(|found| within + found);
            if let Some(end) = end.filter(|end| line[*end] == self.quote) {
                match line.get(end + 1) {
                    None => return Field { value: Value::Line(within..end), next: None },
                    Some(byte) if *byte == self.separator => {
                        return Field { value: Value::Line(within..end), next: Some(end + 2) };
                    }
                    Some(_) => {}
                }
            }
        } else {
            match memchr3(self.separator, self.quote, self.escape, rest).map(|found| start + found) {
                None => return Field { value: Value::Line(start..line.len()), next: None },
                Some(end) if line[end] == self.separator => {
                    return Field { value: Value::Line(start..end), next: Some(end + 1) };
                }
                Some(_) => {}
            }
        }
        self.slowly(line, start, scratch)
    }

    /// The same, byte by byte, into the scratch.
    fn slowly(&self, line: &[u8], start: usize, scratch: &mut Vec<u8>) -> Field {
        scratch.clear();
        let (mut is_quoted, mut is_in_field) = (false, false);
        let mut at = start;
        while let Some(byte) = line.get(at).copied() {
            let next = line.get(at + 1).copied();
            if byte == self.escape {
                // It escapes itself and quotes, within a field; before anything else it is left out.
                if let Some(escaped) = next.filter(|next| *next == self.quote || *next == self.escape)
                    && (is_quoted || is_in_field)
                {
                    scratch.push(escaped);
                    at += 1;
                }
            } else if byte == self.quote {
                if (is_quoted || is_in_field) && next == Some(self.quote) {
                    scratch.push(self.quote);
                    at += 1;
                } else {
                    if self.is_embedded(line, at) {
                        if !scratch.is_empty() && is_blank(scratch) { scratch.clear() } else { scratch.push(byte) }
                    }
                    is_quoted = !is_quoted;
                }
                is_in_field = !is_in_field;
            } else if byte == self.separator && !is_quoted {
                return Field { value: Value::Scratch, next: Some(at + 1) };
            } else {
                scratch.push(byte);
                is_in_field = true;
            }
            at += 1;
        }
        Field { value: if is_quoted { Value::None } else { Value::Scratch }, next: None }
    }

    /// Whether a quote stands for itself, as in `a,bc"d"ef`: beside no separator, and not among a line's first three characters.
    fn is_embedded(&self, line: &[u8], at: usize) -> bool {
        let is_beside = at == 0 || line[at - 1] == self.separator || line.get(at + 1).is_none_or(|next| *next == self.separator);
        !is_beside && code_units(&line[..at]) > 2
    }
}

/// Units of UTF-16, in which Hive's parser counts; those that matter are the first.
fn code_units(text: &[u8]) -> usize {
    const ENOUGH: usize = 12;
    let units = |byte: &u8| match byte {
        0x80..=0xbf => 0,
        0xf0..=0xff => 2,
        _ => 1,
    };
    text.iter().take(ENOUGH).map(units).sum()
}

/// Whether a text is nothing but what Java calls whitespace.
fn is_blank(text: &[u8]) -> bool {
    let is_space = |c: char| match c {
        '\u{1c}'..='\u{1f}' => true,
        '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        _ => c.is_whitespace(),
    };
    str::from_utf8(text).is_ok_and(|text| text.chars().all(is_space))
}
