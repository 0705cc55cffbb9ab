//! A text file that is being read, by one split or several.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{compression::Compression, options::TextOptions, row::TextColumn, shape::Wanted};
use crate::{
    accounting::FileMeter,
    error::{Error, Result},
    scan::{PlannedFile, ScanIo, consume},
};

/// A text file that is being read.
#[derive(Debug)]
pub(super) struct OpenText {
    pub planned: Arc<PlannedFile>,
    pub io: ScanIo,
    pub options: Arc<TextOptions>,
    pub compression: Compression,
    pub wanted: Wanted,
    pub columns: Arc<[TextColumn]>,
    /// Of all its splits together: a line that begins in one and ends in the next counts once.
    pub meter: Mutex<FileMeter>,
}

impl OpenText {
    /// Gives an error the file's name, if it has none.
    pub(super) fn named(&self, error: Error) -> Error {
        let url = self.planned.file.url();
        if format!("{error:?}").contains(&url) { error } else { error.with_context("file", url) }
    }

    /// Bytes of it. They count when the decoder gets them ([`OpenText::consume`]).
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much; those of fetching.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.io.admit(range.end - range.start)?;
        Ok(self.io.fetch.fetch(&self.planned.file, std::slice::from_ref(&range)).await?.pop().unwrap_or_default())
    }

    /// Counts a range as table data that the decoder has got.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(super) fn consume(&self, range: &Range<u64>) -> Result<()> {
        consume(&mut self.meter.lock().unwrap_or_else(PoisonError::into_inner), std::slice::from_ref(range))
    }
}
