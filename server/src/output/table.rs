//! `--format table`: aligned columns for people, or records. Widths are measured over a chunk of rows, so that a long result streams; a later
//! chunk with wider values widens the columns from there on.

use std::io::Write;

use arrow::{
    array::{Array, RecordBatch},
    datatypes::SchemaRef,
};
use glaux_engine::Result;

use super::{
    cell,
    layout::{Cell, Layout},
    records::Records,
    style::{Expanded, Style},
    writer::{ResultWriter, arrow_error, write_error},
};
use crate::figures;

/// Rows that are measured, and held in memory, before they are printed.
const CHUNK_ROWS: usize = 1_000;

/// Writes a result as a table.
pub(super) struct TableWriter<W> {
    out: W,
    layout: Layout,
    records: Records,
    expanded: Expanded,
    /// Decided with the first rows.
    is_expanded: Option<bool>,
    chunk: Vec<Vec<Cell>>,
    is_empty: bool,
}

impl<W: Write> TableWriter<W> {
    pub(super) fn new(out: W, schema: &SchemaRef, style: Style) -> Self {
        let fields = schema.fields().iter();
        let columns = fields.clone().map(|field| (field.name().clone(), cell::is_number(field.data_type()))).collect();
        Self {
            out,
            layout: Layout::new(columns, style),
            records: Records::new(fields.map(|field| field.name()), style.is_colored),
            expanded: style.expanded,
            is_expanded: None,
            chunk: Vec::new(),
            is_empty: true,
        }
    }

    fn print_chunk(&mut self) -> Result<()> {
        let is_expanded = *self.is_expanded.get_or_insert_with(|| match self.expanded {
            Expanded::Off => false,
            Expanded::On => true,
            Expanded::Auto => self.layout.is_too_wide(&self.chunk),
        });
        let text = if is_expanded { self.records.render(&self.chunk) } else { self.layout.render(&self.chunk) };
        self.chunk.clear();
        self.print(&text)
    }

    fn print(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(write_error)
    }
}

impl<W: Write> ResultWriter for TableWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let formatters = cell::formatters(batch)?;
        // Logical: a column that is NULL throughout may have no mask of its own.
        let nulls: Vec<_> = batch.columns().iter().map(|column| column.logical_nulls()).collect();
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().zip(&nulls).map(|(column, nulls)| {
                let text = column.value(row).try_to_string().map_err(arrow_error)?;
                Ok(Cell::new(&text, nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))))
            });
            self.chunk.push(cells.collect::<Result<_>>()?);
            self.is_empty = false;
            if self.chunk.len() >= CHUNK_ROWS {
                self.print_chunk()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.print_chunk()?;
        if self.is_expanded == Some(true) {
            return if self.is_empty { self.print("(no rows)\n") } else { Ok(()) };
        }
        match self.layout.left_out() {
            0 => Ok(()),
            left_out => {
                let columns = figures::count(left_out as u64, "more column");
                self.print(&format!("({columns} did not fit: expanded display shows all, \\x in the shell or --expanded)\n"))
            }
        }
    }
}
