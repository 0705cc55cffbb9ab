//! Footers kept on disk, so that a restarted process reads none: one SQLite file, `footers.sqlite`, that several processes use at once.
//!
//! Gets read on blocking threads, all of a scan's files in one trip. Puts are queued, and written in batches by a thread of their own;
//! what comes faster than it writes is passed over. Every row carries a checksum; rows that do not match theirs are removed, and a file that
//! SQLite finds damaged is put aside and begun anew. What was used longest ago leaves when the capacity is reached.
//!
//! It is an attempt: it fails no query. It does not parse footers, nor keep parsed ones; that is the business of the cache in memory.

mod file;
mod footer;
mod row;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
};

use rusqlite::Connection;

pub(crate) use self::footer::{KeptFooter, KeptKey};
use self::{
    file::lock,
    row::Found,
    writer::{Job, Writer},
};
use crate::clock::Clock;

/// The footers kept on disk. Share it by `Arc`; dropping the last waits until everything is written.
#[derive(Debug)]
pub(crate) struct KeptFooters {
    /// Absent if the file could not be opened: nothing is kept then.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// Reads apart from the writer, who replaces it when a damaged file is begun anew.
    reader: Arc<Mutex<Connection>>,
    writer: Writer,
    clock: Arc<dyn Clock>,
}

impl KeptFooters {
    /// Opens `footers.sqlite` in a directory, and makes both if they do not exist. It never fails: what cannot be opened keeps nothing, and
    /// the log says so. The capacity is bytes of footers and indexes of all processes together; 0 keeps nothing.
    #[must_use]
    pub(crate) fn open(directory: &Path, capacity_bytes: u64, clock: Arc<dyn Clock>) -> Arc<Self> {
        let open = (capacity_bytes > 0).then(|| Open::new(directory, capacity_bytes, clock));
        let open = open.and_then(|open| {
            let tell = |error: &String| {
                let directory = directory.display();
                tracing::warn!(%error, %directory, "footers cannot be kept on disk: a restarted process reads them again");
            };
            open.inspect_err(tell).ok()
        });
        Arc::new(Self { open })
    }

    /// What is kept of a file.
    pub(crate) async fn get(&self, key: &KeptKey) -> Option<KeptFooter> {
        self.get_many(vec![key.clone()]).await.remove(key)
    }

    /// What is kept of some files, in one trip to the disk.
    pub(crate) async fn get_many(&self, keys: Vec<KeptKey>) -> HashMap<KeptKey, KeptFooter> {
        let Some(open) = self.open.as_ref().filter(|_| !keys.is_empty()) else { return HashMap::new() };
        let reader = Arc::clone(&open.reader);
        let now = hour(open.clock.as_ref());
        let read = move || row::read(&lock(&reader), keys, now);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(Found { footers, damaged, touched })) => {
                open.writer.queue(Job::Remove(damaged));
                open.writer.queue(Job::Touch { urls: touched, hour: now });
                footers
            }
            Ok(Err(error)) => {
                open.writer.failed(error);
                HashMap::new()
            }
            Err(_) => HashMap::new(),
        }
    }

    /// Keeps a footer; returns at once. It takes the place of what is kept of other versions of the file; indexes that are kept of this
    /// version stay if it has none.
    pub(crate) fn put(&self, key: KeptKey, footer: KeptFooter) {
        if let Some(open) = &self.open {
            open.writer.queue(Job::Put { key, footer, hour: hour(open.clock.as_ref()) });
        }
    }

    /// Waits until all that was put is written.
    pub(crate) async fn flush(&self) {
        if let Some(open) = &self.open {
            open.writer.flush().await;
        }
    }
}

impl Open {
    fn new(directory: &Path, capacity: u64, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let (connection, reader) = file::open(directory)?;
        let reader = Arc::new(Mutex::new(reader));
        let writer = Writer::start(directory, capacity, connection, Arc::clone(&reader)).map_err(|error| error.to_string())?;
        Ok(Self { reader, writer, clock })
    }
}

/// Uses are stamped by the hour, so that reading seldom writes.
fn hour(clock: &dyn Clock) -> i64 {
    clock.now().timestamp().div_euclid(3600)
}
