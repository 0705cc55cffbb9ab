//! The schema of a catalog file, and the migration of older files.
//!
//! `PRAGMA application_id` distinguishes a glaux catalog from other databases; `PRAGMA user_version` is the number of migrations applied.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{fault::Fault, tables};
use crate::{
    error::{Error, ErrorKind},
    metastore::rules,
};

/// `GLAX`.
const APPLICATION_ID: i32 = 0x474C_4158;

/// Each migrates a file from the version of its position to the next. Never change one that was released; add another.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE databases (
        name TEXT NOT NULL PRIMARY KEY,
        definition TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- AUTOINCREMENT: ids are never used again.
    CREATE TABLE tables (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        database TEXT NOT NULL REFERENCES databases (name),
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        UNIQUE (database, name)
    ) STRICT;
    -- name is the Hive name, from which the raw values are read; created_at counts nanoseconds since 1970.
    CREATE TABLE partitions (
        table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        location TEXT,
        own TEXT,
        properties TEXT,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (table_id, name)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- A grant is on a database, or on a table (by its id, so that it follows renames), or on the whole catalog.
    CREATE TABLE grants (
        database TEXT REFERENCES databases (name) ON DELETE CASCADE,
        table_id INTEGER REFERENCES tables (id) ON DELETE CASCADE,
        grantee_kind TEXT NOT NULL,
        grantee TEXT NOT NULL,
        access TEXT NOT NULL,
        CHECK (database IS NULL OR table_id IS NULL)
    ) STRICT;
    CREATE UNIQUE INDEX grants_once ON grants (ifnull(database, ''), ifnull(table_id, 0), grantee_kind, grantee);
    CREATE INDEX grants_by_database ON grants (database);
    CREATE INDEX grants_by_table ON grants (table_id);
",
    "
    -- Blobs that are kept with a table, for whoever knows what they are by their names.
    CREATE TABLE attachments (
        table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (table_id, name)
    ) STRICT;
",
    "
    -- Which partitions the latest changes of a table were about: see `changes`.
    CREATE TABLE partition_changes (
        table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (table_id, version, name)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE workgroups (
        name TEXT NOT NULL PRIMARY KEY,
        definition TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
];

/// Whose database a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Nobody's: it is empty.
    Empty,
    /// A catalog with this many migrations applied.
    Catalog(usize),
    /// Another program's.
    Foreign,
}

pub(super) fn file_kind(connection: &Connection) -> Result<FileKind, Fault> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, usize::try_from(version)) {
        (APPLICATION_ID, Ok(version)) => FileKind::Catalog(version),
        (0, Ok(0)) if objects == 0 => FileKind::Empty,
        _ => FileKind::Foreign,
    })
}

/// Applies the missing migrations in one transaction. An empty file becomes a catalog with the default database.
///
/// # Errors
/// `CorruptData` for another program's database, `Unsupported` for a file of a newer version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    // Mostly there is nothing to do, and no need for the write lock.
    let transaction = connection.transaction()?;
    if made_migrations(&transaction, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    drop(transaction);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let made = made_migrations(&transaction, path)?;
    for migration in &MIGRATIONS[made..] {
        transaction.execute_batch(migration)?;
    }
    if made == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        tables::insert_database(&transaction, &rules::default_database())?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

fn made_migrations(connection: &Connection, path: &Path) -> Result<usize, Fault> {
    match file_kind(connection)? {
        FileKind::Empty => Ok(0),
        FileKind::Catalog(made) if made <= MIGRATIONS.len() => Ok(made),
        FileKind::Catalog(made) => Err(Fault::Catalog(newer(path, made))),
        FileKind::Foreign => Err(Fault::Catalog(foreign(path))),
    }
}

pub(super) fn foreign(path: &Path) -> Error {
    Error::corrupt(format!("\"{}\" is a database, but not a glaux catalog", path.display())).with_hint("Name a catalog file")
}

fn newer(path: &Path, made: usize) -> Error {
    let message = format!(
        "catalog file \"{}\" has version {made}, but this release of glaux supports versions up to {}",
        path.display(),
        MIGRATIONS.len()
    );
    Error::new(ErrorKind::Unsupported, message).with_hint("Use a newer release, or restore a backup written by this one")
}
