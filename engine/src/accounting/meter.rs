//! The meter of one query: counters that only grow, written by readers of files, by the store stack and by listings. Requests and fetched bytes
//! are counted by store, what scans consume by table; the query's own figures are their sums.
//!
//! It is shared by `Arc` and read at any time. A byte budget (`--max-scan`) is checked where bytes are consumed, so that a query stops
//! before the read that would cross it.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use glaux_catalog::{TableName, discovery::RepairProgress};

use super::{InFlight, ListingCounters, ScanCounters, StoreMeter, StoreUsage, TableMeter, TableUsage, Usage, UsageDetail};

/// The counters of one query.
#[derive(Debug, Default)]
pub struct Meter {
    /// By the URL of the store's bucket or root.
    stores: Mutex<BTreeMap<String, Arc<StoreMeter>>>,
    tables: Mutex<BTreeMap<TableName, Arc<TableMeter>>>,
    /// Of files that belong to no table.
    no_table: Arc<TableMeter>,
    /// Table data that was taken of the budget.
    data_scanned: AtomicU64,
    rows: AtomicU64,
    listing_nanos: AtomicU64,
    scan_limit: Option<u64>,
    refused: AtomicBool,
    scan: ScanCounters,
    listing: ListingCounters,
    repair: RepairProgress,
    in_flight: InFlight,
}

impl Meter {
    /// A meter that lets a query consume at most `scan_limit` bytes of table data.
    #[must_use]
    pub fn new(scan_limit: Option<u64>) -> Arc<Self> {
        Arc::new(Self { scan_limit, ..Self::default() })
    }

    /// The budget of table data in bytes, if there is one.
    #[must_use]
    pub fn scan_limit(&self) -> Option<u64> {
        self.scan_limit
    }

    /// How the scans got their bytes.
    #[must_use]
    pub fn scan(&self) -> &ScanCounters {
        &self.scan
    }

    /// How the scans came to know their files.
    #[must_use]
    pub fn listing(&self) -> &ListingCounters {
        &self.listing
    }

    /// How far a repair is, if the query is one.
    #[must_use]
    pub fn repair(&self) -> &RepairProgress {
        &self.repair
    }

    /// The requests that are under way.
    #[must_use]
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// The counters of a store. Look them up once, and keep them for all its requests.
    #[must_use]
    pub fn store(&self, url: &str) -> Arc<StoreMeter> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        match stores.get(url) {
            Some(store) => Arc::clone(store),
            None => Arc::clone(stores.entry(url.to_owned()).or_default()),
        }
    }

    /// The counters of a table.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Arc<TableMeter> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(name.clone()).or_default())
    }

    /// The counters of files that belong to no table, such as those that a crawl looks at.
    #[must_use]
    pub fn no_table(&self) -> &Arc<TableMeter> {
        &self.no_table
    }

    /// Counts table data that is handed to a decoder, unless that would go over the budget.
    fn take(&self, bytes: u64) -> bool {
        let limit = self.scan_limit.unwrap_or(u64::MAX);
        let within = |scanned: u64| scanned.checked_add(bytes).filter(|scanned| *scanned <= limit);
        let taken = self.data_scanned.fetch_update(Relaxed, Relaxed, within).is_ok();
        if !taken {
            self.refused.store(true, Relaxed);
        }
        taken
    }

    /// Whether the budget allows that many more bytes of table data.
    #[must_use]
    pub fn admits(&self, bytes: u64) -> bool {
        self.scan_limit.is_none_or(|limit| self.data_scanned.load(Relaxed).saturating_add(bytes) <= limit)
    }

    /// Remembers that the query ends because of its budget.
    pub fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    /// Whether something was refused because of the budget.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        self.refused.load(Relaxed)
    }

    pub fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
    }

    /// Wall time that a scan spent on listing.
    pub fn add_listing_time(&self, time: Duration) {
        self.listing_nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    #[must_use]
    pub fn listing_time(&self) -> Duration {
        Duration::from_nanos(self.listing_nanos.load(Relaxed))
    }

    /// The figures so far, in all.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.detail().total
    }

    /// The figures so far: in all, by store and by table.
    #[must_use]
    pub fn detail(&self) -> UsageDetail {
        let stores: Vec<StoreUsage> = {
            let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
            let used = |usage: &StoreUsage| usage.requests.total() > 0 || usage.fetched_bytes > 0;
            stores.iter().map(|(url, store)| store.usage(url.clone())).filter(used).collect()
        };
        let tables: Vec<TableUsage> = {
            let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            tables.iter().map(|(name, table)| table.usage(name.clone())).collect()
        };
        let no_table = self.no_table.usage(TableName::new("", ""));
        let mut total = Usage {
            data_scanned_bytes: no_table.data_scanned_bytes,
            metadata_bytes: no_table.metadata_bytes,
            partitions: no_table.partitions,
            files: no_table.files,
            row_groups: no_table.row_groups,
            rows: self.rows.load(Relaxed),
            ..Usage::default()
        };
        for store in &stores {
            total.requests = total.requests + store.requests;
            total.fetched_bytes += store.fetched_bytes;
        }
        for table in &tables {
            total.data_scanned_bytes += table.data_scanned_bytes;
            total.metadata_bytes += table.metadata_bytes;
            total.partitions = total.partitions + table.partitions;
            total.files = total.files + table.files;
            total.row_groups = total.row_groups + table.row_groups;
        }
        UsageDetail { total, stores, tables }
    }
}

