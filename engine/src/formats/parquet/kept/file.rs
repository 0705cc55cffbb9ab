//! The SQLite file of kept footers: how it is opened and laid out, and how a damaged one is put aside.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, Error, ErrorCode, TransactionBehavior};

/// How long one process waits for another's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const NAME: &str = "footers.sqlite";
/// Of the tables below; kept in the file's `user_version`.
const VERSION: i64 = 1;

/// The sum of all weights is kept by triggers, so that it is right whoever writes.
const TABLES: &str = "
    CREATE TABLE footers (
        url TEXT NOT NULL PRIMARY KEY,
        size INTEGER NOT NULL,
        version TEXT NOT NULL,
        footer BLOB NOT NULL,
        indexes_start INTEGER,
        indexes BLOB,
        checksum INTEGER NOT NULL,
        weight INTEGER NOT NULL,
        used_hour INTEGER NOT NULL
    );
    CREATE INDEX footers_by_use ON footers (used_hour, weight);
    CREATE TABLE total (weight INTEGER NOT NULL);
    INSERT INTO total VALUES (0);
    CREATE TRIGGER footer_in AFTER INSERT ON footers BEGIN UPDATE total SET weight = weight + new.weight; END;
    CREATE TRIGGER footer_out AFTER DELETE ON footers BEGIN UPDATE total SET weight = weight - old.weight; END;
    CREATE TRIGGER footer_changed AFTER UPDATE OF weight ON footers
        BEGIN UPDATE total SET weight = weight + new.weight - old.weight; END;
";

/// Opens the file in a directory for the writer and for the readers. A damaged file is put aside, and a new one begun.
pub(super) fn open(directory: &Path) -> Result<(Connection, Connection), String> {
    fs::create_dir_all(directory).map_err(|error| error.to_string())?;
    match connect(directory) {
        Err(error) if is_damage(&error) => begin_anew(directory),
        opened => opened.map_err(|error| error.to_string()),
    }
}

/// Puts a damaged file aside and opens a new one, unless another process did so meanwhile.
pub(super) fn begin_anew(directory: &Path) -> Result<(Connection, Connection), String> {
    let lock = File::create(directory.join("footers.lock")).and_then(|file| file.lock().map(|()| file));
    let lock = lock.map_err(|error| error.to_string())?;
    let opened = match connect(directory).and_then(check) {
        Err(error) if is_damage(&error) => {
            let path = directory.join(NAME);
            tracing::warn!(%error, path = %path.display(), "the footer cache file is damaged: it is set aside, and a new one is created");
            fs::rename(&path, directory.join("footers.damaged")).map_err(|error| error.to_string())?;
            for rest in ["footers.sqlite-wal", "footers.sqlite-shm"] {
                _ = fs::remove_file(directory.join(rest));
            }
            connect(directory)
        }
        opened => opened,
    };
    drop(lock);
    opened.map_err(|error| error.to_string())
}

/// Whether an error tells that the file is no database, or not whole.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        // A file that says it has our tables, and has others.
        || matches!(error, Error::SqlInputError { .. } | Error::QueryReturnedNoRows)
}

fn connect(directory: &Path) -> rusqlite::Result<(Connection, Connection)> {
    let path = directory.join(NAME);
    let mut writer = prepare(Connection::open(&path)?)?;
    migrate(&mut writer)?;
    writer.query_row("SELECT weight FROM total", [], |_| Ok(()))?;
    let reader = prepare(Connection::open(&path)?)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok((writer, reader))
}

fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Takes effect for a file that is begun: pages that are freed can be given back.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    // SQLite does not wait for others while it turns a file to WAL, so that of two who make one, one may be told that it is busy.
    let mut attempts = 0;
    while let Err(error) = connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
        attempts += 1;
        if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) || attempts == 100 {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    if version(connection)? != VERSION {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match version(&transaction)? {
            VERSION => {}
            0 => {
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            other => {
                let text = format!("{NAME} has version {other}, and this program knows {VERSION}");
                return Err(Error::ToSqlConversionFailure(text.into()));
            }
        }
        transaction.commit()?;
    }
    Ok(())
}

fn check(opened: (Connection, Connection)) -> rusqlite::Result<(Connection, Connection)> {
    let answer: String = opened.0.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" {
        return Ok(opened);
    }
    Err(Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(answer)))
}

/// A connection, for one who uses it alone.
pub(super) fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
