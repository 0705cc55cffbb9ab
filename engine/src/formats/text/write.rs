//! Text files as they are written, with Trino's bytes for values of all types, as far as they are read back as what they were.
//!
//! `columns` are the values of a batch, `forms` their forms as text, `lazy_simple` and `open_csv` make lines of them. A value that would be read as another
//! one, though Trino writes it, is refused (`doubts`).

mod columns;
mod compressor;
mod doubts;
mod forms;
mod layout;
mod lazy_simple;
mod open_csv;

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use glaux_catalog::{
    format::FileFormat,
    model::{Properties, StorageDescriptor},
    partition::PartitionOwn,
};

use self::{
    columns::Values,
    compressor::Compressor,
    doubts::{Doubts, lost},
    layout::Layout,
    lazy_simple::LazyLines,
    open_csv::CsvLines,
};
use super::{
    compression::Compression,
    lines::{BYTE_ORDER_MARK, LONGEST_LINE},
    options::{TextOptions, TextSerDe},
};
use crate::{
    error::{Error, Result},
    formats::output::{FileWriter, OutputFormat},
};

/// The size of files that are read in splits.
const PLAIN_FILE_BYTES: usize = 128 << 20;

/// The size of files that are read in one piece each, since they are compressed as a whole.
const COMPRESSED_FILE_BYTES: usize = 64 << 20;

/// Bytes of lines that are compressed at once.
const PIECE: usize = 1 << 20;

/// The properties of a table that say how its files are compressed: Athena's, and that of Glue's crawlers.
const COMPRESSION: [&str; 2] = ["write.compression", "compressionType"];

/// Writes the text files of a table.
#[derive(Debug)]
pub(crate) struct TextOutput {
    layout: Arc<Layout>,
    lines: Arc<Lines>,
    compression: Compression,
    ending: String,
}

/// What makes lines of rows.
#[derive(Debug)]
enum Lines {
    LazySimple(Box<LazyLines>),
    OpenCsv(CsvLines),
}

impl TextOutput {
    /// Of a table, or of a partition that has a SerDe or columns of its own.
    ///
    /// # Errors
    /// `Unsupported` and `Invalid` for a SerDe, a property or a column's type with which files cannot be written, naming it.
    pub(crate) fn new(storage: &StorageDescriptor, properties: &Properties, own: Option<&PartitionOwn>) -> Result<Self> {
        let (serde, columns) = own.map_or((None, None), |own| (own.serde.as_ref(), own.columns.as_deref()));
        let options = TextOptions::of_partition(storage, properties, serde, columns)?;
        options.check_writable()?;
        for column in &storage.columns {
            options.check(&column.name, &column.hive_type)?;
        }
        if let Some(unread) = columns.and_then(|columns| storage.columns.get(columns.len())) {
            return Err(Error::unsupported(format!("the partition does not have column \"{}\" of its table", unread.name))
                .with_hint("Fields are found by their places: drop the partition and add it again, with the table's columns"));
        }
        let (format, lines) = match &options.serde {
            TextSerDe::LazySimple(lazy) => {
                let types = storage.columns.iter().map(|column| &column.hive_type);
                (FileFormat::Text, Lines::LazySimple(Box::new(LazyLines::new(lazy, types))))
            }
            TextSerDe::OpenCsv(csv) => (FileFormat::Csv, Lines::OpenCsv(CsvLines::new(*csv))),
        };
        let compression = compression(properties)?;
        let format = format.ending();
        let ending = format!("{}{format}{}", if format.is_empty() { "" } else { "." }, compression.ending());
        Ok(Self { layout: Arc::new(Layout::new(options, &storage.columns)), lines: Arc::new(lines), compression, ending })
    }
}

