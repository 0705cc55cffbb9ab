//! The history of a data directory's queries: one SQLite file, `history.sqlite`, that several processes write to at once.
//!
//! A query's beginning is queued and not waited for. Its end is committed before the end of its stream is reported, so that whoever has seen
//! a query end finds it in the history with its bill, whatever happens to the process then. That wait is a commit to the write-ahead
//! log and not a wait for the disk (see `writer`), so that a query of a millisecond does not wait ten for its history. While the file
//! cannot be written, ends wait in memory (`waiting`) and no query fails because of it; when too many wait, new queries are refused.
//!
//! A process that dies leaves queries behind that seem to run for ever. Whoever opens or reads the history next finds them by the lock that
//! the dead process no longer holds, and records that they were interrupted.
//!
//! It does not know what runs in this process: `manager` does.

mod columns;
mod instance;
mod read;
mod record;
mod retention;
mod scan;
mod schema;
mod spending;
#[cfg(test)]
mod tests;
mod waiting;
mod write;
mod writer;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
pub(crate) use columns::{Cell, HistoryColumn, HistoryTable, Kind};
use glaux_catalog::same_file::SameFile;
pub(crate) use record::{NumberBounds, TableTotal, TextBounds, UsageFilter, UsageTotal};
pub use record::{QueryFilter, QueryRecord, Quoted};
pub use retention::HistoryOptions;
use rusqlite::Connection;
pub(crate) use scan::{Next, Page, Scan, Sink};
pub(super) use spending::{Spending, WarningKey};
use uuid::Uuid;
pub use waiting::Waiting;

use self::{
    instance::{Dead, Instance},
    schema::failed,
    waiting::Backlog,
    writer::{Means, Writer},
};
use crate::{
    clock::{Clock, system_clock},
    data_dir::{HISTORY_FILE, RUN_DIRECTORY},
    error::{Error, Result},
    lifecycle::QueryId,
};

/// How long one process waits for another's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements that a connection keeps: those of one query that begins and ends, and some that read.
const STATEMENTS: usize = 64;
/// What is recorded of the queries of a process that died.
const DIED: &str = "the process ended before the query did";

/// The history. Share it by `Arc`; dropping the last waits until everything is written.
#[derive(Debug)]
pub struct History {
    writer: Writer,
    /// Ends that could not be written yet.
    backlog: Arc<Backlog>,
    /// Absent in memory.
    file: Option<SameFile>,
    /// Reads apart from the writer; absent in memory, where the writer's is the only connection.
    reader: Option<Arc<Mutex<Connection>>>,
    /// Of `run/`; absent in memory.
    folder: Option<PathBuf>,
    /// Dropped last, after everything is written.
    instance: Instance,
}

impl History {
    /// Opens the history of a data directory, and creates both if they do not exist.
    ///
    /// # Errors
    /// `Denied` or `Unavailable` for the directory, `Unsupported` for a file of a newer version, `CorruptData` for a damaged one.
    pub fn open(data_dir: &Path) -> Result<Self> {
        Self::open_with(data_dir, HistoryOptions::default(), system_clock())
    }

    /// The same, with what is kept and what time it is.
    ///
    /// # Errors
    /// As [`History::open`].
    pub fn open_with(data_dir: &Path, options: HistoryOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = data_dir.join(RUN_DIRECTORY);
        let instance = Instance::enter(&folder)?;
        let path = data_dir.join(HISTORY_FILE);
        let mut connection = connect(&path)?;
        let file = Some(SameFile::at(&path));
        schema::migrate(&mut connection)?;
        reap(&connection, &folder, instance.id())?;
        let reader = connect(&path)?;
        reader.pragma_update(None, "query_only", true).map_err(|e| failed(&e))?;
        let (writer, backlog) = start(connection, file.clone(), &instance, options, clock)?;
        Ok(Self { writer, backlog, file, reader: Some(Arc::new(Mutex::new(reader))), folder: Some(folder), instance })
    }

