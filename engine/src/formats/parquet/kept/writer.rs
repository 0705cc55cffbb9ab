//! The one thread that writes kept footers, in transactions of all that waits, and the bounded queue before it.
//!
//! What fails is passed over, and the first failure is logged. Where SQLite finds the file damaged, the thread begins it anew, for itself
//! and for the readers of this process.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    file::{self, lock},
    footer::{KeptFooter, KeptKey},
    row::{self, Damaged},
};
use crate::{error::Result, worker::Worker};

/// Bytes that wait to be written at most.
const QUEUE_BYTES: u64 = 32 << 20;
/// What a queued job counts beside its bytes.
const JOB_BYTES: u64 = 512;
/// Jobs in one transaction.
const BATCH: usize = 512;
/// Free pages are given back to the disk when they are more than this part of the capacity.
const FREE_SHARE: u64 = 4;

#[derive(Debug)]
pub(super) enum Job {
    Put {
        key: KeptKey,
        footer: KeptFooter,
        hour: i64,
    },
    Touch {
        urls: Vec<String>,
        hour: i64,
    },
    Remove(Vec<Damaged>),
    /// A read failed.
    Failed(rusqlite::Error),
    Flush(oneshot::Sender<()>),
}

impl Job {
    /// Bytes of it that wait.
    fn load(&self) -> u64 {
        JOB_BYTES
            + match self {
                Self::Put { key, footer, .. } => {
                    let indexes = footer.indexes.as_ref().map_or(0, |(_, bytes)| bytes.len());
                    (key.url.len() + footer.bytes.len() + indexes) as u64
                }
                Self::Touch { urls, .. } => urls.iter().map(|url| url.len() as u64).sum(),
                Self::Remove(_) | Self::Failed(_) | Self::Flush(_) => 0,
            }
    }

    /// Whether there is nothing to do.
    fn is_empty(&self) -> bool {
        match self {
            Self::Touch { urls, .. } => urls.is_empty(),
            Self::Remove(rows) => rows.is_empty(),
            Self::Put { .. } | Self::Failed(_) | Self::Flush(_) => false,
        }
    }
}

/// The handle of the thread. Dropping it waits until everything is written.
#[derive(Debug)]
pub(super) struct Writer {
    worker: Worker<Job>,
    waiting: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(directory: &Path, capacity: u64, connection: Connection, reader: Arc<Mutex<Connection>>) -> Result<Self> {
        let waiting = Arc::new(AtomicU64::new(0));
        let scribe = Scribe {
            directory: directory.to_owned(),
            capacity,
            connection: Some(connection),
            reader,
            waiting: Arc::clone(&waiting),
            is_troubled: false,
        };
        let worker = Worker::start("glaux-footers", "the footer cache", move |jobs| scribe.run(jobs))?;
        Ok(Self { worker, waiting })
    }

    /// Queues a job, or passes over it if the queue is full.
    pub(super) fn queue(&self, job: Job) {
        let load = job.load();
        let admit = |waiting: u64| (waiting + load <= QUEUE_BYTES).then_some(waiting + load);
        if !job.is_empty() && self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit).is_ok() {
            self.worker.queue(job);
        }
    }

    /// Hands over why a read failed.
    pub(super) fn failed(&self, error: rusqlite::Error) {
        self.queue(Job::Failed(error));
    }

    /// Waits until all that was queued before is written.
    pub(super) async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Flush(sender);
        self.waiting.fetch_add(job.load(), Ordering::AcqRel);
        self.worker.queue(job);
        _ = receiver.await;
    }
}

/// What the thread has.
struct Scribe {
    directory: PathBuf,
    capacity: u64,
    /// Absent when a damaged file could not be begun anew.
    connection: Option<Connection>,
    reader: Arc<Mutex<Connection>>,
    waiting: Arc<AtomicU64>,
    is_troubled: bool,
}

impl Scribe {
    fn run(mut self, jobs: &Receiver<Job>) {
        // What an earlier process kept may be more than this one's capacity.
        self.attempt(|_, _| Ok(()));
        while let Ok(first) = jobs.recv() {
            let batch: Vec<Job> = std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)).collect();
            let load: u64 = batch.iter().map(Job::load).sum();
            let (mut failures, mut flushed, mut changes) = (Vec::new(), Vec::new(), Vec::new());
            for job in batch {
                match job {
                    Job::Failed(error) => failures.push(error),
                    Job::Flush(done) => flushed.push(done),
                    change => changes.push(change),
                }
            }
            for error in failures {
                self.trouble(&error);
            }
            if !changes.is_empty() {
                self.attempt(|connection, capacity| {
                    changes.iter().try_for_each(|change| carry_out(connection, change, capacity))
                });
            }
            drop(changes);
            self.waiting.fetch_sub(load, Ordering::AcqRel);
            for done in flushed {
                _ = done.send(());
            }
        }
    }

    /// Makes changes in one transaction, and keeps to the capacity; once more, if the file was damaged and begun anew.
    fn attempt(&mut self, changes: impl Fn(&Connection, u64) -> rusqlite::Result<()>) {
        for _ in 0..2 {
            let Some(connection) = &self.connection else { return };
            match commit(connection, self.capacity, &changes) {
                Err(error) if self.trouble(&error) => {}
                _ => return,
            }
        }
    }

    /// Logs the first failure, and begins a damaged file anew; tells whether it did.
    fn trouble(&mut self, error: &rusqlite::Error) -> bool {
        if !file::is_damage(error) || self.connection.is_none() {
            if !self.is_troubled {
                self.is_troubled = true;
                tracing::warn!(%error, directory = %self.directory.display(), "kept footers cannot be read or written");
            }
            return false;
        }
        self.connection = None;
        match file::begin_anew(&self.directory) {
            Ok((writer, reader)) => {
                self.connection = Some(writer);
                *lock(&self.reader) = reader;
            }
            Err(error) => {
                tracing::warn!(%error, directory = %self.directory.display(), "footers are no longer cached: the file is damaged");
            }
        }
        self.connection.is_some()
    }
}

fn commit(
    connection: &Connection,
    capacity: u64,
    changes: impl Fn(&Connection, u64) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    changes(&transaction, capacity)?;
    row::evict(&transaction, capacity)?;
    transaction.commit()?;
    let count = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    if count("PRAGMA freelist_count")?.saturating_mul(count("PRAGMA page_size")?) > capacity / FREE_SHARE {
        let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(())
}

fn carry_out(connection: &Connection, change: &Job, capacity: u64) -> rusqlite::Result<()> {
    match change {
        Job::Put { key, footer, hour } => row::put(connection, key, footer, *hour, capacity),
        Job::Touch { urls, hour } => row::touch(connection, urls, *hour),
        Job::Remove(rows) => row::remove(connection, rows),
        Job::Failed(_) | Job::Flush(_) => Ok(()),
    }
}
