//! How a query's scans found their files: by which policy, from which source, and how old that information was.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The counters behind [`ListingDetails`].
#[derive(Debug, Default)]
pub(crate) struct ListingCounters {
    live: AtomicU64,
    kept: AtomicU64,
    snapshot: AtomicU64,
    /// The policies of the scans, and the age of the oldest listing.
    told: Mutex<(Option<&'static str>, Option<DateTime<Utc>>)>,
}

impl ListingCounters {
    /// A scan goes by this policy: `live`, `ttl` or `snapshot`.
    pub(crate) fn policy(&self, policy: &'static str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0 = Some(match told.0 {
            Some(other) if other != policy => "mixed",
            _ => policy,
        });
    }

    /// Partitions (or whole tables without partitions) whose files were listed for this query.
    pub(crate) fn live(&self, partitions: u64) {
        self.live.fetch_add(partitions, Relaxed);
    }

    /// Partitions whose files were known from an earlier query of this process, listed at that time.
    pub(crate) fn kept(&self, partitions: u64, listed_at: DateTime<Utc>) {
        self.kept.fetch_add(partitions, Relaxed);
        self.as_of(listed_at);
    }

    /// Partitions whose files the catalog's snapshot told, as they were at that time.
    pub(crate) fn snapshot(&self, partitions: u64, taken_at: DateTime<Utc>) {
        self.snapshot.fetch_add(partitions, Relaxed);
        self.as_of(taken_at);
    }

    fn as_of(&self, at: DateTime<Utc>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.1 = Some(told.1.map_or(at, |before| before.min(at)));
    }

    /// The figures so far; nothing where nothing was scanned.
    #[must_use]
    pub(crate) fn snapshot_of(&self) -> Option<ListingDetails> {
        let (policy, as_of) = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let details = |policy| ListingDetails {
            policy,
            live: get(&self.live),
            kept: get(&self.kept),
            snapshot: get(&self.snapshot),
            as_of,
        };
        policy.map(details)
    }
}

/// How a query came to know its files. Counts are of partitions, and of tables without partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListingDetails {
    /// `live`, `ttl`, `snapshot`, or `mixed` where tables differ.
    pub policy: &'static str,
    /// Listed for this query.
    pub live: u64,
    /// Listed for an earlier query of this process.
    pub kept: u64,
    /// Classified by the catalog's snapshot.
    pub snapshot: u64,
    /// When the oldest of what was not listed for this query was listed.
    pub as_of: Option<DateTime<Utc>>,
}