    /// A history that ends with the process.
    ///
    /// # Errors
    /// `Internal`.
    pub fn in_memory() -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(|e| failed(&e))?;
        schema::migrate(&mut connection)?;
        let instance = Instance::in_memory();
        let (writer, backlog) = start(connection, None, &instance, HistoryOptions::default(), system_clock())?;
        Ok(Self { writer, backlog, file: None, reader: None, folder: None, instance })
    }

    /// Whether other processes may use it too.
    #[must_use]
    pub(crate) fn is_shared(&self) -> bool {
        self.folder.is_some()
    }

    /// Records a query that was received. Queued, not waited for.
    pub fn begin(&self, record: QueryRecord) {
        drop(self.writer.put(record));
    }

    /// Records what a running query has used so far. Queued, not waited for; it never undoes an end that was recorded before.
    pub(crate) fn update_running(&self, record: QueryRecord) {
        drop(self.writer.put(record));
    }

    /// Records the end of a query: queued at once; when the future is ready it is committed, or waits in memory while the file cannot be
    /// written.
    ///
    /// # Errors
    /// `Internal` if the writer's thread has ended.
    pub fn end(&self, record: QueryRecord) -> impl Future<Output = Result<()>> + Send + use<> {
        self.writer.put(record)
    }

    /// The ends that wait to be written, if there are any.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.backlog.waiting()
    }

    /// Whether the file that was opened is still there.
    ///
    /// # Errors
    /// `Unavailable` if it was removed or replaced.
    pub fn check_file(&self) -> Result<()> {
        writer::require_file(self.file.as_ref())
    }

    /// Whether there is room for the end of one more query.
    ///
    /// # Errors
    /// `LimitExceeded`, with the reason why so many wait.
    pub(crate) fn check_room(&self) -> Result<()> {
        self.backlog.check()
    }

    /// The queries of all processes that the filter lets through, newest first.
    ///
    /// # Errors
    /// As of the file.
    pub async fn list(&self, filter: QueryFilter) -> Result<Vec<QueryRecord>> {
        self.settle().await;
        self.read(move |connection| read::list(connection, &filter)).await
    }

    /// The next page of one of the tables, of about `limit` rows, as values for a sink; before the first, what was queued is committed. `live` is
    /// what is known of queries that have not ended.
    ///
    /// # Errors
    /// As of the file.
    pub(crate) async fn scan<S: Sink + 'static>(
        &self,
        scan: Arc<Scan>,
        next: Option<Next>,
        limit: usize,
        live: HashMap<QueryId, QueryRecord>,
        mut sink: S,
    ) -> Result<(Page, S)> {
        if next.is_none() {
            self.settle().await;
        }
        self.read(move |connection| {
            let page = scan::page(connection, &scan, next, limit, &live, &mut sink).map_err(|error| failed(&error))?;
            Ok((page, sink))
        })
        .await
    }

    /// One query.
    ///
    /// # Errors
    /// `NotFound`, naming the id.
    pub async fn get(&self, id: QueryId) -> Result<QueryRecord> {
        self.settle().await;
        let found = self.read(move |connection| read::get(connection, id)).await?;
        found.ok_or_else(|| Error::not_found(format!("query \"{id}\" does not exist")))
    }

    /// The ended queries, including those that were removed, summed by day, user, workgroup and database.
    ///
    /// # Errors
    /// As of the file.
    pub(crate) async fn totals(&self, filter: UsageFilter) -> Result<Vec<UsageTotal>> {
        self.settle().await;
        self.read(move |connection| read::totals(connection, &filter)).await
    }

    /// The same of the tables that they read, summed by day, user, workgroup and table.
    ///
    /// # Errors
    /// As of the file.
    pub(crate) async fn table_totals(&self, filter: UsageFilter) -> Result<Vec<TableTotal>> {
        self.settle().await;
        self.read(move |connection| read::table_totals(connection, &filter)).await
    }

    /// Removes the ended queries that were submitted before a time, but for their sums; returns how many.
    ///
    /// # Errors
    /// As of the file.
    pub async fn prune(&self, older_than: DateTime<Utc>) -> Result<usize> {
        self.writer.call(move |connection| retention::forget(connection, older_than, usize::MAX).map_err(|e| failed(&e))).await
    }

    /// Asks the process that runs a query to kill it; it looks twice a second.
    ///
    /// # Errors
    /// `NotFound`, naming the id, if no living process runs it.
    pub(crate) async fn request_kill(&self, id: QueryId, by: &str) -> Result<()> {
        self.settle().await;
        let by = by.to_owned();
        let update = move |connection: &Connection| {
            let sql = "UPDATE queries SET kill_requested_by = ? WHERE query_id = ? AND ended_at IS NULL";
            connection.execute(sql, (by, id.0.into_bytes())).map_err(|e| failed(&e))
        };
        if self.writer.call(update).await? == 0 {
            return Err(not_running(id));
        }
        Ok(())
    }

    /// The queries of this process that somebody asked to kill, and who did.
    pub(super) async fn kill_requests(&self) -> Result<Vec<(QueryId, String)>> {
        let instance = self.instance.id().to_owned();
        let select = move |connection: &Connection| {
            let sql = "SELECT query_id, kill_requested_by FROM queries
                WHERE instance = ? AND ended_at IS NULL AND kill_requested_by IS NOT NULL";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([instance], |row| Ok((QueryId(Uuid::from_bytes(row.get(0)?)), row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.read(move |connection| select(connection).map_err(|e| failed(&e))).await
    }

    /// Waits until all that was queued, and all that waits, is committed.
    ///
    /// # Errors
    /// As of the file.
    pub async fn flush(&self) -> Result<()> {
        self.writer.flush().await
    }

    /// Commits what is queued, so that callers read what they wrote, and records the ends of dead processes' queries. If that cannot be
    /// written, the history can be read all the same.
    pub(super) async fn settle(&self) {
        let (folder, own) = (self.folder.clone(), self.instance.id().to_owned());
        let settled = self.writer.call(move |connection| folder.map_or(Ok(()), |folder| reap(connection, &folder, &own))).await;
        if let Err(error) = settled {
            tracing::debug!(%error, "the query history could not be refreshed: an older state is shown");
        }
    }

    async fn read<T: Send + 'static>(&self, job: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        let Some(reader) = self.reader.clone() else {
            return self.writer.call(job).await;
        };
        let job = move || job(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(job)
            .await
            .map_err(|e| Error::internal("reading the query history was interrupted").with_source(e))?
    }
}

