//! The only way for scans to get bytes: from the data cache or from stores, with a fixed number of concurrent requests over all queries of the
//! process, in turns. Near ranges share a request where that is cheaper at the store's observed speed.
//!
//! A fetch is of one version of a file: a file that has changed since it was listed is an error, never other bytes. What is fetched, and how far
//! ahead, is the callers' to decide. Dropping a fetch keeps requests that were not sent from being sent.

mod pace;
mod request;
mod turns;

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use self::{
    pace::{LEAST_GAP, Pace},
    turns::Turns,
};
use super::file::DataFile;
use crate::{
    accounting::Meter,
    error::{Error, ErrorKind, Result},
    storage::{DataCache, ObjectVersion, RangePolicy, StorageOptions},
};

/// How scans ask stores for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchOptions {
    /// Requests in flight, of all queries together.
    pub requests: usize,
    /// Bytes that are read ahead of the decoders and held, by all queries together.
    pub read_ahead_bytes: u64,
    /// Whether a request that is slower than the 95th percentile is sent a second time; at most one of twenty is.
    pub hedge: bool,
    /// Whether the streams of a scan share its splits, whoever is free taking the next; else each reads those that the plan gave it.
    pub share_splits: bool,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { requests: 64, read_ahead_bytes: 64 << 20, hedge: false, share_splits: true }
    }
}

/// Requests, and the bytes that they bring, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FetchBound {
    pub requests: u64,
    pub bytes: u64,
}

impl std::ops::AddAssign for FetchBound {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

/// What the scans of all queries share.
#[derive(Debug)]
pub(crate) struct Fetcher {
    options: FetchOptions,
    policy: RangePolicy,
    turns: Turns,
    paces: Mutex<HashMap<Arc<str>, Arc<Pace>>>,
    cache: Option<Arc<DataCache>>,
    /// Scans that run: they share the bytes that may be read ahead.
    scans: Arc<()>,
}

impl Fetcher {
    #[must_use]
    pub(crate) fn new(options: FetchOptions, storage: &StorageOptions, cache: Option<Arc<DataCache>>) -> Arc<Self> {
        let turns = Turns::new(options.requests.max(1));
        Arc::new(Self { options, policy: storage.range_policy(), turns, paces: Mutex::default(), cache, scans: Arc::new(()) })
    }

    /// The requests of one query, which wait in a line of their own.
    #[must_use]
    pub(crate) fn for_query(this: &Arc<Self>, meter: Arc<Meter>) -> QueryFetch {
        QueryFetch { fetcher: Arc::clone(this), line: this.turns.line(), meter }
    }

    /// Requests in flight at most.
    pub(crate) fn requests(&self) -> usize {
        self.options.requests.max(1)
    }

    /// What fetching these ranges at once takes at most, whatever the pace of their store: the slower it is, the fewer requests bring the more bytes.
    /// Retries and second requests are not in it.
    pub(crate) fn at_most(&self, ranges: &[Range<u64>]) -> FetchBound {
        let requests = |gap: u64| RangePolicy { gap, ..self.policy }.requests(ranges);
        let bytes = requests(self.policy.gap).iter().map(|request| request.end - request.start).sum();
        FetchBound { requests: requests(self.policy.gap.min(LEAST_GAP)).len() as u64, bytes }
    }

    /// The same of so many bytes that lie in so many pieces at most, wherever these are.
    pub(crate) fn at_most_in(&self, bytes: u64, pieces: u64) -> FetchBound {
        FetchBound { requests: pieces + bytes / self.policy.max_request, bytes: bytes + RangePolicy::spare(bytes) }
    }

    /// Whether the streams of a scan share its splits.
    pub(crate) fn shares_splits(&self) -> bool {
        self.options.share_splits
    }

    /// Registers a scan, until the answer is dropped.
    pub(super) fn enter(&self) -> Arc<()> {
        Arc::clone(&self.scans)
    }

    /// What one of the scans that run may read ahead.
    pub(super) fn share(&self) -> u64 {
        let scans = Arc::strong_count(&self.scans).saturating_sub(1).max(1);
        self.options.read_ahead_bytes / scans as u64
    }

