//! Which partitions the latest changes of a table were about, so that an index of an older version is brought up to date from them.
//!
//! A row a partition, with the version that the change led to; a row without a name for a version that left all of them alone. Only where no version
//! is missing are the changes known: large ones leave nothing, nor does what moves all partitions, or a release that does not know of this table.

use rusqlite::{Connection, params};

use super::fault::Fault;

/// The most partitions that one change leaves here.
pub(super) const MOST_OF_ONE: usize = 4096;

/// The most rows of a table.
const MOST: i64 = 16_384;

/// Notes what the change to a version was about; `None` if that is too much.
pub(super) fn note(connection: &Connection, table_id: i64, version: i64, names: Option<&[String]>) -> Result<(), Fault> {
    let count = "SELECT count(*) FROM partition_changes WHERE table_id = ?1";
    let count: i64 = connection.prepare_cached(count)?.query_row([table_id], |row| row.get(0))?;
    if count >= MOST {
        forget(connection, table_id)?;
    }
    let Some(names) = names else { return forget(connection, table_id) };
    let mut insert = connection
        .prepare_cached("INSERT INTO partition_changes (table_id, version, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for name in names {
        insert.execute(params![table_id, version, name])?;
    }
    Ok(())
}

/// Notes that a version has the partitions of the one before.
pub(super) fn note_none(connection: &Connection, table_id: i64, version: i64) -> Result<(), Fault> {
    note(connection, table_id, version, Some(&[String::new()]))
}

/// Forgets everything: what comes next is no change of what was.
pub(super) fn forget(connection: &Connection, table_id: i64) -> Result<(), Fault> {
    connection.execute("DELETE FROM partition_changes WHERE table_id = ?1", [table_id])?;
    Ok(())
}

/// The names of the partitions that the changes from one version to another were about; `None` if that is not known.
pub(super) fn between(connection: &Connection, table_id: i64, from: i64, to: i64) -> Result<Option<Vec<String>>, Fault> {
    let noted = "SELECT count(DISTINCT version) FROM partition_changes WHERE table_id = ?1 AND version > ?2 AND version <= ?3";
    let noted: i64 = connection.prepare_cached(noted)?.query_row(params![table_id, from, to], |row| row.get(0))?;
    if noted != to - from {
        return Ok(None);
    }
    let sql = "SELECT DISTINCT name FROM partition_changes WHERE table_id = ?1 AND version > ?2 AND name <> '' ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map(params![table_id, from], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(names))
}

/// Keeps partitions in the usual place where they are when the table's root moves. What was noted is no use then.
pub(super) fn pin_locations(connection: &Connection, table_id: i64, old_root: &str, new_root: &str) -> Result<(), Fault> {
    let unpinned = "UPDATE partitions SET location = NULL WHERE table_id = ?1 AND rtrim(location, '/') = ?2 || name";
    let pinned = "UPDATE partitions SET location = ?2 || name || '/' WHERE table_id = ?1 AND location IS NULL";
    connection.execute(pinned, params![table_id, old_root])?;
    connection.execute(unpinned, params![table_id, new_root])?;
    forget(connection, table_id)
}
