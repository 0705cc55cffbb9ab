//! The figures of a query, by the names that the command line, the history and every protocol use: in all, by store and by table.

use std::ops::Add;

use glaux_catalog::TableName;
use serde::{Deserialize, Serialize};

/// How much of what there was has been scanned. `total` is absent where it is not known without enumerating.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    pub scanned: u64,
    pub total: Option<u64>,
}

impl Add for Scanned {
    type Output = Self;

    /// A total is known where both are.
    fn add(self, other: Self) -> Self {
        let total = self.total.zip(other.total).map(|(one, other)| one + other);
        Self { scanned: self.scanned + other.scanned, total }
    }
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

impl Add for Requests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            get: self.get + other.get,
            head: self.head + other.head,
            list: self.list + other.list,
            put: self.put + other.put,
            delete: self.delete + other.delete,
        }
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

/// The figures of one store. All stores of a query together have its requests and its fetched bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreUsage {
    /// The URL of its bucket or root: `s3://bucket`, `abfss://container@account.dfs.core.windows.net`, `file://`.
    pub store: String,
    pub requests: Requests,
    pub fetched_bytes: u64,
}

/// The figures of one table, of all scans of it together. All tables of a query together have its data scanned; metadata of files that belong
/// to no table, such as those that a crawl looks at, is in the query's figures alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUsage {
    pub table: TableName,
    pub data_scanned_bytes: u64,
    pub metadata_bytes: u64,
    pub partitions: Scanned,
    pub files: Scanned,
    pub row_groups: Scanned,
    pub has_partition_keys: bool,
    /// Whether each scan of a table with partition keys was filtered by one of them.
    pub is_partition_filtered: bool,
}

/// All figures of a query, from which its bill is made. Stores and tables are in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageDetail {
    pub total: Usage,
    pub stores: Vec<StoreUsage>,
    pub tables: Vec<TableUsage>,
}

impl UsageDetail {
    /// A scan of so many bytes, and nothing else.
    #[must_use]
    pub fn of_scan(data_scanned_bytes: u64) -> Self {
        Self { total: Usage { data_scanned_bytes, ..Usage::default() }, ..Self::default() }
    }
}
