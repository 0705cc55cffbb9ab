//! The rows of kept footers: read with their checksums, written, and removed when the capacity is reached.

use std::{collections::HashMap, hash::Hasher};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row};
use twox_hash::XxHash64;

use super::footer::{KeptFooter, KeptKey};

/// What a row costs beside its texts and bytes.
const OVERHEAD: usize = 256;

/// What a read found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub footers: HashMap<KeptKey, KeptFooter>,
    /// Rows to remove.
    pub damaged: Vec<Damaged>,
    /// URLs of rows whose last use is noted as of an earlier hour.
    pub touched: Vec<String>,
}

/// A row that does not match its checksum. It is named by both, so that a good one that came in its place is left.
#[derive(Debug)]
pub(super) struct Damaged {
    pub url: String,
    pub checksum: i64,
}

/// What a row says.
struct Kept {
    footer: KeptFooter,
    checksum: i64,
    used_hour: i64,
}

/// Reads what is kept of some files.
pub(super) fn read(connection: &Connection, keys: Vec<KeptKey>, hour: i64) -> rusqlite::Result<Found> {
    let mut found = Found::default();
    // One transaction, so that the file is locked once and not once a key.
    let transaction = connection.unchecked_transaction()?;
    for key in keys {
        match select(&transaction, &key)? {
            None => {}
            Some(kept) if checksum(&key, &kept.footer) == kept.checksum => {
                if kept.used_hour < hour {
                    found.touched.push(key.url.clone());
                }
                found.footers.insert(key, kept.footer);
            }
            Some(kept) => found.damaged.push(Damaged { url: key.url, checksum: kept.checksum }),
        }
    }
    Ok(found)
}

fn select(connection: &Connection, key: &KeptKey) -> rusqlite::Result<Option<Kept>> {
    let sql =
        "SELECT footer, indexes_start, indexes, checksum, used_hour FROM footers WHERE url = ? AND size = ? AND version = ?";
    connection.prepare_cached(sql)?.query_row((&key.url, signed(key.size), &key.version), kept).optional()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    // A value of another type is as good as none: the checksum tells.
    let blob = |column| row.get::<_, Option<Vec<u8>>>(column).unwrap_or_default();
    let (start, indexes) = (row.get::<_, Option<i64>>(1).unwrap_or_default(), blob(2));
    Ok(Kept {
        footer: KeptFooter {
            bytes: Bytes::from(blob(0).unwrap_or_default()),
            indexes: start.zip(indexes).map(|(start, bytes)| (start.cast_unsigned(), Bytes::from(bytes))),
        },
        checksum: row.get(3)?,
        used_hour: row.get(4)?,
    })
}

/// Writes a footer, unless it alone is more than the capacity.
pub(super) fn put(connection: &Connection, key: &KeptKey, footer: &KeptFooter, hour: i64, capacity: u64) -> rusqlite::Result<()> {
    let weight = weight(key, footer);
    if weight > capacity {
        return Ok(());
    }
    if footer.indexes.is_none() && has_whole(connection, key)? {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO footers (url, size, version, footer, indexes_start, indexes, checksum, weight, used_hour)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (url) DO UPDATE SET size = excluded.size, version = excluded.version, footer = excluded.footer,
                indexes_start = excluded.indexes_start, indexes = excluded.indexes, checksum = excluded.checksum,
                weight = excluded.weight, used_hour = max(used_hour, excluded.used_hour)",
    )?;
    let (start, indexes) = footer.indexes.as_ref().map(|(start, bytes)| (start.cast_signed(), bytes.as_ref())).unzip();
    statement.execute((
        &key.url,
        signed(key.size),
        &key.version,
        footer.bytes.as_ref(),
        start,
        indexes,
        checksum(key, footer),
        signed(weight),
        hour,
    ))?;
    Ok(())
}

/// Whether this version of a file is kept, undamaged, with its indexes.
fn has_whole(connection: &Connection, key: &KeptKey) -> rusqlite::Result<bool> {
    let kept = select(connection, key)?;
    Ok(kept.is_some_and(|kept| kept.footer.indexes.is_some() && checksum(key, &kept.footer) == kept.checksum))
}

/// Notes that rows were used.
pub(super) fn touch(connection: &Connection, urls: &[String], hour: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("UPDATE footers SET used_hour = ?1 WHERE url = ?2 AND used_hour < ?1")?;
    for url in urls {
        statement.execute((hour, url))?;
    }
    Ok(())
}

pub(super) fn remove(connection: &Connection, rows: &[Damaged]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM footers WHERE url = ? AND checksum = ?")?;
    for Damaged { url, checksum } in rows {
        statement.execute((url, checksum))?;
    }
    Ok(())
}

/// Removes what was used longest ago until the capacity is kept.
pub(super) fn evict(connection: &Connection, capacity: u64) -> rusqlite::Result<()> {
    let total: i64 = connection.prepare_cached("SELECT weight FROM total")?.query_row([], |row| row.get(0))?;
    let mut excess = total.saturating_sub(signed(capacity));
    if excess <= 0 {
        return Ok(());
    }
    let mut oldest = connection.prepare_cached("SELECT rowid, weight FROM footers ORDER BY used_hour, rowid")?;
    let mut rows = oldest.query([])?;
    let mut leaving = Vec::new();
    while excess > 0
        && let Some(row) = rows.next()?
    {
        leaving.push(row.get::<_, i64>(0)?);
        excess -= row.get::<_, i64>(1)?;
    }
    drop(rows);
    let mut delete = connection.prepare_cached("DELETE FROM footers WHERE rowid = ?")?;
    for row in leaving {
        delete.execute([row])?;
    }
    Ok(())
}

fn weight(key: &KeptKey, footer: &KeptFooter) -> u64 {
    let indexes = footer.indexes.as_ref().map_or(0, |(_, bytes)| bytes.len());
    (OVERHEAD + key.url.len() + key.version.len() + footer.bytes.len() + indexes) as u64
}

/// Of everything that a row says but when it was used.
fn checksum(key: &KeptKey, footer: &KeptFooter) -> i64 {
    let mut sum = XxHash64::with_seed(0);
    let mut add = |bytes: &[u8]| {
        sum.write(&(bytes.len() as u64).to_le_bytes());
        sum.write(bytes);
    };
    add(key.url.as_bytes());
    add(&key.size.to_le_bytes());
    add(key.version.as_bytes());
    add(&footer.bytes);
    if let Some((start, bytes)) = &footer.indexes {
        add(&start.to_le_bytes());
        add(bytes);
    }
    sum.finish().cast_signed()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