/// One scan node of a query's plan; tells a file that is read by several streams from several files.
#[derive(Debug)]
pub struct ScanMeter {
    meter: Arc<Meter>,
    table: Arc<TableMeter>,
    opened: Mutex<HashSet<String>>,
    scanned: Mutex<ScannedFiles>,
}

/// What data was consumed of, each counted once however often a recursive query runs the scan.
#[derive(Debug, Default)]
struct ScannedFiles {
    files: HashSet<String>,
    row_groups: HashSet<(String, usize)>,
}

impl ScanMeter {
    /// Of files that belong to no table.
    #[must_use]
    pub fn new(meter: Arc<Meter>) -> Arc<Self> {
        let table = Arc::clone(&meter.no_table);
        Arc::new(Self { meter, table, opened: Mutex::default(), scanned: Mutex::default() })
    }

    /// Of a table's files.
    #[must_use]
    pub fn of_table(meter: Arc<Meter>, table: &TableName) -> Arc<Self> {
        let table = meter.table(table);
        Arc::new(Self { meter, table, opened: Mutex::default(), scanned: Mutex::default() })
    }

    /// The counters of the table.
    #[must_use]
    pub fn table(&self) -> &TableMeter {
        &self.table
    }

    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// The meter of one opening of a file by one stream of one execution.
    #[must_use]
    pub fn file(self: &Arc<Self>, path: impl Into<String>) -> FileMeter {
        FileMeter { scan: Arc::clone(self), path: path.into(), row_groups: Vec::new(), consumed: RangeSet::default() }
    }
}

/// Counts what the decoders of one opened file consume: each byte once, however often it is asked for.
#[derive(Debug)]
pub struct FileMeter {
    scan: Arc<ScanMeter>,
    path: String,
    /// The byte range of each row group's data, and whether it was counted.
    row_groups: Vec<(Range<u64>, bool)>,
    consumed: RangeSet,
}

impl FileMeter {
    /// Tells where the row groups' data lie, once the footer is known.
    pub fn opened(&mut self, row_groups: impl IntoIterator<Item = Range<u64>>) {
        self.row_groups = row_groups.into_iter().map(|range| (range, false)).collect();
        let mut opened = self.scan.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.insert(self.path.clone()) {
            self.scan.table.add_row_groups_total(self.row_groups.len() as u64);
        }
    }

    /// Counts a range of table data that is handed to a decoder; `false` if the query's budget does not allow it.
    #[must_use]
    pub fn consume(&mut self, range: &Range<u64>) -> bool {
        let fresh = self.consumed.insert(range.clone());
        if fresh == 0 {
            return true;
        }
        if !self.scan.meter.take(fresh) {
            return false;
        }
        let table = &self.scan.table;
        table.add_data(fresh);
        let mut scanned = self.scan.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        if !scanned.files.contains(&self.path) {
            scanned.files.insert(self.path.clone());
            table.add_file();
        }
        for (at, (row_group, counted)) in self.row_groups.iter_mut().enumerate() {
            if !*counted && row_group.start < range.end && range.start < row_group.end {
                *counted = true;
                if scanned.row_groups.insert((self.path.clone(), at)) {
                    table.add_row_group();
                }
            }
        }
        true
    }

    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.scan.meter
    }
}

