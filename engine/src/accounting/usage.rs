//! The figures of a query, by the names that the command line, the history and every protocol use.

use serde::{Deserialize, Serialize};

/// How much of what there was has been scanned. `total` is absent where it is not known without enumerating.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    pub scanned: u64,
    pub total: Option<u64>,
}

/// HTTP attempts by kind; for local files, the operations that would be requests on an object store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    pub get: u64,
    pub head: u64,
    pub list: u64,
    pub put: u64,
    pub delete: u64,
}

impl Requests {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.get + self.head + self.list + self.put + self.delete
    }
}

/// Milliseconds of a query's life. `listing` is wall time apart from `planning`; `total` is from submission to the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    pub queued: u64,
    pub planning: u64,
    pub listing: u64,
    pub execution: u64,
    pub total: u64,
}

/// A snapshot of a query's [`super::Meter`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of table data that the decoders consumed, as compressed at rest. This is what is billed.
    pub data_scanned_bytes: u64,
    /// Bytes of footers, page indexes and bloom filters, as fetched; 0 when cached.
    pub metadata_bytes: u64,
    /// Bytes of all response bodies; for local files, of all reads.
    pub fetched_bytes: u64,
    pub requests: Requests,
    pub partitions: Scanned,
    pub files: Scanned,
    pub row_groups: Scanned,
    /// Rows in the result.
    pub rows: u64,
}
