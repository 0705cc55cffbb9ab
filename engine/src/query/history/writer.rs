//! The one thread that writes to the history, so that no query waits for another's transaction or for a disk it did not ask for.
//!
//! Jobs are run in the order they come in. All that wait are put into one transaction, so that a thousand short queries a second need
//! few commits. A commit goes to SQLite's write-ahead log without waiting for the disk (`synchronous = NORMAL`): whoever waits for a
//! job waits some tenths of a millisecond, and what was committed survives the death of the process. Against a loss of power, the
//! thread syncs the log (a passive checkpoint) as soon as it has been idle for a moment, and at the latest some seconds after a write.

use std::{
    fmt,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::schema::failed;
use crate::error::{Error, Result};

/// How long after the last write the log is synced.
const IDLE: Duration = Duration::from_millis(500);
/// How long after the first write the log is synced, however busy the thread is.
const OVERDUE: Duration = Duration::from_secs(5);
/// Jobs in one transaction.
const BATCH: usize = 256;

/// Told how the commit went.
type Done = Box<dyn FnOnce(&Result<()>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Done + Send>;

/// The handle of the thread. Dropping it waits until everything is written.
pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self> {
        let (jobs, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("glaux-history".to_owned())
            .spawn(move || run(&connection, &receiver))
            .map_err(|e| Error::internal("the thread of the query history cannot be started").with_source(e))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues a job now; the answer comes once it is committed, whether or not it is awaited.
    pub(super) fn call<T, F>(&self, job: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.queue(Box::new(move |connection| {
            let answer = job(connection);
            Box::new(move |commit| {
                let answer = commit.clone().and(answer);
                if let Err(Err(error)) = sender.send(answer) {
                    tracing::error!(%error, "the query history was not written");
                }
            })
        }));
        async move { receiver.await.map_err(|_| Error::internal("the thread of the query history has ended"))? }
    }

    fn queue(&self, job: Job) {
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            tracing::error!("the query history was not written: its thread has ended");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the query history panicked");
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

fn run(connection: &Connection, jobs: &Receiver<Job>) {
    let mut unsynced: Option<Instant> = None;
    loop {
        let next = match unsynced {
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => jobs.recv_timeout(IDLE.min(OVERDUE.saturating_sub(since.elapsed()))),
        };
        match next {
            Ok(first) => {
                let changes = connection.total_changes();
                commit(connection, std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)));
                if connection.total_changes() != changes {
                    unsynced.get_or_insert_with(Instant::now);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                checkpoint(connection);
                unsynced = None;
            }
            Err(RecvTimeoutError::Disconnected) => {
                if unsynced.is_some() {
                    checkpoint(connection);
                }
                return;
            }
        }
    }
}

fn commit(connection: &Connection, jobs: impl Iterator<Item = Job>) {
    let mut done = Vec::new();
    let outcome = match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
        Ok(transaction) => {
            done.extend(jobs.map(|job| job(&transaction)));
            transaction.commit()
        }
        Err(error) => {
            // Without a transaction each job meets the trouble by itself and says so.
            done.extend(jobs.map(|job| job(connection)));
            tracing::warn!(%error, "the query history is busy");
            Ok(())
        }
    };
    let outcome = outcome.map_err(|error| failed(&error));
    for done in done {
        done(&outcome);
    }
}

fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the query history could not be synced");
    }
}
