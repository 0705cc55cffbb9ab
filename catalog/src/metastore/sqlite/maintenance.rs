//! Backup, restore and check of a catalog file.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension, backup::Backup, params};

use super::{
    connection::blocking,
    fault::Fault,
    grants, partitions,
    schema::{self, FileKind},
    store::SqliteMetastore,
    tables, workgroups,
};
use crate::{
    error::{Error, ErrorKind, Result},
    private,
};

/// Findings beyond this number are only counted.
const MAX_FINDINGS: usize = 100;

impl SqliteMetastore {
    /// Writes a consistent copy of the catalog to the file `to`, which appears, or is replaced, when the copy is complete. The catalog can be
    /// changed in the meantime.
    ///
    /// # Errors
    /// `Invalid` for the catalog's own file; `Denied` and `Unavailable` if the copy cannot be written.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let (from, to) = (self.path().to_owned(), to.to_owned());
        blocking(move || backup(&from, &to)).await
    }

    /// Replaces the catalog file `to`, if it exists, by the backup `from`. The versions of its tables become higher than any in `to`.
    /// If `to` is damaged, it is kept under its name with `.damaged` appended. On an error it stays as it is.
    ///
    /// # Errors
    /// `NotFound` if the backup does not exist; `CorruptData` if the backup is damaged or not a catalog, or `to` is another program's database;
    /// `Conflict` while a process has `to` open; `Unsupported` for a backup of a newer version.
    pub async fn restore(from: &Path, to: &Path) -> Result<()> {
        let (from, to): (PathBuf, PathBuf) = (from.to_owned(), to.to_owned());
        blocking(move || restore(&from, &to)).await
    }

    /// Reads the whole catalog and returns what is wrong with it, one line each.
    ///
    /// # Errors
    /// `CorruptData` if the file is too damaged to be read to its end.
    pub async fn check(&self) -> Result<Vec<String>> {
        self.connections.read(check).await
    }
}

fn backup(from: &Path, to: &Path) -> Result<()> {
    check_distinct(from, to)?;
    let draft = Draft::beside(to)?;
    copy(from, &draft.path).map_err(|fault| fault.at(from))?;
    draft.publish(to)
}

fn restore(from: &Path, to: &Path) -> Result<()> {
    if !from.is_file() {
        return Err(Error::not_found(format!("backup \"{}\" does not exist", from.display()))
            .with_hint("Name a file written by `glaux catalog backup`"));
    }
    check_distinct(from, to)?;
    let draft = Draft::beside(to)?;
    copy(from, &draft.path).map_err(|fault| fault.at(from))?;
    check_copy(&draft.path, from).map_err(|fault| fault.at(from))?;
    let replaced = Replaced::open(to)?;
    raise_versions(&draft.path, &replaced.versions).map_err(|fault| fault.at(&draft.path))?;
    replaced.move_damage_aside()?;
    draft.publish(to)
}

fn check_distinct(from: &Path, to: &Path) -> Result<()> {
    match (from.canonicalize(), to.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => {
            Err(Error::invalid(format!("\"{}\" is both the source and the target", to.display())).with_hint("Name another file"))
        }
        _ => Ok(()),
    }
}

/// A temporary file next to its final place, removed unless it is published.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(target: &Path) -> Result<Self> {
        let path = suffixed(target, &format!(".{}.tmp", std::process::id()));
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::create_folder(folder).map_err(|error| file_error("folder", folder, error))?;
        }
        let draft = Self { path };
        draft.remove();
        private::create_file(&draft.path).map_err(|error| file_error("file", &draft.path, error))?;
        Ok(draft)
    }

    fn publish(self, target: &Path) -> Result<()> {
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(|error| file_error("file", &self.path, error))?;
        std::fs::rename(&self.path, target).map_err(|error| file_error("file", target, error))?;
        sync_folder(target);
        Ok(())
    }

    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // Mostly it does not exist; if it cannot be removed, the next step fails.
            let _ = std::fs::remove_file(suffixed(&self.path, suffix));
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.remove();
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a rename durable, where folders can be synchronised.
fn sync_folder(file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn file_error(what: &str, path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{what} \"{}\" cannot be written", path.display()))
        .with_hint("Check the folder's permissions and the free space on its disk")
        .with_source(error)
}

/// Copies the committed state of a catalog into a new file without a write-ahead log.
fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    source.busy_timeout(Duration::from_secs(30))?;
    if !matches!(schema::file_kind(&source)?, FileKind::Catalog(_)) {
        return Err(Fault::Catalog(schema::foreign(from)));
    }
    let mut copy = Connection::open(to)?;
    // In one step, as each write would restart a copy in several.
    Backup::new(&source, &mut copy)?.run_to_completion(i32::MAX, Duration::from_millis(20), None)?;
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    Ok(())
}

/// The file that a restore replaces, locked so that no other process opens it in the meantime.
struct Replaced {
    path: PathBuf,
    versions: Versions,
    damaged: bool,
    _held: Option<Connection>,
}

