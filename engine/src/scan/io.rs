//! How one scan gets its bytes, and where they are reserved and counted.

use std::{ops::Range, sync::Arc, time::Duration};

use super::fetch::QueryFetch;
use crate::{
    accounting::{FileMeter, Meter, Refusal, Reservation, ScanMeter},
    error::{Error, ErrorKind, Result},
};

/// How long a read waits for others to give back what they reserved, when nothing of the query moves.
const PATIENCE: Duration = Duration::from_millis(100);

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

    /// Reserves bytes of table data, before they are asked for.
    ///
    /// A read for which there is no room waits for reads ahead of it that turn out to be needless. Their rows may be waited for only after its own: if
    /// nothing of the query moves any more, it is let through, one at a time.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(crate) async fn reserve(&self, bytes: u64) -> Result<Reservation> {
        let (allowance, in_flight) = (self.meter().allowance(), self.meter().in_flight());
        loop {
            let changed = allowance.changed();
            match allowance.reserve(bytes) {
                Ok(reservation) => return Ok(reservation),
                Err(Refusal::Never) => return Err(over_limit(self.meter())),
                Err(Refusal::Later) => {
                    let is_stuck = tokio::time::timeout(PATIENCE, changed).await.is_err() && in_flight.is_idle();
                    if is_stuck {
                        return Ok(allowance.force(bytes));
                    }
                }
            }
        }
    }
}

/// Counts ranges as table data that a decoder has got, out of what was reserved for it.
///
/// # Errors
/// `LimitExceeded` if the query may not scan that much.
pub(crate) fn consume(meter: &mut FileMeter, ranges: &[Range<u64>], reserved: &mut Reservation) -> Result<()> {
    if ranges.iter().all(|range| meter.consume_reserved(range, reserved)) { Ok(()) } else { Err(over_limit(meter.meter())) }
}

/// The error of a query that would consume more table data than it may.
fn over_limit(meter: &Meter) -> Error {
    let allowance = meter.allowance();
    if let Some(spent) = allowance.spent() {
        return spent.error();
    }
    let limit = allowance.limit().unwrap_or_default();
    Error::new(ErrorKind::LimitExceeded, format!("the query would scan more than its limit of {limit} bytes"))
        .with_hint("Filter by partition keys, select fewer columns, or raise the scan limit")
        .with_setting("session.max_scan")
}
