//! How one scan gets its bytes, and where they are counted.

use std::{ops::Range, sync::Arc};

use super::fetch::QueryFetch;
use crate::{
    accounting::{FileMeter, Meter, ScanMeter},
    error::{Error, ErrorKind, Result},
};

/// What all files of a scan are read by, and counted on.
#[derive(Debug, Clone)]
pub(crate) struct ScanIo {
    pub fetch: QueryFetch,
    pub scan: Arc<ScanMeter>,
}

impl ScanIo {
    pub(crate) fn meter(&self) -> &Arc<Meter> {
        self.scan.meter()
    }

    /// Whether so many bytes of table data may still be read.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(crate) fn admit(&self, bytes: u64) -> Result<()> {
        if self.meter().admits(bytes) { Ok(()) } else { Err(over_limit(self.meter())) }
    }
}

/// Counts ranges as table data that a decoder has got.
///
/// # Errors
/// `LimitExceeded` if the query may not scan that much.
pub(crate) fn consume(meter: &mut FileMeter, ranges: &[Range<u64>]) -> Result<()> {
    if ranges.iter().all(|range| meter.consume(range)) { Ok(()) } else { Err(over_limit(meter.meter())) }
}

/// The error of a query that would consume more table data than it may.
fn over_limit(meter: &Meter) -> Error {
    let limit = meter.scan_limit().unwrap_or_default();
    Error::new(ErrorKind::LimitExceeded, format!("the query would scan more than its limit of {limit} bytes"))
        .with_hint("Filter by partition keys, select fewer columns, or raise the scan limit")
        .with_setting("session.max_scan")
}
