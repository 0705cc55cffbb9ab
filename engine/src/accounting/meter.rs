//! The meter of one query: counters that only grow, written by readers of files, by the store stack and by listings.
//!
//! It is shared by `Arc` and read at any time. How much table data the query may scan is kept by its [`Allowance`], which is asked before a read
//! and again where bytes are consumed.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use glaux_catalog::discovery::RepairProgress;

use super::{Allowance, InFlight, ListingCounters, RequestKind, Requests, Reservation, ScanCounters, Scanned, Usage};

/// The counters of one query.
#[derive(Debug, Default)]
pub struct Meter {
    allowance: Arc<Allowance>,
    metadata: AtomicU64,
    fetched: AtomicU64,
    requests: [AtomicU64; 5],
    partitions_scanned: AtomicU64,
    partitions_total: AtomicU64,
    partitions_unknown: AtomicBool,
    files_scanned: AtomicU64,
    files_total: AtomicU64,
    row_groups_scanned: AtomicU64,
    row_groups_total: AtomicU64,
    rows: AtomicU64,
    listing_nanos: AtomicU64,
    scan: ScanCounters,
    listing: ListingCounters,
    repair: RepairProgress,
    in_flight: InFlight,
}

impl Meter {
    /// A meter that lets a query consume at most `scan_limit` bytes of table data.
    #[must_use]
    pub fn new(scan_limit: Option<u64>) -> Arc<Self> {
        let meter = Self::default();
        meter.allowance.set_limit(scan_limit);
        Arc::new(meter)
    }

    /// What the query may scan.
    #[must_use]
    pub fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
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

    /// An attempt of a request to a store.
    pub fn add_request(&self, kind: RequestKind) {
        self.requests[kind as usize].fetch_add(1, Relaxed);
    }

    /// Bytes of a response body as they arrive, or of a local read.
    pub fn add_fetched(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Relaxed);
    }

    /// Bytes of footers, indexes, bloom filters and schema probes, as fetched.
    pub fn add_metadata(&self, bytes: u64) {
        self.metadata.fetch_add(bytes, Relaxed);
    }

    /// The partitions of one scan of a table: those that survived pruning, of all it has (`None` where that is not enumerated).
    pub fn add_partitions(&self, scanned: u64, total: Option<u64>) {
        self.partitions_scanned.fetch_add(scanned, Relaxed);
        match total {
            Some(total) => _ = self.partitions_total.fetch_add(total, Relaxed),
            None => self.partitions_unknown.store(true, Relaxed),
        }
    }

    /// Files in the surviving partitions of one scan.
    pub fn add_files_total(&self, files: u64) {
        self.files_total.fetch_add(files, Relaxed);
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

    /// The figures so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let request = |kind: RequestKind| get(&self.requests[kind as usize]);
        Usage {
            data_scanned_bytes: self.allowance.scanned(),
            metadata_bytes: get(&self.metadata),
            fetched_bytes: get(&self.fetched),
            requests: Requests {
                get: request(RequestKind::Get),
                head: request(RequestKind::Head),
                list: request(RequestKind::List),
                put: request(RequestKind::Put),
                delete: request(RequestKind::Delete),
            },
            partitions: Scanned {
                scanned: get(&self.partitions_scanned),
                total: (!self.partitions_unknown.load(Relaxed)).then(|| get(&self.partitions_total)),
            },
            files: Scanned { scanned: get(&self.files_scanned), total: Some(get(&self.files_total)) },
            row_groups: Scanned { scanned: get(&self.row_groups_scanned), total: Some(get(&self.row_groups_total)) },
            rows: get(&self.rows),
        }
    }
}

/// One scan node of a query's plan; tells a file that is read by several streams from several files.
#[derive(Debug)]
pub struct ScanMeter {
    meter: Arc<Meter>,
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
    #[must_use]
    pub fn new(meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Self { meter, opened: Mutex::default(), scanned: Mutex::default() })
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
            self.scan.meter.row_groups_total.fetch_add(self.row_groups.len() as u64, Relaxed);
        }
    }

    /// How many bytes of these ranges would count: those that were not consumed before.
    #[must_use]
    pub fn fresh(&self, ranges: &[Range<u64>]) -> u64 {
        ranges.iter().map(|range| self.consumed.missing(range)).sum()
    }

    /// Counts a range of table data that is handed to a decoder; `false` if the query may not scan that much.
    #[must_use]
    pub fn consume(&mut self, range: &Range<u64>) -> bool {
        let mut none = Reservation::none(self.scan.meter.allowance());
        self.consume_reserved(range, &mut none)
    }

    /// The same, of what was reserved for it.
    #[must_use]
    pub fn consume_reserved(&mut self, range: &Range<u64>, reserved: &mut Reservation) -> bool {
        let fresh = self.consumed.insert(range.clone());
        if fresh == 0 {
            return true;
        }
        let meter = &self.scan.meter;
        if !meter.allowance.take(fresh, &mut reserved.bytes) {
            return false;
        }
        let mut scanned = self.scan.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        if !scanned.files.contains(&self.path) {
            scanned.files.insert(self.path.clone());
            meter.files_scanned.fetch_add(1, Relaxed);
        }
        for (at, (row_group, counted)) in self.row_groups.iter_mut().enumerate() {
            if !*counted && row_group.start < range.end && range.start < row_group.end {
                *counted = true;
                if scanned.row_groups.insert((self.path.clone(), at)) {
                    meter.row_groups_scanned.fetch_add(1, Relaxed);
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
struct RangeSet(std::collections::BTreeMap<u64, u64>);

impl RangeSet {
    /// How many bytes of a range are not in the set.
    fn missing(&self, range: &Range<u64>) -> u64 {
        let before = self.0.range(..=range.start).next_back();
        let within = self.0.range(range.start.saturating_add(1)..).take_while(|(start, _)| **start < range.end);
        let known = |(start, end): (&u64, &u64)| (*end).min(range.end).saturating_sub((*start).max(range.start));
        let known: u64 = before.into_iter().chain(within).map(known).sum();
        range.end.saturating_sub(range.start) - known
    }

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

    proptest! {
        #[test]
        fn a_range_set_counts_each_byte_once(ranges in prop::collection::vec((0_u64..200, 0_u64..40), 0..60)) {
            let (mut set, mut brute) = (RangeSet::default(), HashSet::new());
            for (start, length) in ranges {
                let before = brute.len();
                brute.extend(start..start + length);
                let fresh = (brute.len() - before) as u64;
                prop_assert_eq!(set.missing(&(start..start + length)), fresh);
                prop_assert_eq!(set.insert(start..start + length), fresh);
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
}
