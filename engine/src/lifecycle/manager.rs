//! Takes queries in, knows which run, lets so many run at a time, and ends those that somebody wants ended.
//!
//! It does not plan or execute: `run` does.

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    admission::Places,
    cancel::CancelReason,
    entry::Entry,
    guard::{QueryGuard, Received},
    history::{History, QueryRecord},
    observer::QueryObserver,
    registry::Registry,
    report::{QueryId, QueryReport, QueryState},
};
use crate::{
    accounting::{Tariff, Usage},
    clock::Clock,
    error::{Error, ErrorKind, Result},
    session::Session,
    sql,
};

/// A query that ended with an error, and what it used until then.
#[derive(Debug, Clone)]
pub struct Failure {
    pub error: Error,
    pub report: QueryReport,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

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
    tariff: Tariff,
    clock: Arc<dyn Clock>,
}

impl QueryManager {
    /// `max_concurrent_queries` is at least 1.
    #[must_use]
    pub fn new(history: Arc<History>, tariff: Tariff, max_concurrent_queries: usize, clock: Arc<dyn Clock>) -> Self {
        Self { registry: Registry::new(history, max_concurrent_queries), tariff, clock }
    }

    #[must_use]
    pub fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    #[must_use]
    pub fn history(&self) -> &Arc<History> {
        self.registry.history()
    }

    /// The places of statements that are planned.
    pub(crate) fn planning(&self) -> &Arc<Places> {
        self.registry.planning()
    }

    /// Tells this observer of every query that ends from now on. There is one at most.
    ///
    /// # Errors
    /// `AlreadyExists` if there is one.
    pub fn observe(&self, observer: Arc<dyn QueryObserver>) -> Result<()> {
        if self.registry.observe(observer) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::AlreadyExists, "the engine's queries are observed already").with_hint("Observe an engine once"))
    }

    /// Takes a statement in: from here on it is in the history, and its time runs.
    ///
    /// # Errors
    /// `LimitExceeded` while so many ends wait to be written to the history that none more is taken; the statement is in no history.
    #[expect(clippy::result_large_err, reason = "what ends a query carries its figures, everywhere")]
    pub fn receive(&self, session: &Session, sql: &str) -> Result<QueryGuard<Received>, Failure> {
        let mut options = session.options();
        // A limit that is too short for anything must not keep its own end from being set.
        if sql::only_sets(sql) {
            options.timeout = None;
        }
        let entry = Entry::new(options, sql, self.tariff, Arc::clone(&self.clock));
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

    /// Ends all queries of this process, which comes to its end.
    pub fn abort_all(&self) {
        for entry in self.registry.entries() {
            entry.cancel(CancelReason::Shutdown);
        }
    }

    /// Ends a query of this process, or asks the process that runs it to end it.
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
