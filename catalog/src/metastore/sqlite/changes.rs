//! Which partitions the latest changes of a table were about, so that an index of an older version is brought up to date from them.
//!
//! A row a partition, with the version that the change led to. A row without a name says from which version on everything is here; without
//! one, or for a version before it, all partitions must be read. Large changes, and what moves all partitions, begin anew.

use rusqlite::{Connection, params};

use super::fault::Fault;

/// The most partitions that one change leaves here.
pub(super) const MOST_OF_ONE: usize = 4096;

/// The most rows of a table.
const MOST: i64 = 16_384;

/// Notes what a change was about, which led from a version to the next; `None` if that is too much.
pub(super) fn note(connection: &Connection, table_id: i64, from: i64, names: Option<&[String]>) -> Result<(), Fault> {
    let kept = "SELECT count(*), min(version) FROM partition_changes WHERE table_id = ?1";
    let (count, first): (i64, Option<i64>) =
        connection.prepare_cached(kept)?.query_row([table_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(names) = names.filter(|_| count < MOST) else { return begin(connection, table_id, from + 1) };
    if first.is_none() {
        begin(connection, table_id, from)?;
    }
    let mut insert = connection
        .prepare_cached("INSERT INTO partition_changes (table_id, version, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    for name in names {
        insert.execute(params![table_id, from + 1, name])?;
    }
    Ok(())
}

/// Forgets everything before a version.
pub(super) fn begin(connection: &Connection, table_id: i64, version: i64) -> Result<(), Fault> {
    connection.execute("DELETE FROM partition_changes WHERE table_id = ?1", [table_id])?;
    let first = "INSERT INTO partition_changes (table_id, version, name) VALUES (?1, ?2, '')";
    connection.execute(first, params![table_id, version])?;
    Ok(())
}

/// The names of the partitions that changes since a version were about; `None` if that is not known.
pub(super) fn since(connection: &Connection, table_id: i64, version: i64) -> Result<Option<Vec<String>>, Fault> {
    let first = "SELECT EXISTS (SELECT 1 FROM partition_changes WHERE table_id = ?1 AND version <= ?2 AND name = '')";
    if !connection.prepare_cached(first)?.query_row(params![table_id, version], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let sql = "SELECT DISTINCT name FROM partition_changes WHERE table_id = ?1 AND version > ?2 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map(params![table_id, version], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(names))
}
