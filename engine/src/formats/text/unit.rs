//! A stretch of lines: fetched in pieces, the next one while the last is decoded.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use super::{decoder::TextDecoder, file::OpenText, lines::LineRange, rows::Shaper};
use crate::{
    error::{Error, Result, from_datafusion},
    scan::{Execution, Held, Next, Rows, Unit},
};

/// Bytes that are fetched at once.
const PIECE: u64 = 4 << 20;

/// The same at first, where rows may soon be enough; each further piece is twice as long as the one before.
const FIRST_PIECE: u64 = 64 << 10;

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
            let mut lines = Lines::new(*self, held)?;
            lines.fetch().await?;
            Ok(Some(Box::new(lines) as Box<dyn Rows>))
        })
    }
}

/// The rows of a stretch of lines.
struct Lines {
    unit: Stretch,
    decoder: TextDecoder,
    range: LineRange,
    shaper: Shaper,
    /// Where the next piece that is asked for begins, and how long it is.
    at: u64,
    piece: u64,
    /// The piece that is under way.
    coming: Option<Coming>,
    has_all: bool,
    _held: Held,
}

/// A piece that is under way; given up with its holder.
struct Coming {
    range: Range<u64>,
    task: JoinHandle<Result<Bytes>>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("unit", &self.unit).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Lines {
    fn new(unit: Stretch, held: Held) -> Result<Self> {
        let file = &unit.file;
        let range = LineRange::new(unit.range.start, unit.range.end, file.planned.file.meta.size);
        let decoder = TextDecoder::new(
            Arc::clone(&file.options),
            file.compression,
            Arc::clone(&file.columns),
            Arc::clone(&file.wanted.schema),
            unit.execution.batch_size,
        );
        let shaper = Shaper::new(&file.wanted, &unit.execution).map_err(from_datafusion)?;
        let piece = if unit.execution.spec.is_limited { FIRST_PIECE } else { PIECE };
        let at = range.first_byte();
        Ok(Self { unit, decoder, range, shaper, at, piece, coming: None, has_all: false, _held: held })
    }

    /// Asks for the next piece, if there is one.
    fn ask(&mut self) {
        let size = self.unit.file.planned.file.meta.size;
        let end = self.at.saturating_add(self.piece).min(size);
        if self.coming.is_some() || self.at >= end {
            return;
        }
        let range = self.at..end;
        let (file, wanted) = (Arc::clone(&self.unit.file), range.clone());
        let task = tokio::spawn(async move { file.read(wanted).await });
        self.coming = Some(Coming { range, task });
        self.at = end;
        self.piece = (self.piece * 2).min(PIECE);
    }
}
