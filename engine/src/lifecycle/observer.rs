//! Whoever wants to hear of every query that ends: metrics, traces, logs. The engine knows none of them; it only tells.

use std::fmt;

use super::history::QueryRecord;

/// Hears of queries as they end. It is called in the middle of ending a query, so it must be quick, must not block, and must not panic.
pub trait QueryObserver: fmt::Debug + Send + Sync {
    /// The query has ended, with these figures. Called once a query, before the end is in the history.
    fn ended(&self, record: &QueryRecord);
}
