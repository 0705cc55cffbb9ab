//! A stretch of lines: fetched in pieces, the next one while the last is decoded.

use std::{ops::Range, sync::Arc};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use super::{decoder::TextDecoder, file::OpenText, lines::LineRange, shape::Shaper};
use crate::{
    accounting::Reservation,
    error::{Error, Result},
    failure::from_datafusion,
    scan::{Execution, Held, Next, Rows, Unit},
};

/// Bytes that are fetched at once.
pub(super) const PIECE: u64 = 4 << 20;

/// The same at first where rows may soon be enough; each further piece is twice as long as the one before.
const FIRST_PIECE: u64 = 64 << 10;

/// What is fetched behind the end of a split, for the line that ends there.
const OVERHANG: u64 = 64 << 10;

/// The pieces in which the lines that begin in a range of a file are fetched: each begins where the one before ends.
#[derive(Debug)]
pub(super) struct Pieces {
    /// Where the next piece begins, and how long it is.
    at: u64,
    length: u64,
    /// Where the range ends.
    end: u64,
    /// Of the whole file.
    size: u64,
}

impl Pieces {
    /// `is_limited` where rows may soon be enough.
    pub(super) fn new(range: &Range<u64>, size: u64, is_limited: bool) -> Self {
        let at = LineRange::new(range.start, range.end).first_byte();
        Self { at, length: if is_limited { FIRST_PIECE } else { PIECE }, end: range.end, size }
    }

    /// Whether the next piece begins in the range.
    pub(super) fn is_within(&self) -> bool {
        self.at < self.end
    }

    /// Whether the file goes on.
    fn has_more(&self) -> bool {
        self.at < self.size
    }

    pub(super) fn next(&mut self) -> Option<Range<u64>> {
        if !self.has_more() {
            return None;
        }
        let end = self.at.saturating_add(self.length).min(self.size);
        let end = if self.is_within() {
            // The last piece takes in the line that ends behind the range.
            let last = self.end.saturating_add(OVERHANG).min(self.size);
            if last.saturating_sub(end) < 2 * OVERHANG { last } else { end }
        } else {
            end
        };
        let piece = self.at..end;
        self.at = end;
        self.length = (self.length * 2).min(PIECE);
        Some(piece)
    }
}

/// The lines that begin in a range of a file.
#[derive(Debug)]
pub(super) struct Stretch {
    pub execution: Arc<Execution>,
    pub file: Arc<OpenText>,
    pub range: Range<u64>,
}

impl Unit for Stretch {
    fn bytes(&self) -> u64 {
        // One piece is decoded while another comes.
        (self.range.end - self.range.start).min(2 * PIECE)
    }

    fn open(self: Box<Self>, held: Held) -> BoxFuture<'static, Result<Option<Box<dyn Rows>>>> {
        Box::pin(async move {
            let file = Arc::clone(&self.file);
            let mut lines = Lines::new(*self, held).map_err(|error| file.named(error))?;
            lines.fetch().await?;
            Ok(Some(Box::new(lines) as Box<dyn Rows>))
        })
    }
}

/// The rows of a stretch of lines.
struct Lines {
    unit: Stretch,
    decoder: TextDecoder,
    shaper: Shaper,
    /// Those that are not asked for yet.
    pieces: Pieces,
    /// The piece that is under way.
    coming: Option<Coming>,
    _held: Held,
}

/// A piece that is under way; given up with its holder.
struct Coming {
    range: Range<u64>,
    task: JoinHandle<Result<(Bytes, Reservation)>>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lines {
    fn new(unit: Stretch, held: Held) -> Result<Self> {
        let file = &unit.file;
        let range = LineRange::new(unit.range.start, unit.range.end);
        let (options, columns) = (Arc::clone(&file.options), Arc::clone(&file.columns));
        let spec = &unit.execution.spec;
        // No more rows are looked for than are wanted.
        let batch = match spec.limit.filter(|_| spec.predicate.is_none()) {
            Some(limit) => limit.clamp(1, unit.execution.batch_size),
            None => unit.execution.batch_size,
        };
        let decoder = TextDecoder::new(options, columns, Arc::clone(&file.wanted.schema), batch)?;
        let size = file.planned.file.meta.size;
        let is_whole = unit.range.start == 0 && unit.range.end >= size;
        let decoder = if is_whole { decoder.with_compression(file.compression)? } else { decoder.with_range(range) };
        let shaper = Shaper::new(&file.wanted, &unit.execution).map_err(from_datafusion)?;
        let pieces = Pieces::new(&unit.range, size, spec.is_limited);
        Ok(Self { unit, decoder, shaper, pieces, coming: None, _held: held })
    }

    /// Asks for the next piece, if none is under way and there is one.
    fn ask(&mut self) {
        if self.coming.is_some() {
            return;
        }
        let Some(range) = self.pieces.next() else { return };
        let (file, wanted) = (Arc::clone(&self.unit.file), range.clone());
        self.coming = Some(Coming { range, task: tokio::spawn(async move { file.read(wanted).await }) });
    }

    /// Whether more than one piece is wanted for certain.
    fn reads_ahead(&self) -> bool {
        !self.unit.execution.spec.is_limited && self.pieces.is_within()
    }
}

impl Rows for Lines {
    fn unit(&self) -> &dyn Unit {
        &self.unit
    }

    fn next(&mut self) -> Result<Next> {
        loop {
            let decoded = self.decoder.next().map_err(|error| self.unit.file.named(error))?;
            let Some(batch) = decoded else {
                let has_more = self.coming.is_some() || self.pieces.has_more();
                if self.decoder.is_done() {
                    return Ok(Next::End);
                }
                if has_more {
                    return Ok(Next::Fetch);
                }
                self.decoder.finish();
                // The last line, if it has no end; a decoder that gives nothing now is done.
                let last = self.decoder.next().map_err(|error| self.unit.file.named(error))?;
                let Some(batch) = last else { return Ok(Next::End) };
                if let Some(rows) = self.shaped(batch)? {
                    return Ok(Next::Rows(rows));
                }
                continue;
            };
            if let Some(rows) = self.shaped(batch)? {
                return Ok(Next::Rows(rows));
            }
        }
    }

    fn fetch(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.ask();
            let Some(mut coming) = self.coming.take() else { return Ok(()) };
            let ended = (&mut coming.task).await;
            let (bytes, mut reserved) =
                ended.unwrap_or_else(|error| Err(Error::internal("a read was interrupted").with_source(error)))?;
            self.unit.file.consume(&coming.range, &mut reserved)?;
            drop(reserved);
            self.decoder.push(bytes);
            if self.reads_ahead() {
                self.ask();
            }
            Ok(())
        })
    }
}

impl Lines {
    /// Those of the rows that pass; `None` if none does.
    fn shaped(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let shaped = self.shaper.shape(batch).map_err(|error| self.unit.file.named(from_datafusion(error)))?;
        Ok((shaped.num_rows() > 0).then_some(shaped))
    }
}
