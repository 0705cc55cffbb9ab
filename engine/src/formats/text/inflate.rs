//! One stream of deflated bytes, as zlib and gzip hold it.

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};

use crate::error::Error;

pub(super) fn corrupt(format: &str, what: &str) -> Error {
    Error::corrupt(format!("the file is not valid {format}: {what}"))
        .with_hint("Check that the file is complete, and that the extension of its name matches its compression")
}

/// One stream of deflated bytes.
pub(super) struct Inflate {
    decompress: Decompress,
    has_more: bool,
}

impl Inflate {
    pub(super) fn new(has_zlib_header: bool) -> Self {
        Self { decompress: Decompress::new(has_zlib_header), has_more: false }
    }

    /// Whether there may be text without more input.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// Adds up to `size` bytes to an empty piece, and returns whether this was the stream's end.
    pub(super) fn next(&mut self, input: &mut Bytes, piece: &mut Vec<u8>, size: usize) -> Result<bool, String> {
        piece.reserve(size);
        let before = self.decompress.total_in();
        let status = self.decompress.decompress_vec(input, piece, FlushDecompress::None).map_err(|error| error.to_string())?;
        let read = usize::try_from(self.decompress.total_in() - before).unwrap_or(input.len());
        input.advance(read);
        self.has_more = piece.len() == piece.capacity() && status != Status::StreamEnd;
        if read == 0 && piece.is_empty() && status != Status::StreamEnd && !input.is_empty() {
            return Err("its data are damaged".to_owned());
        }
        Ok(status == Status::StreamEnd)
    }
}
