//! The one thread that writes to the history, so that no query waits for another's transaction or for the disk.
//!
//! Jobs run in the order they arrive. All that wait go into one transaction, so that a thousand short queries a second need few commits.
//! A commit goes to SQLite's write-ahead log without waiting for the disk (`synchronous = NORMAL`): whoever waits for a
//! job waits some tenths of a millisecond, and what was committed survives the death of the process. Against a loss of power, the
//! thread syncs the log (a passive checkpoint) as soon as it has been idle for a moment, and at the latest some seconds after a write.
//!
//! A file that was removed or replaced is an error, although SQLite would go on writing to it.
//!
//! Records that cannot be written wait in memory (`waiting`) and are tried again with the next job, or after a moment. Whoever waits for a
//! record is answered when it is committed, or waits in memory.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use glaux_catalog::same_file::SameFile;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{record::QueryRecord, retention::HistoryOptions, schema::failed, waiting::Backlog, write};
use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    worker::Worker,
};

/// How long after the last write the log is synced.
const IDLE: Duration = Duration::from_millis(500);
/// How long after the first write the log is synced, however busy the thread is.
const OVERDUE: Duration = Duration::from_secs(5);
/// When writing is tried again after it failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How soon, and how often, old queries are removed.
const FIRST_LOOK: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(3600);
/// Jobs in one transaction.
const BATCH: usize = 256;

/// Called with the outcome of the commit.
type Done = Box<dyn FnOnce(&Result<()>) + Send>;
type Call = Box<dyn FnOnce(&Connection) -> Done + Send>;

enum Job {
    /// A query as it stands; answered when it is written or waits to be.
    Put(Arc<QueryRecord>, oneshot::Sender<()>),
    Call(Call),
    /// A call before which the records that wait are written, even if that was tried a moment ago.
    Flush(Call),
}

/// What the thread owns.
pub(super) struct Means {
    pub(super) connection: Connection,
    /// The file that is written to; absent in memory.
    pub(super) file: Option<SameFile>,
    pub(super) instance: String,
    pub(super) backlog: Arc<Backlog>,
    pub(super) options: HistoryOptions,
    pub(super) clock: Arc<dyn Clock>,
}

/// The thread's handle. Dropping it waits until everything is written.
#[derive(Debug)]
pub(super) struct Writer(Worker<Job>);

impl Writer {
    pub(super) fn start(means: Means) -> Result<Self> {
        Worker::start("glaux-history", "the query history", move |jobs| means.run(jobs)).map(Self)
    }

    /// Queues a record now, whether or not the future is awaited; it is ready once the record is committed, or waits in memory.
    pub(super) fn put(&self, record: QueryRecord) -> impl Future<Output = Result<()>> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        self.queue(Job::Put(Arc::new(record), sender));
        async move { receiver.await.map_err(|_| ended()) }
    }

    /// Queues a job now, whether or not the future is awaited; it is ready once the job is committed.
    pub(super) fn call<T, F>(&self, job: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (call, answer) = called(job);
        self.queue(Job::Call(call));
        answer
    }

    /// Ready when all that was queued before, and all that waits, is committed.
    pub(super) fn flush(&self) -> impl Future<Output = Result<()>> + Send + use<> {
        let (call, answer) = called(|_| Ok(()));
        self.queue(Job::Flush(call));
        answer
    }

    fn queue(&self, job: Job) {
        if !self.0.queue(job) {
            tracing::error!("the query history was not written: its thread has ended");
        }
    }
}

/// A call, and its answer.
fn called<T, F>(job: F) -> (Call, impl Future<Output = Result<T>> + Send + use<T, F>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let call: Call = Box::new(move |connection| {
        let answer = job(connection);
        Box::new(move |commit| {
            let answer = commit.clone().and(answer);
            if let Err(Err(error)) = sender.send(answer) {
                tracing::error!(%error, "the query history was not written");
            }
        })
    });
    (call, async move { receiver.await.map_err(|_| ended())? })
}

fn ended() -> Error {
    Error::internal("the thread of the query history has ended")
}

impl Means {
    fn run(&self, jobs: &Receiver<Job>) {
        let mut unsynced: Option<Instant> = None;
        let mut look = Instant::now() + FIRST_LOOK;
        let mut has_looked = false;
        // When what could not be written is tried again.
        let mut again = Instant::now();
        loop {
            let patience = match unsynced {
                _ if !self.backlog.is_empty() => again.saturating_duration_since(Instant::now()),
                Some(since) => IDLE.min(OVERDUE.saturating_sub(since.elapsed())),
                None => look.saturating_duration_since(Instant::now()),
            };
            let changes = self.connection.total_changes();
            match jobs.recv_timeout(patience) {
                Ok(first) => {
                    let jobs = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)).collect();
                    self.commit(jobs, &mut again);
                }
                Err(RecvTimeoutError::Timeout) if !self.backlog.is_empty() => self.commit(VecDeque::new(), &mut again),
                Err(RecvTimeoutError::Timeout) => {
                    if unsynced.take().is_some() {
                        checkpoint(&self.connection);
                    } else if look <= Instant::now() {
                        has_looked = true;
                        look = if self.let_go() { Instant::now() } else { Instant::now() + LOOK };
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.finish(unsynced.is_some(), has_looked),
            }
            if self.connection.total_changes() != changes {
                unsynced.get_or_insert_with(Instant::now);
            }
        }
    }

