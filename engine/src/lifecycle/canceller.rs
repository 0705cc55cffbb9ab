//! A handle to cancel a query and to read its figures.

use std::{fmt, sync::Arc};

use super::{
    cancel::CancelReason,
    entry::Entry,
    report::{QueryId, QueryReport},
};

/// A handle that stops one query. It may outlive the query, and then does nothing.
#[derive(Clone)]
pub struct Canceller(Arc<Entry>);

impl Canceller {
    pub(super) fn new(entry: &Arc<Entry>) -> Self {
        Self(Arc::clone(entry))
    }

    #[must_use]
    pub fn id(&self) -> QueryId {
        self.0.id
    }

    /// Stops the query; the first reason counts. Returns whether this stopped it: `false` if it has ended, or was stopped before.
    pub fn cancel(&self, reason: CancelReason) -> bool {
        self.0.cancel(reason)
    }

    /// The query's figures so far, or at its end.
    #[must_use]
    pub fn report(&self) -> QueryReport {
        self.0.report()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Canceller").field(&self.0.id).finish()
    }
}
