//! Finished queries that could not be written to the history. They are kept in memory until they can be written: a full disk loses none.
//!
//! How many wait is bounded by refusing new statements; the ends of queries that are running already are kept beyond that, since they are
//! few. The figures so far of running queries do not wait: their ends will supersede them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::record::QueryRecord;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of text that may wait, besides the number of queries: a statement may be long.
const MAX_TEXT: usize = 64 << 20;

/// How many queries wait to be written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Queries that have ended and are in no file yet.
    pub queries: usize,
    /// The last error of writing them.
    pub reason: String,
}

/// The records that wait. One thread writes them; all others only look.
#[derive(Debug)]
pub(super) struct Backlog {
    /// With this many, new statements are refused.
    max_queries: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Arc<QueryRecord>>,
    text: usize,
    reason: Option<Error>,
}

impl Backlog {
    pub(super) fn new(max_queries: usize) -> Self {
        Self { max_queries: max_queries.max(1), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().records.is_empty()
    }

    /// Keeps records that could not be written for this reason.
    pub(super) fn keep(&self, records: impl IntoIterator<Item = Arc<QueryRecord>>, reason: &Error) {
        let mut state = self.lock();
        let before = state.records.len();
        for record in records.into_iter().filter(|record| record.ended_at.is_some()) {
            state.text += record.statement.len() + record.normalized.as_ref().map_or(0, String::len);
            state.records.push_back(record);
        }
        state.reason = Some(reason.clone());
        if before == 0 && !state.records.is_empty() {
            tracing::error!(error = %reason, "the query history cannot be written: what ends waits in memory");
        }
    }

    /// The records that wait.
    pub(super) fn records(&self) -> Vec<Arc<QueryRecord>> {
        self.lock().records.iter().cloned().collect()
    }

    /// Why something waits, if something does.
    pub(super) fn reason(&self) -> Option<Error> {
        let state = self.lock();
        state.reason.clone().filter(|_| !state.records.is_empty())
    }

    /// All that waited is written.
    pub(super) fn clear(&self) {
        let written = std::mem::take(&mut *self.lock()).records.len();
        if written > 0 {
            tracing::warn!(queries = written, "the query history is written again, with all that waited");
        }
    }

    pub(super) fn waiting(&self) -> Option<Waiting> {
        let state = self.lock();
        let reason = state.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        (!state.records.is_empty()).then_some(Waiting { queries: state.records.len(), reason })
    }

    /// Whether there is room for the end of one more query.
    pub(super) fn check(&self) -> Result<()> {
        let state = self.lock();
        if state.records.len() < self.max_queries && state.text < MAX_TEXT {
            return Ok(());
        }
        let waiting = state.records.len();
        let message = format!("new statements are refused: {waiting} finished queries are not yet written to the query history");
        Err(Error::new(ErrorKind::LimitExceeded, message)
            .with_hint("Free space on the disk of the data directory, or make it writable again: the entries are then written")
            .with_context("reason", state.reason.as_ref().map(ToString::to_string).unwrap_or_default()))
    }
}
