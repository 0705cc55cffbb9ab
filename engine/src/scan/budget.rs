//! The memory that a scan may use to read ahead.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use datafusion::execution::{
    TaskContext,
    memory_pool::{MemoryConsumer, MemoryReservation},
};

/// The bytes that an execution's units hold, reserved of the query's memory.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    /// Units that have ended.
    finished: AtomicUsize,
    reservation: MemoryReservation,
}

impl Budget {
    pub(super) fn new(context: &TaskContext) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicU64::new(0),
            finished: AtomicUsize::new(0),
            reservation: MemoryConsumer::new("scan").register(context.memory_pool()),
        })
    }

    /// Units that have ended so far.
    pub(super) fn finished(&self) -> usize {
        self.finished.load(Relaxed)
    }

    /// Reserves the bytes that a unit will hold, `share` at most in all. `None` if there is no room, unless it `must`.
    pub(super) fn hold(self: &Arc<Self>, bytes: u64, share: u64, must: bool) -> Option<Held> {
        if !must && self.held.load(Relaxed) + bytes > share {
            return None;
        }
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        if self.reservation.try_grow(size).is_err() {
            if !must {
                return None;
            }
            self.reservation.grow(size);
        }
        self.held.fetch_add(bytes, Relaxed);
        Some(Held { budget: Arc::clone(self), bytes })
    }
}

/// Bytes that are reserved for a unit until this is dropped, which is its end.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Held {
    /// Takes more, whether or not there is room: so that nothing else begins.
    pub(crate) fn grow(&mut self, bytes: u64) {
        self.budget.reservation.grow(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.budget.held.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }

    /// The bytes that are held.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.finished.fetch_add(1, Relaxed);
        self.budget.held.fetch_sub(self.bytes, Relaxed);
        self.budget.reservation.shrink(usize::try_from(self.bytes).unwrap_or(usize::MAX));
    }
}
