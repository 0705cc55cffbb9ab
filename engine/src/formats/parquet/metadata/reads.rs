//! Reads of a file's metadata, which count as such.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::{
    accounting::ScanMeter,
    error::{Error, Result},
    scan::{DataFile, QueryFetch, ScanIo},
};

/// Bytes of a file that were read together, and where they begin.
pub(crate) type Buffer = Arc<OnceCell<(u64, Bytes)>>;

/// How one query reads a file's metadata: its bytes count as such.
#[derive(Debug, Clone)]
pub(crate) struct MetadataReads {
    pub fetch: QueryFetch,
    pub scan: Arc<ScanMeter>,
    /// For a small file, which is read whole as soon as anything of it is.
    pub whole: Option<Buffer>,
    /// For a quote: what is asked for beside the footer.
    pub noted: Option<Arc<Noted>>,
}

/// What is asked for of a file's metadata beside the footer.
#[derive(Debug)]
pub(crate) struct Noted {
    /// Whether what is not known is read; else it is done without.
    reads: bool,
    ranges: Mutex<Vec<Range<u64>>>,
    is_lacking: AtomicBool,
}

impl Noted {
    pub(crate) fn new(reads: bool) -> Arc<Self> {
        Arc::new(Self { reads, ranges: Mutex::default(), is_lacking: AtomicBool::new(false) })
    }

    /// What was asked for, each range once.
    pub(crate) fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ranges.sort_unstable_by_key(|range| (range.start, range.end));
        ranges.dedup();
        ranges
    }

    /// Whether any of it is not known, and was not read.
    pub(crate) fn is_lacking(&self) -> bool {
        self.is_lacking.load(Relaxed)
    }
}

impl MetadataReads {
    /// Those of a scan.
    pub(crate) fn of(io: &ScanIo) -> Self {
        Self { fetch: io.fetch.clone(), scan: Arc::clone(&io.scan), whole: None, noted: None }
    }

    /// Those of a quote.
    pub(crate) fn quoted(io: &ScanIo, noted: &Arc<Noted>) -> Self {
        Self { noted: Some(Arc::clone(noted)), ..Self::of(io) }
    }

    /// Whether what is not known is read.
    pub(super) fn may_fetch(&self) -> bool {
        self.noted.as_ref().is_none_or(|noted| noted.reads)
    }

    /// Notes what is asked for, if anybody wants to know.
    pub(super) fn note(&self, range: &Range<u64>) {
        if let Some(noted) = &self.noted {
            noted.ranges.lock().unwrap_or_else(PoisonError::into_inner).push(range.clone());
        }
    }

    /// Notes that something is done without.
    pub(super) fn lack(&self) {
        if let Some(noted) = &self.noted {
            noted.is_lacking.store(true, Relaxed);
        }
    }

    pub(super) async fn get(&self, file: &DataFile, range: Range<u64>) -> Result<Bytes> {
        self.scan.table().add_metadata(range.end - range.start);
        let fetch = async |range: Range<u64>| {
            Ok::<_, Error>(self.fetch.fetch(file, std::slice::from_ref(&range)).await?.pop().unwrap_or_default())
        };
        let Some(whole) = &self.whole else { return fetch(range).await };
        let (start, bytes) = whole.get_or_try_init(|| async { Ok::<_, Error>((0, fetch(0..file.meta.size).await?)) }).await?;
        let end = start + bytes.len() as u64;
        if *start <= range.start && range.end <= end {
            return Ok(bytes.slice((range.start - start) as usize..(range.end - start) as usize));
        }
        fetch(range).await
    }
}
