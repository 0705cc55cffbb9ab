//! The hook for metrics, traces and logs, which the engine itself does not know: an observer is called for every query that ends.

use std::fmt;

use super::history::QueryRecord;

/// Is called as queries end, in the middle of ending them: it must be quick, must not block, and must not panic.
pub trait QueryObserver: fmt::Debug + Send + Sync {
    /// The query has ended, with these figures. Called once a query, before the end is in the history.
    fn ended(&self, record: &QueryRecord);
}
