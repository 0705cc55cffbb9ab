//! What the tables of one query need to list and read their files.

use std::sync::Arc;

use bytes::Bytes;
use glaux_catalog::TableName;

use super::listing::Listing;
use crate::{
    accounting::{Meter, ScanMeter},
    error::Result,
    formats::Footers,
    scan::{DataFile, QueryFetch, ScanIo},
    storage::QueryStores,
};

/// What a query's scans share.
#[derive(Debug, Clone)]
pub(crate) struct ScanContext {
    pub stores: Arc<QueryStores>,
    pub meter: Arc<Meter>,
    pub footers: Arc<Footers>,
    pub fetch: QueryFetch,
    pub listing: Listing,
    /// Listing requests in flight.
    pub listing_concurrency: usize,
}

impl ScanContext {
    /// How one scan of a table reads, and where it counts.
    pub(crate) fn io(&self, table: &TableName) -> ScanIo {
        ScanIo { fetch: self.fetch.clone(), scan: ScanMeter::of_table(Arc::clone(&self.meter), table) }
    }

    /// The same for files that belong to no table.
    pub(crate) fn io_of_no_table(&self) -> ScanIo {
        ScanIo { fetch: self.fetch.clone(), scan: ScanMeter::new(Arc::clone(&self.meter)) }
    }

    /// The first bytes of a file, at most so many, for who learns what lies in a lake: metadata for the bill.
    ///
    /// # Errors
    /// Those of the store, naming the file.
    pub(crate) async fn head(&self, file: &DataFile, bytes: u64) -> Result<Bytes> {
        let end = file.meta.size.min(bytes);
        self.meter.no_table().add_metadata(end);
        Ok(self.fetch.fetch(file, std::slice::from_ref(&(0..end))).await?.pop().unwrap_or_default())
    }
}
