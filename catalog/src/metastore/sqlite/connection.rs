//! Connections to one catalog file: one that writes, and several that read without waiting for it.
//!
//! They run transactions on threads that may block. Nothing here knows the tables of the catalog.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::Semaphore;

use super::{fault::Fault, schema};
use crate::{
    error::{Error, Result},
    private,
    same_file::SameFile,
};

/// How long a statement waits for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Concurrent reads.
const READERS: usize = 8;

#[derive(Debug)]
pub(super) struct Connections {
    /// The file that was opened.
    file: SameFile,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    idle: Mutex<Vec<Connection>>,
    readers: Arc<Semaphore>,
}

impl Connections {
    /// Opens the file, creates it if it does not exist, and migrates it to the current schema.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::create_folder(folder).map_err(|error| {
                Error::new(crate::ErrorKind::Unavailable, format!("folder \"{}\" could not be created", folder.display()))
                    .with_hint("Choose another folder for the catalog")
                    .with_source(error)
            })?;
        }
        private::create_database(path).map_err(|error| cannot_create(path, error))?;
        let writer = open_writer(path).map_err(|fault| fault.at(path))?;
        Ok(Self {
            file: SameFile::at(path),
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            idle: Mutex::new(Vec::new()),
            readers: Arc::new(Semaphore::new(READERS)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Fails if the file was removed or replaced: SQLite would go on writing to the one that it has open.
    fn require_file(&self) -> Result<(), Fault> {
        if self.file.is_there() {
            return Ok(());
        }
        let message = format!("catalog file \"{}\" was removed or replaced while it was open", self.path().display());
        let error = Error::new(crate::ErrorKind::Unavailable, message);
        Err(Fault::Catalog(error.with_hint("Restart this process; restore a backup if the catalog is lost")))
    }

    /// Runs `work` in a read transaction, which sees one snapshot of the catalog.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let this = Arc::clone(self);
        let permit = Arc::clone(&self.readers).acquire_owned().await.map_err(closed)?;
        blocking(move || {
            let _permit = permit;
            let idle = this.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let outcome = (|| {
                let mut connection = idle.map_or_else(|| open_reader(this.path()), Ok)?;
                let transaction = connection.transaction()?;
                let value = work(&transaction)?;
                drop(transaction);
                Ok((connection, value))
            })();
            let (connection, value) = outcome.map_err(|fault: Fault| fault.at(this.path()))?;
            this.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            Ok(value)
        })
        .await
    }

    /// Runs `work` in a write transaction. It is durable when this returns; if it fails, nothing has changed.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let this = Arc::clone(self);
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        // From here on it runs to its end, even if the caller no longer waits.
        blocking(move || {
            let outcome = (|| {
                // IMMEDIATE: a transaction that first reads and then writes fails if another process has written in between.
                let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
                this.require_file()?;
                let value = work(&transaction)?;
                transaction.commit()?;
                // A commit to a file that was removed is lost, and must not be acknowledged.
                this.require_file()?;
                Ok(value)
            })();
            outcome.map_err(|fault: Fault| fault.at(this.path()))
        })
        .await
    }
}

fn cannot_create(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => crate::ErrorKind::Denied,
        _ => crate::ErrorKind::Unavailable,
    };
    Error::new(kind, format!("catalog file \"{}\" could not be created", path.display()))
        .with_hint("Check that its folder exists and is writable")
        .with_source(error)
}

/// Runs blocking work on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(closed)?
}

fn closed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("a thread of the catalog ended unexpectedly").with_source(error)
}

fn open_writer(path: &Path) -> Result<Connection, Fault> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    schema::migrate(&mut connection, path)?;
    use_write_ahead_log(&connection)?;
    // FULL: with a write-ahead log, NORMAL may lose the last commits in a power failure, and a statement that succeeded must stay done.
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON;")?;
    Ok(connection)
}

/// This statement does not wait for a busy file, so it is retried.
fn use_write_ahead_log(connection: &Connection) -> Result<(), Fault> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        let outcome = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(Fault::from);
        match outcome {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let message = format!("the disk of the catalog does not support a write-ahead log (SQLite uses \"{mode}\")");
                return Err(Fault::Catalog(Error::unsupported(message).with_hint("Put the catalog on a local disk")));
            }
            Err(fault) if fault.is_busy() && waited < BUSY_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(fault) => return Err(fault),
        }
    }
}

fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("PRAGMA query_only = ON;")?;
    Ok(connection)
}