/// A set of bytes as disjoint ranges, in order.
#[derive(Debug, Default)]
struct RangeSet(BTreeMap<u64, u64>);

impl RangeSet {
    /// Adds a range; returns how many of its bytes were not in the set before.
    fn insert(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (mut start, mut end, mut known) = (range.start, range.end, 0);
        if let Some((&before, &before_end)) = self.0.range(..=start).next_back()
            && before_end >= start
        {
            known += before_end.min(end) - start;
            start = before;
            end = end.max(before_end);
        }
        while let Some((&next, &next_end)) = self.0.range(start + 1..=end).next() {
            known += next_end.min(range.end) - next.min(range.end);
            end = end.max(next_end);
            self.0.remove(&next);
        }
        self.0.insert(start, end);
        (range.end - range.start) - known
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::accounting::{RequestKind, Requests, Scanned};

    proptest! {
        #[test]
        fn a_range_set_counts_each_byte_once(ranges in prop::collection::vec((0_u64..200, 0_u64..40), 0..60)) {
            let (mut set, mut brute) = (RangeSet::default(), HashSet::new());
            for (start, length) in ranges {
                let before = brute.len();
                brute.extend(start..start + length);
                prop_assert_eq!(set.insert(start..start + length), (brute.len() - before) as u64);
            }
        }
    }

    #[test]
    fn a_file_read_by_two_streams_is_one_file() {
        let meter = Meter::new(None);
        let scan = ScanMeter::new(Arc::clone(&meter));
        for range in [4_u64..10, 10..30] {
            let mut file = scan.file("a.parquet");
            file.opened([4..10, 10..30]);
            assert!(file.consume(&range));
            assert!(file.consume(&range));
        }
        let usage = meter.usage();
        assert_eq!(usage.data_scanned_bytes, 26);
        assert_eq!((usage.files.scanned, usage.row_groups), (1, Scanned { scanned: 2, total: Some(2) }));
    }

    #[test]
    fn stores_and_tables_sum_to_the_query() {
        let meter = Meter::new(None);
        for (url, requests, bytes) in [("s3://b", 2, 30), ("file://", 1, 5), ("s3://b", 1, 7)] {
            let store = meter.store(url);
            (0..requests).for_each(|_| store.add_request(RequestKind::Get));
            store.add_request(RequestKind::List);
            store.add_fetched(bytes);
        }
        let (one, other) = (TableName::new("d", "one"), TableName::new("d", "other"));
        meter.table(&one).add_partitions(2, Some(9), true);
        meter.table(&one).add_files_total(4);
        // A second scan of it, which no partition key filters.
        meter.table(&one).add_partitions(9, Some(9), false);
        meter.table(&other).add_partitions(1, None, true);
        for (table, bytes) in [(&one, 10), (&one, 20), (&other, 5)] {
            assert!(ScanMeter::of_table(Arc::clone(&meter), table).file("a").consume(&(0..bytes)));
        }
        ScanMeter::of_table(Arc::clone(&meter), &other).table().add_metadata(3);
        meter.no_table().add_metadata(100);

        let UsageDetail { total, stores, tables } = meter.detail();
        let requests = |get, list| Requests { get, list, ..Requests::default() };
        let names: Vec<_> = stores.iter().map(|store| (store.store.as_str(), store.requests, store.fetched_bytes)).collect();
        assert_eq!(names, [("file://", requests(1, 1), 5), ("s3://b", requests(3, 2), 37)]);
        assert_eq!((total.requests, total.fetched_bytes), (requests(4, 3), 42));
        let figures: Vec<_> = tables.iter().map(|table| (&table.table, table.data_scanned_bytes, table.metadata_bytes)).collect();
        assert_eq!(figures, [(&one, 30, 0), (&other, 5, 3)]);
        assert_eq!((total.data_scanned_bytes, total.metadata_bytes), (35, 103));
        assert_eq!(tables[0].partitions, Scanned { scanned: 11, total: Some(18) });
        assert_eq!(total.partitions, Scanned { scanned: 12, total: None });
        assert_eq!(total.files, Scanned { scanned: 3, total: Some(4) });
        let filtered: Vec<_> = tables.iter().map(|table| (table.has_partition_keys, table.is_partition_filtered)).collect();
        assert_eq!(filtered, [(true, false), (true, true)]);
        assert_eq!(meter.usage(), total);
    }
}
