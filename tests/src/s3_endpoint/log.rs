//! What the server was asked, in the order in which it arrived.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use glaux_engine::accounting::RequestKind;

use super::lock;

/// One request, as it was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub kind: RequestKind,
    pub method: String,
    pub bucket: String,
    /// Decoded; empty for requests to the bucket itself.
    pub key: String,
    /// The header, such as `bytes=0-9`.
    pub range: Option<String>,
    /// Of a listing.
    pub prefix: Option<String>,
    /// 0 while there is no answer, or when there was none.
    pub status: u16,
    /// Bytes of the body as they were handed to the connection.
    pub bytes_sent: u64,
}

/// The entry of a request that is being answered.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    request: Arc<Request>,
    status: Arc<AtomicU16>,
    pub(super) bytes_sent: Arc<AtomicU64>,
}

impl Entry {
    pub(super) fn answered(&self, status: u16) {
        self.status.store(status, SeqCst);
    }
}

/// How many requests are being answered, and how many were at most.
#[derive(Debug, Default)]
pub(super) struct Depth {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Depth {
    pub(super) fn enter(self: &Arc<Self>) -> Underway {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        Underway(Arc::clone(self))
    }

    pub(super) fn now(&self) -> usize {
        self.now.load(SeqCst)
    }

    /// The most since the last call.
    pub(super) fn take_most(&self) -> usize {
        self.most.swap(self.now(), SeqCst)
    }
}

/// A request that is being answered, until its body has been handed over or given up.
#[derive(Debug)]
pub(super) struct Underway(Arc<Depth>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<Entry>>);

impl Log {
    pub(super) fn arrived(&self, request: Request) -> Entry {
        let entry = Entry { request: Arc::new(request), status: Arc::default(), bytes_sent: Arc::default() };
        lock(&self.0).push(entry.clone());
        entry
    }

    pub(super) fn take(&self) -> Vec<Request> {
        let entries = std::mem::take(&mut *lock(&self.0));
        let finish = |entry: Entry| Request {
            status: entry.status.load(SeqCst),
            bytes_sent: entry.bytes_sent.load(SeqCst),
            ..entry.request.as_ref().clone()
        };
        entries.into_iter().map(finish).collect()
    }
}
