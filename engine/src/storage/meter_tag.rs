//! The tag by which a request finds the meter of its query and store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::accounting::StoreMeter;

/// The meter of the query that makes a request, for the store that is asked, as it travels in the request's extensions. One operation has one
/// tag.
#[derive(Debug, Clone)]
pub(super) struct MeterTag {
    meter: Arc<StoreMeter>,
    failed_to_connect: Arc<AtomicU32>,
}

impl MeterTag {
    #[must_use]
    pub(super) fn new(meter: Arc<StoreMeter>) -> Self {
        Self { meter, failed_to_connect: Arc::default() }
    }

    #[must_use]
    pub(super) fn meter(&self) -> &Arc<StoreMeter> {
        &self.meter
    }

    /// Counts one more attempt of this operation that could not connect; returns how many there were.
    pub(super) fn failed_to_connect(&self) -> u32 {
        self.failed_to_connect.fetch_add(1, Relaxed) + 1
    }
}

tokio::task_local! {
    pub(super) static TAG: MeterTag;
}

/// The tag of the operation that is being polled, if it is one that carries none in its requests.
pub(super) fn current_tag() -> Option<MeterTag> {
    TAG.try_with(MeterTag::clone).ok()
}
