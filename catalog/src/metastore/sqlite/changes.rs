//! The partitions that the latest changes of a table affected, by which an index of an older version is updated.
//!
//! One row for each partition, with the version that the change led to; a row without a name for a version that changed no partition. Changes are
//! known only if no version is missing: large changes are not recorded, nor are those that move all partitions, nor those of an older release.

use rusqlite::{Connection, params};

use super::fault::Fault;

/// Partitions of one change, at most: a larger one is not recorded.
pub(super) const MOST_OF_ONE: usize = 4096;

/// Rows of one table, at most.
const MOST: i64 = 16_384;

/// Records the partitions that the change to this version affected; `None` if they are too many.
pub(super) fn record(connection: &Connection, table_id: i64, version: i64, names: Option<&[String]>) -> Result<(), Fault> {
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

/// Records that this version changed no partition.
pub(super) fn record_none(connection: &Connection, table_id: i64, version: i64) -> Result<(), Fault> {
    record(connection, table_id, version, Some(&[String::new()]))
}

/// Forgets the changes of a table, so that no index is updated from those before this one.
pub(super) fn forget(connection: &Connection, table_id: i64) -> Result<(), Fault> {
    connection.execute("DELETE FROM partition_changes WHERE table_id = ?1", [table_id])?;
    Ok(())
}

/// The names of the partitions that changed from one version to another; `None` if they are not known.
pub(super) fn between(connection: &Connection, table_id: i64, from: i64, to: i64) -> Result<Option<Vec<String>>, Fault> {
    let recorded = "SELECT count(DISTINCT version) FROM partition_changes WHERE table_id = ?1 AND version > ?2 AND version <= ?3";
    let recorded: i64 = connection.prepare_cached(recorded)?.query_row(params![table_id, from, to], |row| row.get(0))?;
    if recorded != to - from {
        return Ok(None);
    }
    let sql = "SELECT DISTINCT name FROM partition_changes WHERE table_id = ?1 AND version > ?2 AND name <> '' ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map(params![table_id, from], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(names))
}

/// Keeps partitions at their default location where they are when the table's root moves.
pub(super) fn pin_locations(connection: &Connection, table_id: i64, old_root: &str, new_root: &str) -> Result<(), Fault> {
    let unpinned = "UPDATE partitions SET location = NULL WHERE table_id = ?1 AND rtrim(location, '/') = ?2 || name";
    let pinned = "UPDATE partitions SET location = ?2 || name || '/' WHERE table_id = ?1 AND location IS NULL";
    connection.execute(pinned, params![table_id, old_root])?;
    connection.execute(unpinned, params![table_id, new_root])?;
    forget(connection, table_id)
}