    /// The last work, when the handle was dropped.
    fn finish(&self, unsynced: bool, has_looked: bool) {
        let changes = self.connection.total_changes();
        if !self.backlog.is_empty() {
            self.commit(VecDeque::new(), &mut Instant::now());
            for record in self.backlog.records() {
                // The log is the only place left for its bill.
                let (query_id, state, user) = (record.query_id, record.state, &record.user);
                let (scanned, billed) = (record.usage.data_scanned_bytes, record.bill.billed_bytes);
                tracing::error!(%query_id, %state, user, scanned, billed, "the end of a query is missing in the history");
            }
        }
        // Processes that live for one statement remove old queries too.
        if !has_looked {
            self.let_go();
        }
        if unsynced || self.connection.total_changes() != changes {
            checkpoint(&self.connection);
        }
    }

    /// One step of removing old queries; returns whether there may be more.
    fn let_go(&self) -> bool {
        self.options.step(&self.connection, self.clock.now()).unwrap_or_else(|error| {
            tracing::warn!(%error, "old queries cannot be taken out of the query history");
            false
        })
    }

    /// Runs jobs in one transaction, after the records that wait. If writing failed a moment ago, it is not tried yet.
    fn commit(&self, mut jobs: VecDeque<Job>, again: &mut Instant) {
        let (mut puts, mut calls) = (Vec::new(), Vec::new());
        let is_flushed = jobs.iter().any(|job| matches!(job, Job::Flush(_)));
        let outcome = match self.backlog.reason() {
            Some(reason) if Instant::now() < *again && !is_flushed => Err(reason),
            _ => {
                let outcome = self.write(&mut jobs, &mut puts, &mut calls);
                *again = Instant::now() + AGAIN;
                outcome
            }
        };
        match &outcome {
            Ok(()) => self.backlog.clear(),
            Err(error) => {
                let met = require_file(self.file.as_ref());
                // The jobs that did not run: calls run into the same error by themselves, except where the file has gone.
                for job in jobs {
                    match job {
                        Job::Put(record, sender) => puts.push((record, sender)),
                        Job::Call(call) => call(&self.connection)(&met),
                        Job::Flush(call) => call(&self.connection)(&outcome),
                    }
                }
                self.backlog.keep(puts.iter().map(|(record, _)| Arc::clone(record)), error);
            }
        }
        for (_, sender) in puts {
            // The receiver may have gone.
            _ = sender.send(());
        }
        for done in calls {
            done(&outcome);
        }
    }

    /// Runs jobs in one transaction, if the file is still there: SQLite goes on writing to one that was removed.
    fn write(
        &self,
        jobs: &mut VecDeque<Job>,
        puts: &mut Vec<(Arc<QueryRecord>, oneshot::Sender<()>)>,
        calls: &mut Vec<Done>,
    ) -> Result<()> {
        require_file(self.file.as_ref())?;
        self.transact(jobs, puts, calls).map_err(|error| failed(&error))?;
        require_file(self.file.as_ref())
    }

    fn transact(
        &self,
        jobs: &mut VecDeque<Job>,
        puts: &mut Vec<(Arc<QueryRecord>, oneshot::Sender<()>)>,
        calls: &mut Vec<Done>,
    ) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        for record in self.backlog.records() {
            self.put(&transaction, &record)?;
        }
        while let Some(job) = jobs.pop_front() {
            match job {
                Job::Put(record, sender) => {
                    puts.push((record, sender));
                    if let Some((record, _)) = puts.last() {
                        self.put(&transaction, record)?;
                    }
                }
                Job::Call(call) | Job::Flush(call) => calls.push(call(&transaction)),
            }
        }
        transaction.commit()
    }

    /// Writes a record. A record that can never be written is logged, so that it does not hold up others.
    fn put(&self, transaction: &Transaction<'_>, record: &QueryRecord) -> rusqlite::Result<()> {
        match write::put(transaction, &self.instance, record) {
            Err(error) if is_of_the_record(&error) => {
                let (query_id, billed) = (record.query_id, record.bill.billed_bytes);
                tracing::error!(%query_id, billed, %error, "a query cannot be written to the history");
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// # Errors
/// `Unavailable` if the file was removed, or another put in its place.
pub(super) fn require_file(file: Option<&SameFile>) -> Result<()> {
    let Some(file) = file.filter(|file| !file.is_there()) else { return Ok(()) };
    let message = format!("query history file \"{}\" was removed or replaced while it was open", file.path().display());
    Err(Error::new(ErrorKind::Unavailable, message)
        .with_hint("Put it back, or restart this process; entries that were not written yet are then lost"))
}

fn is_of_the_record(error: &rusqlite::Error) -> bool {
    let of_record = [ErrorCode::TooBig, ErrorCode::ConstraintViolation, ErrorCode::TypeMismatch, ErrorCode::ParameterOutOfRange];
    error.sqlite_error_code().is_none_or(|code| of_record.contains(&code))
}

fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the query history could not be synced");
    }
}