/// How new files are compressed: with gzip, as Athena does it, if the table does not say.
fn compression(properties: &Properties) -> Result<Compression> {
    let Some((key, value)) = COMPRESSION.iter().find_map(|key| Some((key, properties.get(*key)?))) else {
        return Ok(Compression::Gzip);
    };
    match value.to_ascii_lowercase().as_str() {
        "none" | "uncompressed" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "deflate" => Ok(Compression::Deflate),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(Error::unsupported(format!("text cannot be written with the property \"{key}\" being \"{value}\""))
            .with_hint("It can be NONE, GZIP, DEFLATE or ZSTD")),
    }
}

impl OutputFormat for TextOutput {
    fn ending(&self) -> &str {
        &self.ending
    }

    fn target_file_bytes(&self) -> usize {
        if self.compression.is_splittable() { PLAIN_FILE_BYTES } else { COMPRESSED_FILE_BYTES }
    }

    fn begin(&self, _: &SchemaRef) -> Result<Box<dyn FileWriter>> {
        let mut writer = TextWriter {
            layout: Arc::clone(&self.layout),
            lines: Arc::clone(&self.lines),
            compressor: Compressor::new(self.compression)?,
            ready: Vec::new(),
            taken: 0,
            is_empty: true,
        };
        if self.layout.options.header > 0 {
            let names = self.layout.columns.iter().map(|column| column.name.as_str());
            let mut line = Vec::new();
            match &*self.lines {
                Lines::LazySimple(lines) => lines.write_header(names, &mut line),
                Lines::OpenCsv(lines) => lines.write_header(names, &mut line),
            }
            line.push(b'\n');
            writer.add(&line)?;
        }
        Ok(Box::new(writer))
    }
}

/// A text file that is being written.
#[derive(Debug)]
struct TextWriter {
    layout: Arc<Layout>,
    lines: Arc<Lines>,
    compressor: Compressor,
    /// Bytes that wait to be taken, and the number of those that were.
    ready: Vec<u8>,
    taken: usize,
    /// Whether there are no lines yet.
    is_empty: bool,
}

impl TextWriter {
    /// Writes a row as a line, without its end; the first column is given whose value may be read as another one.
    fn line(&self, columns: &[Values<'_>], row: usize, out: &mut Vec<u8>) -> Option<usize> {
        match &*self.lines {
            Lines::LazySimple(lines) => lines.write(columns, row, out),
            Lines::OpenCsv(lines) => lines.write(columns, row, out),
        }
    }

    /// Adds whole lines.
    fn add(&mut self, text: &[u8]) -> Result<()> {
        self.is_empty = false;
        self.compressor.add(text, &mut self.ready)
    }
}

impl FileWriter for TextWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = self.layout.values(rows)?;
        let (mut text, mut doubts) = (Vec::new(), Doubts::default());
        for row in 0..rows.num_rows() {
            let start = text.len();
            let doubtful = self.line(&columns, row, &mut text);
            let line = &text[start..];
            if let Some(column) = doubtful {
                doubts.add(row, column, line);
            }
            if self.is_empty && start == 0 && line.starts_with(BYTE_ORDER_MARK) {
                return Err(lost(&self.layout, rows, row, 0));
            }
            if line.len() > LONGEST_LINE {
                return Err(Error::invalid(format!(
                    "a row has {} bytes as text, and {LONGEST_LINE} at most are read",
                    line.len()
                ))
                .with_hint("Use a Parquet table"));
            }
            text.push(b'\n');
            if text.len() >= PIECE {
                doubts.settle(&self.layout, rows, &columns)?;
                self.add(&text)?;
                text.clear();
            }
        }
        doubts.settle(&self.layout, rows, &columns)?;
        if text.is_empty() { Ok(()) } else { self.add(&text) }
    }

    /// Lines are compressed as they come.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.compressor.finish(&mut self.ready)
    }

    fn take(&mut self) -> Bytes {
        self.taken += self.ready.len();
        std::mem::take(&mut self.ready).into()
    }

    fn memory_size(&self) -> usize {
        self.ready.capacity() + self.compressor.memory_size()
    }

    fn size(&self) -> usize {
        self.taken + self.ready.len()
    }
}
