//! Why a query is stopped before its end, and the error that its user gets.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// Why a query is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReason {
    /// Its user cancelled it.
    User,
    /// The client disconnected, or dropped the stream.
    Disconnected,
    /// Somebody else killed it: who.
    KilledBy(String),
    /// It took longer than its session allows.
    Timeout,
    /// Its next read would scan more than its session allows.
    ScanLimit,
    /// The server that runs it shuts down.
    Shutdown,
}

impl CancelReason {
    /// The error of a query that was stopped for this reason, naming the limit where there is one.
    pub(crate) fn error(&self, timeout: Option<Duration>, scan_limit: Option<u64>) -> Error {
        match self {
            Self::User => Error::new(ErrorKind::Cancelled, "the query was cancelled by its user"),
            Self::Disconnected => Error::new(ErrorKind::Cancelled, "the query was cancelled by its client"),
            Self::KilledBy(by) => Error::new(ErrorKind::Aborted, format!("the query was killed by \"{by}\"")),
            Self::Shutdown => Error::new(ErrorKind::Aborted, "the query was ended because its server shut down")
                .with_hint("Run it again when the server is back"),
            Self::Timeout => Error::new(
                ErrorKind::TimedOut,
                format!("the query took longer than its limit of {:?}", timeout.unwrap_or_default()),
            )
            .with_hint("Filter by partition keys, or raise the time limit")
            .with_setting("session.timeout"),
            Self::ScanLimit => Error::new(
                ErrorKind::LimitExceeded,
                format!("the query would scan more than its limit of {} bytes", scan_limit.unwrap_or_default()),
            )
            .with_hint("Filter by partition keys, select fewer columns, or raise the scan limit")
            .with_setting("session.max_scan"),
        }
    }
}
