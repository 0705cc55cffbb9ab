//! Makes record batches of a text file's bytes, as they come.

use std::{collections::VecDeque, fmt, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use bytes::Bytes;

use super::{
    compression::{Compression, Decompressor},
    lazy_simple::LazyRows,
    lines::{LineRange, Lines, Step},
    open_csv::CsvRows,
    options::{TextOptions, TextSerDe},
    row::{BadField, TextColumn},
};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of lines after which a batch ends, however few rows it has.
const BATCH_BYTES: usize = 16 << 20;

/// Decodes one file, or a range of one. Push bytes, take batches until there are none, and so on; [`Self::finish`] after the last bytes. After an
/// error it is of no more use.
pub(crate) struct TextDecoder {
    options: Arc<TextOptions>,
    columns: Arc<[TextColumn]>,
    schema: SchemaRef,
    batch_rows: usize,
    rows: Rows,
    /// Rows and bytes of the batch that is being made.
    count: usize,
    bytes: usize,
    lines: Lines,
    footer: Footer,
    decompressor: Decompressor,
    /// What is to be decompressed next, and what after it.
    input: Bytes,
    pending: VecDeque<Bytes>,
    is_finished: bool,
}

enum Rows {
    /// No column is wanted.
    Count,
    LazySimple(LazyRows),
    OpenCsv(CsvRows),
}

impl TextDecoder {
    /// A decoder of a whole file that is not compressed. The columns are those of the schema, in its order: `string` as `Utf8View` or `Utf8`, and all
    /// others as [`glaux_catalog::HiveType::to_arrow`] has them.
    ///
    /// # Errors
    /// As [`TextOptions::check`].
    pub(crate) fn new(
        options: Arc<TextOptions>,
        columns: Arc<[TextColumn]>,
        schema: SchemaRef,
        batch_rows: usize,
    ) -> Result<Self> {
        for column in columns.iter() {
            options.check(&column.name, &column.hive_type)?;
        }
        let rows = match &options.serde {
            _ if columns.is_empty() => Rows::Count,
            TextSerDe::LazySimple(lazy) => Rows::LazySimple(LazyRows::new(lazy, &columns, &schema)?),
            TextSerDe::OpenCsv(csv) => Rows::OpenCsv(CsvRows::new(*csv, &columns, &schema)?),
        };
        Ok(Self {
            lines: Lines::new(LineRange::WHOLE, options.header),
            footer: Footer::new(options.footer),
            options,
            columns,
            schema,
            batch_rows: batch_rows.max(1),
            rows,
            count: 0,
            bytes: 0,
            decompressor: Decompressor::new(Compression::None)?,
            input: Bytes::new(),
            pending: VecDeque::new(),
            is_finished: false,
        })
    }

    /// Of a compressed file.
    ///
    /// # Errors
    /// `Internal` if there is no memory for it.
    pub(crate) fn with_compression(mut self, compression: Compression) -> Result<Self> {
        self.decompressor = Decompressor::new(compression)?;
        Ok(self)
    }

    /// Of a range of a file, where [`TextOptions::is_splittable`] allows it: the bytes that are pushed begin at [`LineRange::first_byte`].
    #[must_use]
    pub(crate) fn with_range(mut self, range: LineRange) -> Self {
        self.lines = Lines::new(range, self.options.header);
        self
    }

    /// Takes the bytes that follow those before.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() && !self.is_done() {
            self.pending.push_back(bytes);
        }
    }

    /// Says that there are no more bytes.
    pub(crate) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Whether all lines of the range were found, so that no more bytes are needed. It may turn true when [`Self::next`] finds no batch.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.lines.is_done()
    }

    /// The next batch; none if it takes more bytes, or if there are no more rows.
    ///
    /// # Errors
    /// `CorruptData` for what cannot be read: with the column, and the line's number where it is known. The file's name is the caller's to add.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.count < self.batch_rows && self.bytes < BATCH_BYTES {
            match self.lines.advance()? {
                Step::Line => self.append()?,
                Step::More if self.refill()? => {}
                Step::More if self.is_finished => {
                    self.decompressor.finish()?;
                    self.lines.finish();
                }
                Step::More => return Ok(None),
                Step::End => break,
            }
        }
        if self.count == 0 { Ok(None) } else { self.batch().map(Some) }
    }

    /// Adds the line that was found as a row, or the one that it pushes out of the footer.
    fn append(&mut self) -> Result<()> {
        let Some(line) = self.footer.pass(self.lines.line())? else { return Ok(()) };
        let appended = match &mut self.rows {
            Rows::Count => Ok(()),
            Rows::LazySimple(rows) => rows.append(line),
            Rows::OpenCsv(rows) => rows.append(line),
        };
        self.bytes += line.len();
        self.count += 1;
        appended.map_err(|field| self.bad_field(&field))
    }

    /// Hands the next piece of text to the lines; false if there is none.
    fn refill(&mut self) -> Result<bool> {
        loop {
            let piece = self.decompressor.next(&mut self.input)?;
            if !piece.is_empty() {
                self.lines.push(piece);
                return Ok(true);
            }
            match self.pending.pop_front() {
                Some(bytes) => self.input = bytes,
                None => return Ok(false),
            }
        }
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let columns = match &mut self.rows {
            Rows::Count => Vec::new(),
            Rows::LazySimple(rows) => rows.finish()?,
            Rows::OpenCsv(rows) => rows.finish(),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        (self.count, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal(error.to_string()))
    }

    fn bad_field(&self, field: &BadField) -> Error {
        /// Characters of a value that are shown.
        const SHOWN: usize = 64;
        let text = String::from_utf8_lossy(&field.text);
        let shown = match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text.into_owned(),
        };
        let column = &self.columns[field.column];
        let mut error =
            Error::corrupt(format!("column \"{}\" of type \"{}\" has the value \"{shown}\"", column.name, column.hive_type));
        if let Some(number) = self.lines.number() {
            error = error.with_context("line", (number - self.options.footer as u64).to_string());
        }
        error.with_hint("Declare the column STRING, and convert it in queries")
    }
}

impl fmt::Debug for TextDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextDecoder").field("options", &self.options).field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// Holds back the last lines, which are no rows.
#[derive(Debug)]
struct Footer {
    lines: usize,
    held: VecDeque<Vec<u8>>,
    /// Bytes of memory that are held.
    size: usize,
    /// The line that came out last.
    out: Vec<u8>,
}

impl Footer {
    fn new(lines: usize) -> Self {
        Self { lines, held: VecDeque::new(), size: 0, out: Vec::new() }
    }

    /// Takes the next line, and gives the one that has enough lines after it.
    fn pass<'l>(&'l mut self, line: &'l [u8]) -> Result<Option<&'l [u8]>> {
        /// Bytes that a footer may hold.
        const MOST: usize = 256 << 20;
        if self.lines == 0 {
            return Ok(Some(line));
        }
        let mut held = std::mem::take(&mut self.out);
        held.clear();
        held.extend_from_slice(line);
        self.size += held_size(&held);
        self.held.push_back(held);
        if self.held.len() > self.lines {
            self.out = self.held.pop_front().unwrap_or_default();
            self.size -= held_size(&self.out);
            return Ok(Some(&self.out));
        }
        if self.size > MOST {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("the last {} lines do not fit in memory", self.lines))
                .with_hint("Lower the table's property \"skip.footer.line.count\""));
        }
        Ok(None)
    }
}

fn held_size(line: &[u8]) -> usize {
    size_of::<Vec<u8>>() + line.len()
}
