//! Lines of `OpenCSVSerde`: every field in quotes but NULL, which is nothing at all, and is read as the empty string.
//!
//! Where a table does not name its escape character, Hive and Trino write a backslash as it is, and read it as the escape character. Here it is escaped,
//! so that it is read as what it was.

use super::{
    columns::{Typed, Values},
    forms,
};
use crate::formats::text::options::CsvOptions;

#[derive(Debug)]
pub(super) struct CsvLines {
    options: CsvOptions,
}

impl CsvLines {
    pub(super) const fn new(options: CsvOptions) -> Self {
        Self { options }
    }

    /// Writes the columns' names as a line, without its end.
    pub(super) fn write_header<'n>(&self, names: impl Iterator<Item = &'n str>, out: &mut Vec<u8>) {
        for (at, name) in names.enumerate() {
            if at > 0 {
                out.push(self.options.separator);
            }
            self.field(name.as_bytes(), out);
        }
    }

    /// Writes a row as a line, without its end. The first column is given whose value may be read as another one.
    pub(super) fn write(&self, columns: &[Values<'_>], row: usize, out: &mut Vec<u8>) -> Option<usize> {
        let mut doubtful = None;
        for (at, values) in columns.iter().enumerate() {
            if at > 0 {
                out.push(self.options.separator);
            }
            if self.value(values, row, out) {
                doubtful = doubtful.or(Some(at));
            }
        }
        doubtful
    }

    /// Writes a value; whether it may be read as another one.
    fn value(&self, values: &Values<'_>, row: usize, out: &mut Vec<u8>) -> bool {
        if values.is_null(row) {
            return !matches!(values.typed, Typed::Text(..));
        }
        let mut plain = Vec::new();
        match &values.typed {
            Typed::Text(texts, _) => return self.field(texts.value(row).as_bytes(), out),
            // As Athena reads them: days, and milliseconds.
            Typed::Date(days) => forms::push(format_args!("{}", days.value(row)), &mut plain),
            Typed::Micros(_) | Typed::Millis(_) => {
                let micros = values.micros(row).unwrap_or_default();
                forms::push(format_args!("{}", micros.div_euclid(1000)), &mut plain);
                return self.field(&plain, out) || micros % 1000 != 0;
            }
            _ => values.write_plain(row, &mut plain),
        }
        self.field(&plain, out)
    }

    /// Writes a field; whether it may be read as another one.
    fn field(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let CsvOptions { separator, quote, escape, before_quote } = self.options;
        // A table whose quote is the null character has none.
        let is_quoted = quote != 0;
        let mut is_doubtful = false;
        if is_quoted {
            out.push(quote);
        }
        for byte in text {
            if *byte == escape {
                out.push(escape);
                is_doubtful = true;
            } else if *byte == quote {
                out.push(before_quote);
                is_doubtful = true;
            } else {
                is_doubtful |= matches!(byte, b'\n' | b'\r') || !is_quoted && *byte == separator;
            }
            out.push(*byte);
        }
        if is_quoted {
            out.push(quote);
        }
        is_doubtful
    }
}
