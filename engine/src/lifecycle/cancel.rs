//! Why a query is stopped before its end, how it is told, and what its user is told.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    entry::Entry,
    report::{QueryId, QueryReport},
};
use crate::error::{Error, ErrorKind};

/// Why a query is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReason {
    /// Whoever asked it does not want it any more.
    User,
    /// The client went away, or dropped the stream.
    Disconnected,
    /// Somebody else ended it: who.
    KilledBy(String),
    /// It took longer than its session allows.
    Timeout,
    /// Its next read would scan more than its session allows.
    ScanLimit,
    /// The server that runs it comes to its end.
    Shutdown,
}

impl CancelReason {
    /// The error of a query that was stopped for this reason, naming the limit where there is one.
    pub(crate) fn error(&self, timeout: Option<Duration>, scan_limit: Option<u64>) -> Error {
        match self {
            Self::User => Error::new(ErrorKind::Cancelled, "the query was cancelled by its user"),
            Self::Disconnected => Error::new(ErrorKind::Cancelled, "the query was given up by its client"),
            Self::KilledBy(by) => Error::new(ErrorKind::Aborted, format!("the query was killed by \"{by}\"")),
            Self::Shutdown => Error::new(ErrorKind::Aborted, "the query was ended by the end of its server")
                .with_hint("Run it again when the server is back"),
            Self::Timeout => Error::new(
                ErrorKind::TimedOut,
                format!("the query took longer than its limit of {:?}", timeout.unwrap_or_default()),
            )
            .with_hint("Narrow the query by its partitions, or raise the limit of time")
            .with_setting("session.timeout"),
            Self::ScanLimit => Error::new(
                ErrorKind::LimitExceeded,
                format!("the query would scan more than its limit of {} bytes", scan_limit.unwrap_or_default()),
            )
            .with_hint("Narrow the query by its partitions and columns, or raise the limit of bytes")
            .with_setting("session.max_scan"),
        }
    }
}

/// A handle that stops one query. It may outlive the query, and then does nothing.
#[derive(Clone)]
pub struct Canceller(pub(super) Arc<Entry>);

impl Canceller {
    #[must_use]
    pub fn id(&self) -> QueryId {
        self.0.id
    }

    /// Stops the query; the first reason counts. Returns whether it was still to be stopped.
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
