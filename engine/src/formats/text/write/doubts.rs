//! Rows whose lines might be read as other rows: with a delimiter in a text, say, and no escape character. They are read to find out, so that what is
//! written is what will be read, or an error.

use std::{ops::Range, slice, sync::Arc};

use arrow::{
    array::{Array, RecordBatch},
    util::display::{ArrayFormatter, FormatOptions},
};

use super::{columns::Values, layout::Layout};
use crate::{
    error::{Error, Result},
    formats::text::{decoder::TextDecoder, lines::LineRange, options::TextSerDe},
};

/// The longest value that an error shows, in characters.
const SHOWN: usize = 64;

/// The doubtful rows of a batch that were not read yet.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    rows: Vec<Doubt>,
    /// Their lines, with ends between them.
    text: Vec<u8>,
}

#[derive(Debug)]
struct Doubt {
    row: usize,
    /// The first column that gave reason for it.
    column: usize,
    line: Range<usize>,
}

impl Doubts {
    pub(super) fn add(&mut self, row: usize, column: usize, line: &[u8]) {
        if !self.rows.is_empty() {
            self.text.push(b'\n');
        }
        let start = self.text.len();
        self.text.extend_from_slice(line);
        self.rows.push(Doubt { row, column, line: start..self.text.len() });
    }

    /// Reads the lines, which are those of rows of this batch, and forgets them.
    ///
    /// # Errors
    /// `Invalid` for a row that is not read as it is in the batch, naming the column.
    pub(super) fn settle(&mut self, layout: &Layout, batch: &RecordBatch, columns: &[Values<'_>]) -> Result<()> {
        let Self { rows, text } = std::mem::take(self);
        if rows.is_empty() {
            return Ok(());
        }
        match misread(layout, columns, &rows, &text) {
            Ok(None) => return Ok(()),
            Ok(Some((row, column))) => return Err(lost(layout, batch, row, column)),
            // Which one it is, each by itself tells.
            Err(_) => {}
        }
        for doubt in &rows {
            match misread(layout, columns, slice::from_ref(doubt), &text[doubt.line.clone()]) {
                Ok(None) => {}
                Ok(Some((row, column))) => return Err(lost(layout, batch, row, column)),
                Err(_) => return Err(lost(layout, batch, doubt.row, doubt.column)),
            }
        }
        Err(Error::internal("rows cannot be read back from text"))
    }
}

/// The first row that is read otherwise than it was written, and the column in which it differs.
///
/// # Errors
/// If the lines cannot be read, or are more or fewer than the rows.
fn misread(layout: &Layout, columns: &[Values<'_>], rows: &[Doubt], text: &[u8]) -> Result<Option<(usize, usize)>> {
    let (options, wanted) = (Arc::clone(&layout.options), Arc::clone(&layout.columns));
    let decoder = TextDecoder::new(options, wanted, Arc::clone(&layout.schema), rows.len())?;
    // They are not a file's first lines, with a header or a mark of byte order.
    let mut decoder = decoder.with_range(LineRange::new(1, u64::MAX));
    decoder.push([b"\n".as_slice(), text, b"\n".as_slice()].concat().into());
    let mut expected = rows.iter();
    let mut is_finished = false;
    loop {
        let Some(batch) = decoder.next()? else {
            if is_finished {
                break;
            }
            decoder.finish();
            is_finished = true;
            continue;
        };
        let read = layout.values(&batch)?;
        for at in 0..batch.num_rows() {
            let Some(doubt) = expected.next() else { return Err(Error::internal("there are more lines than rows")) };
            let mut pairs = columns.iter().zip(&read);
            if let Some(column) = pairs.position(|(column, read)| !column.is_same(doubt.row, read, at, layout.tolerance)) {
                return Ok(Some((doubt.row, column)));
            }
        }
    }
    if expected.next().is_some() { Err(Error::internal("there are fewer lines than rows")) } else { Ok(None) }
}

/// The error of a value that would not be read as what it is.
pub(super) fn lost(layout: &Layout, batch: &RecordBatch, row: usize, column: usize) -> Error {
    let (name, values) = (&layout.columns[column].name, batch.column(column));
    let text = text_of(values.as_ref(), row);
    let shown = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.clone(),
    };
    let shown = if shown.contains(char::is_control) { shown.escape_debug().to_string() } else { shown };
    let error = Error::invalid(format!("a value of column \"{name}\" would be read from text as another one: {shown}"));
    let has_escape = match &layout.options.serde {
        TextSerDe::LazySimple(options) => options.escape.is_some(),
        TextSerDe::OpenCsv(_) => true,
    };
    error.with_hint(if values.is_null(row) {
        "OpenCSVSerde has no NULL for numbers, times and booleans: use a table of another format"
    } else if text.contains(['\n', '\r']) {
        "A row of text is a line: remove the line breaks, or use a Parquet table"
    } else if has_escape {
        "Use a Parquet table"
    } else {
        "Use a Parquet table, or one with an escape character (the SerDe property \"escape.delim\")"
    })
}

fn text_of(values: &dyn Array, row: usize) -> String {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(true).with_null("NULL");
    ArrayFormatter::try_new(values, &OPTIONS).map(|formatter| formatter.value(row).to_string()).unwrap_or_default()
}
