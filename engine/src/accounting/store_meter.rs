//! The counters of one query's use of one store: its requests and the bytes that it fetched. Whatever makes requests holds those of its store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{RequestKind, Requests, StoreUsage};

/// The counters of one store, for one query.
#[derive(Debug, Default)]
pub struct StoreMeter {
    fetched: AtomicU64,
    requests: [AtomicU64; 5],
}

impl StoreMeter {
    /// An attempt of a request to the store.
    pub fn add_request(&self, kind: RequestKind) {
        self.requests[kind as usize].fetch_add(1, Relaxed);
    }

    /// Bytes of a response body as they arrive, or of a local read.
    pub fn add_fetched(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Relaxed);
    }

    /// The figures so far, under the store's name.
    pub(super) fn usage(&self, store: String) -> StoreUsage {
        let request = |kind: RequestKind| self.requests[kind as usize].load(Relaxed);
        StoreUsage {
            store,
            requests: Requests {
                get: request(RequestKind::Get),
                head: request(RequestKind::Head),
                list: request(RequestKind::List),
                put: request(RequestKind::Put),
                delete: request(RequestKind::Delete),
            },
            fetched_bytes: self.fetched.load(Relaxed),
        }
    }
}