/// The same error for queries that have ended, that never were, and that the caller may not kill.
pub(crate) fn not_running(id: QueryId) -> Error {
    Error::not_found(format!("query \"{id}\" is not running"))
        .with_hint("SELECT query_id FROM system.queries WHERE state = 'RUNNING' lists those that are")
}

fn start(
    connection: Connection,
    file: Option<SameFile>,
    instance: &Instance,
    options: HistoryOptions,
    clock: Arc<dyn Clock>,
) -> Result<(Writer, Arc<Backlog>)> {
    let backlog = Arc::new(Backlog::new(options.max_waiting));
    let instance = instance.id().to_owned();
    let means = Means { connection, file, instance, backlog: Arc::clone(&backlog), options, clock };
    Ok((Writer::start(means)?, backlog))
}

fn connect(path: &Path) -> Result<Connection> {
    // SQLite's own error is better.
    _ = glaux_catalog::private::create_database(path);
    let connection = Connection::open(path).map_err(|e| failed(&e).with_context("path", path.display().to_string()))?;
    let prepare = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Of a new file: removed queries give their pages back. If another process creates the file at this moment, it just keeps them.
        let pages = connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
        if pages.is_ok_and(|pages| pages == 0) {
            _ = connection.pragma_update(None, "auto_vacuum", "INCREMENTAL");
        }
        // SQLite does not wait for others while it switches a file to WAL: of two processes that create it, one may find it busy.
        let mut attempts = 0;
        while let Err(error) = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            attempts += 1;
            if error.sqlite_error_code() != Some(rusqlite::ErrorCode::DatabaseBusy) || attempts == 100 {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        connection.pragma_update(None, "synchronous", "NORMAL")
    };
    prepare().map_err(|e| failed(&e).with_context("path", path.display().to_string()))?;
    Ok(connection)
}

/// Records that the queries of dead processes were interrupted.
fn reap(connection: &Connection, folder: &Path, own: &str) -> Result<()> {
    let others = "SELECT DISTINCT instance FROM queries WHERE ended_at IS NULL AND instance <> ?";
    let run = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(others)?;
        let instances: Vec<String> = statement.query_map([own], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for instance in instances {
            if let Some(_dead) = Dead::find(folder, &instance) {
                write::interrupt(connection, &instance, DIED)?;
            }
        }
        Ok(())
    };
    run().map_err(|e| failed(&e))
}
