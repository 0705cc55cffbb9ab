//! `--format table`: aligned columns for people. Widths are measured over a chunk of rows, so that a long result streams; a later
//! chunk with wider values widens the columns from there on.

use std::{fmt::Write as _, io::Write};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use glaux_engine::Result;
use unicode_width::UnicodeWidthStr;

use super::{ResultWriter, arrow_error, cell, write_error};

/// Rows that are measured, and held in memory, before they are printed.
const CHUNK_ROWS: usize = 1_000;

/// Writes a result as a table.
pub(crate) struct TableWriter<W> {
    out: W,
    layout: Layout,
    chunk: Vec<Vec<String>>,
}

impl<W: Write> TableWriter<W> {
    pub(crate) fn new(out: W, schema: &SchemaRef) -> Self {
        let fields = schema.fields().iter();
        let columns = fields.map(|field| (field.name().clone(), cell::is_number(field.data_type()))).collect();
        Self { out, layout: Layout::new(columns), chunk: Vec::new() }
    }

    fn print_chunk(&mut self) -> Result<()> {
        let text = self.layout.render(&self.chunk);
        self.chunk.clear();
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(write_error)
    }
}

impl<W: Write> ResultWriter for TableWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let formatters = cell::formatters(batch)?;
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().map(|column| Ok(one_line(&column.value(row).try_to_string().map_err(arrow_error)?)));
            self.chunk.push(cells.collect::<Result<_>>()?);
            if self.chunk.len() >= CHUNK_ROWS {
                self.print_chunk()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.print_chunk()
    }
}

/// The columns of a table and how wide they are so far.
pub(crate) struct Layout {
    /// Names, and whether the values are aligned to the right.
    columns: Vec<(String, bool)>,
    widths: Vec<usize>,
    headed: bool,
}

impl Layout {
    /// Columns by name, each with whether its values are aligned to the right.
    pub(crate) fn new(columns: Vec<(String, bool)>) -> Self {
        let columns: Vec<_> = columns.into_iter().map(|(name, right)| (one_line(&name), right)).collect();
        let widths = columns.iter().map(|(name, _)| name.width()).collect();
        Self { columns, widths, headed: false }
    }

    /// The text of some rows, after the header if this is the first call.
    pub(crate) fn render(&mut self, rows: &[Vec<String>]) -> String {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        if !self.headed {
            self.headed = true;
            let names: Vec<_> = self.columns.iter().map(|(name, _)| name.clone()).collect();
            self.line(&mut text, &names);
            let rules: Vec<_> = self.widths.iter().map(|width| "-".repeat(width + 2)).collect();
            let _ = writeln!(text, "{}", rules.join("+"));
        }
        for row in rows {
            self.line(&mut text, row);
        }
        text
    }

    fn line(&self, text: &mut String, cells: &[String]) {
        let start = text.len();
        for (index, ((cell, width), (_, right))) in cells.iter().zip(&self.widths).zip(&self.columns).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            let separator = if index == 0 { " " } else { " | " };
            let _ = if *right { write!(text, "{separator}{gap}{cell}") } else { write!(text, "{separator}{cell}{gap}") };
        }
        text.truncate(start + text[start..].trim_end_matches(' ').len());
        text.push('\n');
    }
}

/// What steers a terminal: control characters, and those that turn the direction of what follows.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A value on one line: what steers as escapes, so that a row stays a row and a value cannot steer the terminal.
fn one_line(value: &str) -> String {
    if !value.contains(steers) {
        return value.to_owned();
    }
    value.chars().fold(String::with_capacity(value.len() + 8), |mut text, c| {
        if steers(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}
