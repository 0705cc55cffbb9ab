//! The parts into which a format divides a split: units, each of which waits for its turn, is fetched as a whole or piece by piece, and produces
//! rows.

use std::fmt;

use arrow::array::RecordBatch;
use futures::future::BoxFuture;

use super::budget::Held;
use crate::error::Result;

/// A unit on its way to its first row.
pub(crate) type Opening = BoxFuture<'static, Result<Option<Box<dyn Rows>>>>;

/// A part of a split that is read by itself: a row group, or a stretch of lines. What it is asked here is known without reading it.
pub(crate) trait Unit: fmt::Debug + Send + Sync {
    /// The bytes that it will hold in memory while it is read, as far as can be told.
    fn bytes(&self) -> u64;

    /// The bytes of it that are in memory already.
    fn buffered(&self) -> u64 {
        0
    }

    /// The best leading sort key that it may hold, as `TopBound` has them; `None` if nothing is known.
    fn best_key(&self) -> Option<&[u8]> {
        None
    }

    /// Rows that are in the result whatever they hold.
    fn certain_rows(&self) -> u64 {
        0
    }

    /// Whether none of its rows passes the part of the filter that moves, as it is: `generation` says how often it has changed.
    fn fails_moving(&self, _generation: u64) -> bool {
        false
    }

    /// Gets what is needed before the first row; `None` if it turns out that there is none that is wanted. `held` is what was reserved for it.
    ///
    /// # Errors
    /// Those of fetching and decoding, naming the file.
    fn open(self: Box<Self>, held: Held) -> Opening;
}

/// The rows of a unit.
pub(crate) trait Rows: Send {
    fn unit(&self) -> &dyn Unit;

    /// Decodes on.
    ///
    /// # Errors
    /// Those of decoding, naming the file; `LimitExceeded` if the query may not scan that much.
    fn next(&mut self) -> Result<Next>;

    /// Waits for the bytes that [`Next::Fetch`] spoke of.
    ///
    /// # Errors
    /// Those of fetching, naming the file.
    fn fetch(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// What decoding came to.
#[derive(Debug)]
pub(crate) enum Next {
    /// Rows of the result; never none.
    Rows(RecordBatch),
    /// Bytes are needed: see [`Rows::fetch`].
    Fetch,
    End,
}
