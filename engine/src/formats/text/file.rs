//! A text file that is being read, by one split or several.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{compression::Compression, options::TextOptions, row::TextColumn, shape::Wanted};
use crate::{
    accounting::{FileMeter, Reservation},
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

    /// Bytes of it, which are reserved before they are asked for. They count when the decoder gets them ([`OpenText::consume`]).
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much; those of fetching.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<(Bytes, Reservation)> {
        let ranges = std::slice::from_ref(&range);
        let fresh = self.meter.lock().unwrap_or_else(PoisonError::into_inner).fresh(ranges);
        let reservation = self.io.reserve(fresh).await?;
        Ok((self.io.fetch.fetch(&self.planned.file, ranges).await?.pop().unwrap_or_default(), reservation))
    }

    /// Counts a range as table data that the decoder has got, out of what was reserved for it.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(super) fn consume(&self, range: &Range<u64>, reserved: &mut Reservation) -> Result<()> {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        consume(&mut meter, std::slice::from_ref(range), reserved)
    }
}
