//! Why a query is stopped before its end, and the error that its user gets.

use super::limits::Limits;
use crate::{
    accounting::BudgetSpent,
    error::{Error, ErrorKind},
};

/// Why a query is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReason {
    /// Its user cancelled it.
    User,
    /// The client disconnected, or dropped the stream.
    Disconnected,
    /// Somebody else killed it: who.
    KilledBy(String),
    /// It took longer than its session or its workgroup allows.
    Timeout,
    /// Its next read would scan more than its session or its workgroup allows.
    ScanLimit,
    /// Its next read would cost more than this budget has left.
    Budget(BudgetSpent),
    /// The server that runs it shuts down.
    Shutdown,
}

impl CancelReason {
    /// Whether it needs more than it may scan. It then fails like any other query, and its requests in flight come to their end: the store counts
    /// them, and so do we.
    pub(super) const fn is_cut_off(&self) -> bool {
        matches!(self, Self::ScanLimit | Self::Budget(_))
    }

    /// The error of a query that was stopped for this reason, naming the limit where there is one.
    pub(crate) fn error(&self, limits: &Limits) -> Error {
        match self {
            Self::User => Error::new(ErrorKind::Cancelled, "the query was cancelled by its user"),
            Self::Disconnected => Error::new(ErrorKind::Cancelled, "the query was cancelled by its client"),
            Self::KilledBy(by) => Error::new(ErrorKind::Aborted, format!("the query was killed by \"{by}\"")),
            Self::Shutdown => Error::new(ErrorKind::Aborted, "the query was ended because its server shut down")
                .with_hint("Run it again when the server is back"),
            Self::Timeout => {
                let (limit, is_workgroups) = limits.timeout.map(|limit| (limit.value, limit.is_workgroups)).unwrap_or_default();
                let message = format!("the query took longer than its limit of {limit:?}");
                let error = Error::new(ErrorKind::TimedOut, message);
                match is_workgroups {
                    true => error.with_hint(of_workgroup("Filter by partition keys", limits, "timeout_ms")),
                    false => error.with_hint("Filter by partition keys, or raise the time limit").with_setting("session.timeout"),
                }
            }
            Self::ScanLimit => {
                let (limit, is_workgroups) = limits.max_scan.map(|limit| (limit.value, limit.is_workgroups)).unwrap_or_default();
                let message = format!("the query would scan more than its limit of {limit} bytes");
                let error = Error::new(ErrorKind::LimitExceeded, message);
                let how = "Filter by partition keys, or select fewer columns";
                match is_workgroups {
                    true => error.with_hint(of_workgroup(how, limits, "bytes_scanned_cutoff_per_query")),
                    false => error
                        .with_hint("Filter by partition keys, select fewer columns, or raise the scan limit")
                        .with_setting("session.max_scan"),
                }
            }
            Self::Budget(spent) => spent.error(),
        }
    }
}

/// What to do about a limit of a workgroup.
fn of_workgroup(how: &str, limits: &Limits, setting: &str) -> String {
    format!("{how}. The limit is {setting} of workgroup \"{}\", which an administrator can raise", limits.workgroup)
}
