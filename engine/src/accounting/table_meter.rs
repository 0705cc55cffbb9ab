//! The counters of one query's scans of one table.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use glaux_catalog::TableName;

use super::{Scanned, TableUsage};

/// The counters of one table, for one query: of all scans of it together.
#[derive(Debug, Default)]
pub struct TableMeter {
    data_scanned: AtomicU64,
    metadata: AtomicU64,
    partitions_scanned: AtomicU64,
    partitions_total: AtomicU64,
    partitions_unknown: AtomicBool,
    files_scanned: AtomicU64,
    files_total: AtomicU64,
    row_groups_scanned: AtomicU64,
    row_groups_total: AtomicU64,
    has_partition_keys: AtomicBool,
    /// A scan of it was filtered by none of its partition keys.
    is_unfiltered: AtomicBool,
}

impl TableMeter {
    /// Bytes of footers, indexes, bloom filters and schema probes, as fetched.
    pub fn add_metadata(&self, bytes: u64) {
        self.metadata.fetch_add(bytes, Relaxed);
    }

    /// The partitions of one scan of a table with partition keys: those that survived pruning, of all it has (`None` where that is not
    /// enumerated), and whether a filter on a partition key took part in that.
    pub fn add_partitions(&self, scanned: u64, total: Option<u64>, is_filtered: bool) {
        self.partitions_scanned.fetch_add(scanned, Relaxed);
        match total {
            Some(total) => _ = self.partitions_total.fetch_add(total, Relaxed),
            None => self.partitions_unknown.store(true, Relaxed),
        }
        self.has_partition_keys.store(true, Relaxed);
        if !is_filtered {
            self.is_unfiltered.store(true, Relaxed);
        }
    }

    /// Files in the surviving partitions of one scan.
    pub fn add_files_total(&self, files: u64) {
        self.files_total.fetch_add(files, Relaxed);
    }

    /// Row groups of a file that a scan opened.
    pub(super) fn add_row_groups_total(&self, row_groups: u64) {
        self.row_groups_total.fetch_add(row_groups, Relaxed);
    }

    /// Table data that a decoder consumed.
    pub(super) fn add_data(&self, bytes: u64) {
        self.data_scanned.fetch_add(bytes, Relaxed);
    }

    /// A file of which a scan consumed something.
    pub(super) fn add_file(&self) {
        self.files_scanned.fetch_add(1, Relaxed);
    }

    /// A row group of which a scan consumed something.
    pub(super) fn add_row_group(&self) {
        self.row_groups_scanned.fetch_add(1, Relaxed);
    }

    /// The figures so far, under the table's name.
    pub(super) fn usage(&self, table: TableName) -> TableUsage {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let has_partition_keys = self.has_partition_keys.load(Relaxed);
        TableUsage {
            table,
            data_scanned_bytes: get(&self.data_scanned),
            metadata_bytes: get(&self.metadata),
            partitions: Scanned {
                scanned: get(&self.partitions_scanned),
                total: (!self.partitions_unknown.load(Relaxed)).then(|| get(&self.partitions_total)),
            },
            files: Scanned { scanned: get(&self.files_scanned), total: Some(get(&self.files_total)) },
            row_groups: Scanned { scanned: get(&self.row_groups_scanned), total: Some(get(&self.row_groups_total)) },
            has_partition_keys,
            is_partition_filtered: has_partition_keys && !self.is_unfiltered.load(Relaxed),
        }
    }
}
