//! Registers queries, knows which ones are running, and kills them on request.
//!
//! It does not plan or execute them.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    cancel::CancelReason,
    entry::Entry,
    guard::{QueryGuard, Received},
    history::{History, QueryRecord},
    observer::QueryObserver,
    registry::Registry,
    report::{Failure, QueryId, QueryState},
};
use crate::{
    accounting::{Tariff, Tariffs, Usage},
    clock::Clock,
    error::{Error, ErrorKind, Result},
    session::SessionOptions,
};

/// A query of this process that has not ended.
#[derive(Debug, Clone)]
pub struct RunningQuery {
    pub query_id: QueryId,
    pub user: String,
    pub workgroup: String,
    pub database: String,
    pub statement: String,
    /// `Queued` or `Running`.
    pub state: QueryState,
    pub submitted_at: DateTime<Utc>,
    /// The figures so far.
    pub usage: Usage,
    /// Since it came in, to the millisecond.
    pub elapsed: Duration,
}

/// All queries of one engine.
#[derive(Debug)]
pub struct QueryManager {
    registry: Arc<Registry>,
    tariffs: Tariffs,
    clock: Arc<dyn Clock>,
}

impl QueryManager {
    /// `max_concurrent_queries` is at least 1.
    #[must_use]
    pub fn new(history: Arc<History>, tariffs: Tariffs, max_concurrent_queries: usize, clock: Arc<dyn Clock>) -> Self {
        Self { registry: Registry::new(history, max_concurrent_queries), tariffs, clock }
    }

    /// The tariffs that there are.
    #[must_use]
    pub fn tariffs(&self) -> &Tariffs {
        &self.tariffs
    }

    /// The tariff by which queries are billed that come in now, where nothing names another.
    #[must_use]
    pub fn tariff(&self) -> Arc<Tariff> {
        self.tariffs.default_tariff()
    }

    #[must_use]
    pub fn history(&self) -> &Arc<History> {
        self.registry.history()
    }

    /// Reports every query that ends from now on to this observer. There is at most one.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one.
    pub fn observe(&self, observer: Arc<dyn QueryObserver>) -> Result<()> {
        if self.registry.observe(observer) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::AlreadyExists, "the engine already has an observer").with_hint("Set one observer only"))
    }

    /// Takes a statement in: from here on it is in the history, and its time runs. `session` is the session as it is now.
    ///
    /// # Errors
    /// `LimitExceeded` while too many queries that have ended wait to be written to the history; the statement is in no history then.
    #[expect(clippy::result_large_err, reason = "what ends a query carries its figures, everywhere")]
    pub fn receive(&self, session: SessionOptions, statement: &str) -> Result<QueryGuard<Received>, Failure> {
        let entry = Entry::new(session, statement, self.tariff(), Arc::clone(&self.clock));
        if let Err(error) = self.history().check_room() {
            entry.end(Some(&error));
            return Err(Failure { error, report: entry.report() });
        }
        self.registry.insert(Arc::clone(&entry));
        Ok(QueryGuard::new(entry, Arc::clone(&self.registry)))
    }

    /// The queries of this process that have not ended, oldest first.
    #[must_use]
    pub fn list_running(&self) -> Vec<RunningQuery> {
        let running = |record: QueryRecord| RunningQuery {
            query_id: record.query_id,
            user: record.user,
            workgroup: record.workgroup,
            database: record.database,
            statement: record.statement,
            state: record.state,
            submitted_at: record.submitted_at,
            usage: record.usage,
            elapsed: Duration::from_millis(record.timings.total),
        };
        self.running_records().into_iter().map(running).collect()
    }

    /// The same as the history would hold them now.
    #[must_use]
    pub fn running_records(&self) -> Vec<QueryRecord> {
        self.registry.entries().iter().map(|entry| entry.record()).collect()
    }

    /// Stops all queries of this process, which is shutting down.
    pub fn abort_all(&self) {
        for entry in self.registry.entries() {
            entry.cancel(CancelReason::Shutdown);
        }
    }

    /// Kills a query of this process, or asks the process that runs it to kill it.
    ///
    /// # Errors
    /// `NotFound`, naming the id, if no living process runs it.
    pub async fn kill(&self, id: QueryId, by: &str) -> Result<()> {
        match self.registry.get(id) {
            Some(entry) => {
                entry.cancel(CancelReason::KilledBy(by.to_owned()));
                Ok(())
            }
            None => self.history().request_kill(id, by).await,
        }
    }
}
