//! Details of a query's reads that are not billed: requested and cached bytes, what each kind of pruning skipped, and the time spent waiting and
//! decoding.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The means that leave a row group unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrunedBy {
    /// Minimum, maximum and nulls in the footer.
    Statistics,
    BloomFilter,
    /// None of its pages can hold a match.
    PageIndex,
    /// A bound that the query found while it ran: of a join, or of `ORDER BY ... LIMIT`.
    DynamicFilter,
    /// There were rows enough.
    Limit,
}

/// The counters behind [`ScanDetails`].
#[derive(Debug, Default)]
pub(crate) struct ScanCounters {
    asked: AtomicU64,
    cache_hits: AtomicU64,
    cached: AtomicU64,
    hedged: AtomicU64,
    footers_read: AtomicU64,
    footers_cached: AtomicU64,
    row_groups_pruned: [AtomicU64; 5],
    row_groups_late: AtomicU64,
    pages_total: AtomicU64,
    pages_pruned: AtomicU64,
    waiting_nanos: AtomicU64,
    decoding_nanos: AtomicU64,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl ScanCounters {
    /// Bytes that decoders and pruning wanted, wherever they come from.
    pub(crate) fn asked(&self, bytes: u64) {
        self.asked.fetch_add(bytes, Relaxed);
    }

    /// Ranges that the data cache held.
    pub(crate) fn cached(&self, ranges: u64, bytes: u64) {
        self.cache_hits.fetch_add(ranges, Relaxed);
        self.cached.fetch_add(bytes, Relaxed);
    }

    /// A request was sent a second time because it was late.
    pub(crate) fn hedged(&self) {
        self.hedged.fetch_add(1, Relaxed);
    }

    /// A footer came from its file, or was known.
    pub(crate) fn footer(&self, was_known: bool) {
        let counter = if was_known { &self.footers_cached } else { &self.footers_read };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn pruned(&self, by: PrunedBy, row_groups: u64) {
        self.row_groups_pruned[by as usize].fetch_add(row_groups, Relaxed);
    }

    /// A row group's filter columns were read before its other columns.
    pub(crate) fn late(&self) {
        self.row_groups_late.fetch_add(1, Relaxed);
    }

    /// Pages of filter columns that the page index told of, and those of them that cannot hold a match.
    pub(crate) fn pages(&self, total: u64, pruned: u64) {
        self.pages_total.fetch_add(total, Relaxed);
        self.pages_pruned.fetch_add(pruned, Relaxed);
    }

    /// Time in which a stream had nothing to decode.
    pub(crate) fn waiting(&self, time: Duration) {
        self.waiting_nanos.fetch_add(nanos(time), Relaxed);
    }

    /// Time spent on decoding, filtering and projecting.
    pub(crate) fn decoding(&self, time: Duration) {
        self.decoding_nanos.fetch_add(nanos(time), Relaxed);
    }

    #[must_use]
    pub(crate) fn snapshot(&self) -> ScanDetails {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let pruned = |by: PrunedBy| get(&self.row_groups_pruned[by as usize]);
        ScanDetails {
            asked_bytes: get(&self.asked),
            cache_hits: get(&self.cache_hits),
            cached_bytes: get(&self.cached),
            hedged_requests: get(&self.hedged),
            footers: Footers { read: get(&self.footers_read), known: get(&self.footers_cached) },
            row_groups_pruned: RowGroupsPruned {
                statistics: pruned(PrunedBy::Statistics),
                bloom_filter: pruned(PrunedBy::BloomFilter),
                page_index: pruned(PrunedBy::PageIndex),
                dynamic_filter: pruned(PrunedBy::DynamicFilter),
                limit: pruned(PrunedBy::Limit),
            },
            row_groups_late: get(&self.row_groups_late),
            pages: Pages { pruned: get(&self.pages_pruned), total: get(&self.pages_total) },
            waiting_ms: get(&self.waiting_nanos) / 1_000_000,
            decoding_ms: get(&self.decoding_nanos) / 1_000_000,
        }
    }
}

/// How the bytes of a query's scans were got. Times are of all streams together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanDetails {
    /// What decoders and pruning wanted; `fetched_bytes` has the gaps between them, retries and second requests as well, and not what was cached.
    pub asked_bytes: u64,
    /// Ranges that the data cache held, and their bytes.
    pub cache_hits: u64,
    pub cached_bytes: u64,
    /// Requests sent a second time because they were late.
    pub hedged_requests: u64,
    pub footers: Footers,
    pub row_groups_pruned: RowGroupsPruned,
    /// Row groups whose filter columns were read first.
    pub row_groups_late: u64,
    pub pages: Pages,
    pub waiting_ms: u64,
    pub decoding_ms: u64,
}

/// Footers that were read from their files, and those that were known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footers {
    pub read: u64,
    pub known: u64,
}

/// Row groups that were left unread, by what told that they could be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroupsPruned {
    pub statistics: u64,
    pub bloom_filter: u64,
    pub page_index: u64,
    pub dynamic_filter: u64,
    pub limit: u64,
}

/// Pages of filter columns in the row groups whose page index was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    pub pruned: u64,
    pub total: u64,
}