/// The table versions and ids that were in use.
#[derive(Default)]
struct Versions {
    highest: i64,
    last_id: i64,
}

impl Replaced {
    fn open(path: &Path) -> Result<Self> {
        let mut replaced = Self { path: path.to_owned(), versions: Versions::default(), damaged: false, _held: None };
        if !path.exists() {
            return Ok(replaced);
        }
        match hold(path) {
            Ok((connection, versions)) => {
                replaced.versions = versions;
                replaced._held = Some(connection);
            }
            Err(fault) if fault.is_busy() => {
                return Err(Error::conflict(format!("catalog file \"{}\" is in use", path.display()))
                    .with_hint("Stop the programs that use it, and restore again"));
            }
            Err(fault) if fault.is_damage() => replaced.damaged = true,
            Err(fault) => return Err(fault.at(path)),
        }
        Ok(replaced)
    }

    /// Renames a damaged file together with its log, which must not be applied to the new file.
    fn move_damage_aside(&self) -> Result<()> {
        if !self.damaged {
            return Ok(());
        }
        for suffix in ["-wal", "-shm", ""] {
            let part = suffixed(&self.path, suffix);
            if part.exists() {
                std::fs::rename(&part, suffixed(&self.path, &format!(".damaged{suffix}")))
                    .map_err(|error| file_error("file", &part, error))?;
            }
        }
        Ok(())
    }
}

/// Locks the file for this process alone, with its log written back. Fails at once if other processes have it open.
fn hold(path: &Path) -> Result<(Connection, Versions), Fault> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::ZERO)?;
    match schema::file_kind(&connection)? {
        FileKind::Catalog(_) => {}
        FileKind::Empty => return Ok((connection, Versions::default())),
        FileKind::Foreign => return Err(Fault::Catalog(schema::foreign(path))),
    }
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    let highest = connection.query_row("SELECT coalesce(max(version), 0) FROM tables", [], |row| row.get(0))?;
    let last_id =
        connection.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'tables'", [], |row| row.get(0)).optional()?;
    Ok((connection, Versions { highest, last_id: last_id.unwrap_or(0) }))
}

/// Migrates the copy of a backup to the current schema and checks it.
fn check_copy(copy: &Path, from: &Path) -> Result<(), Fault> {
    let mut connection = Connection::open(copy)?;
    schema::migrate(&mut connection, from)?;
    let findings = check(&connection)?;
    match findings.first() {
        None => Ok(()),
        Some(first) => {
            let message = format!("backup \"{}\" has {} errors: {first}", from.display(), findings.len());
            Err(Fault::Catalog(Error::corrupt(message).with_hint("Restore another backup: the catalog was not changed")))
        }
    }
}

/// Raises the versions beyond those in use, so that nothing that is cached by version is mistaken for the content of the copy.
fn raise_versions(copy: &Path, versions: &Versions) -> Result<(), Fault> {
    let mut connection = Connection::open(copy)?;
    let transaction = connection.transaction()?;
    // The seconds since 1970 are above the versions of a catalog that is lost: no table changes more than once a second for long.
    transaction.execute("UPDATE tables SET version = max(version, ?1, unixepoch()) + 1", [versions.highest])?;
    transaction.execute("DELETE FROM partition_changes", [])?;
    let known: i64 =
        transaction.query_row("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tables'", [], |row| row.get(0))?;
    transaction.execute("DELETE FROM sqlite_sequence WHERE name = 'tables'", [])?;
    transaction.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('tables', ?1)", params![known.max(versions.last_id)])?;
    transaction.commit()?;
    Ok(())
}

fn check(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut findings = Vec::new();
    let mut more = 0usize;
    let mut report = |finding: String| {
        if findings.len() < MAX_FINDINGS {
            findings.push(finding);
        } else {
            more += 1;
        }
    };
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        if line != "ok" {
            report(format!("the file is damaged: {line}"));
        }
    }
    let mut statement = connection.prepare("SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY 1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report(format!("{} rows of \"{}\" have no parent row", row.get::<_, i64>(1)?, row.get::<_, String>(0)?));
    }
    check_definitions(connection, &mut report)?;
    grants::check(connection, &mut report)?;
    workgroups::check(connection, &mut report)?;
    if more > 0 {
        findings.push(format!("and {more} more"));
    }
    Ok(findings)
}

fn check_definitions(connection: &Connection, report: &mut impl FnMut(String)) -> Result<(), Fault> {
    let mut statement = connection.prepare("SELECT name FROM databases ORDER BY name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(Fault::Catalog(error)) = tables::database(connection, &row.get::<_, String>(0)?) {
            report(error.to_string());
        }
    }
    let mut statement = connection.prepare("SELECT id FROM tables ORDER BY database, name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match tables::table_by_id(connection, row.get(0)?) {
            Ok(Some(table)) => partitions::check(connection, &table, report)?,
            Ok(None) => {}
            Err(Fault::Catalog(error)) => report(error.to_string()),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