    fn pace(&self, store: &Arc<str>) -> Arc<Pace> {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(paces.entry(Arc::clone(store)).or_default())
    }
}

/// The fetches of one query.
#[derive(Debug, Clone)]
pub(crate) struct QueryFetch {
    fetcher: Arc<Fetcher>,
    line: u64,
    meter: Arc<Meter>,
}

impl QueryFetch {
    pub(crate) fn fetcher(&self) -> &Arc<Fetcher> {
        &self.fetcher
    }

    /// The bytes of `ranges` of a file, each whole, in the order asked.
    ///
    /// # Errors
    /// `Conflict` if the file has changed since it was listed, `NotFound` if it has gone, those of the store; all name the file.
    pub(crate) async fn fetch(&self, file: &DataFile, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.meter.scan().asked(ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum());
        let cache = self.fetcher.cache.as_ref().filter(|_| !file.is_local());
        let Some(cache) = cache else { return self.request(file, ranges, None).await };
        let version = file.version();
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            found.push(cache.get(&version, range.clone()).await);
        }
        let missing: Vec<_> =
            ranges.iter().zip(&found).filter(|(_, bytes)| bytes.is_none()).map(|(range, _)| range.clone()).collect();
        let held: Vec<u64> = found.iter().flatten().map(|bytes| bytes.len() as u64).collect();
        self.meter.scan().cached(held.len() as u64, held.iter().sum());
        let fetched = self.request(file, &missing, Some((cache, &version))).await?;
        let mut fetched = fetched.into_iter();
        Ok(found.into_iter().map(|bytes| bytes.or_else(|| fetched.next()).unwrap_or_default()).collect())
    }

    async fn request(
        &self,
        file: &DataFile,
        ranges: &[Range<u64>],
        cache: Option<(&Arc<DataCache>, &ObjectVersion)>,
    ) -> Result<Vec<Bytes>> {
        let pace = self.fetcher.pace(&file.store_url);
        let gap = pace.worthwhile_gap(self.fetcher.requests()).min(self.fetcher.policy.gap);
        let requests = RangePolicy { gap, ..self.fetcher.policy }.requests(ranges);
        // Places in the line are taken here, in order; the requests then go on by themselves while a decoder keeps this task busy.
        let running: Vec<_> = requests.iter().map(|range| self.spawn(file, range.clone(), &pace)).collect();
        let mut pieces = Vec::with_capacity(running.len());
        for (running, range) in running.into_iter().zip(&requests) {
            let piece = running.await?;
            if let Some((cache, version)) = cache {
                cache.put(version, range.start, piece.clone());
            }
            pieces.push(piece);
        }
        Ok(RangePolicy::assemble(ranges, &requests, &pieces))
    }

    fn spawn(&self, file: &DataFile, range: Range<u64>, pace: &Arc<Pace>) -> Running {
        let turn = self.fetcher.turns.take(self.line);
        let (file, pace, hedge, meter) = (file.clone(), Arc::clone(pace), self.fetcher.options.hedge, Arc::clone(&self.meter));
        let is_wanted = Arc::new(AtomicBool::new(true));
        let wanted = Arc::clone(&is_wanted);
        let task = tokio::spawn(async move {
            let _turn = turn.await;
            let flight = wanted.load(Relaxed).then(|| meter.in_flight().begin()).flatten();
            let Some(_flight) = flight else { return Err(given_up()) };
            let answer = async {
                if hedge {
                    return request::hedged(&file, range, &pace, &meter).await;
                }
                request::get(&file, range, &pace).await
            };
            tokio::select! {
                biased;
                () = meter.in_flight().aborted() => Err(given_up()),
                answer = answer => answer,
            }
        });
        Running { task, is_wanted }
    }
}

fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "a request was cancelled")
}

/// A request. If nobody waits for it any more it is not sent; if it was, it is let come to its end, since the store counts it as well, unless the
/// query is cancelled.
struct Running {
    task: JoinHandle<Result<Bytes>>,
    is_wanted: Arc<AtomicBool>,
}

impl Future for Running {
    type Output = Result<Bytes>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.task)
            .poll(context)
            .map(|ended| ended.unwrap_or_else(|error| Err(Error::internal("a request was cancelled").with_source(error))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.is_wanted.store(false, Relaxed);
    }
}
