//! How long queries stay in the history: a number of days, and a number of bytes. The sums by day stay: `write` counted each query as it ended.
//!
//! It runs on the writer's thread when that is idle, in short steps.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};
use serde::{Deserialize, Serialize};

use super::write::first_seq;

/// Queries that are removed in one step: for their age, and for their size, where few more should be removed than necessary.
const STEP: usize = 1_000;
const FEW: usize = 10;
/// Pages that are freed on disk after a step.
const PAGES: u32 = 4_000;

/// How much is kept of the queries that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryOptions {
    /// Days that a query is kept; 0 is for ever.
    pub keep_days: u32,
    /// Bytes of the file beyond which the oldest queries are removed; 0 is without limit.
    pub max_bytes: u64,
    /// Whether statements and their errors are kept without the literals in them.
    pub redact_literals: bool,
    /// Ended queries that wait in memory while the file cannot be written; beyond that new statements are refused.
    pub max_waiting: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { keep_days: 90, max_bytes: 2 << 30, redact_literals: false, max_waiting: 10_000 }
    }
}

impl HistoryOptions {
    /// Queries that were submitted before this time are removed.
    fn horizon(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.keep_days > 0).then(|| now.checked_sub_signed(TimeDelta::days(i64::from(self.keep_days))))?
    }

    /// Removes some of the queries that are too old or too many; returns whether there may be more.
    pub(super) fn step(&self, connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<bool> {
        // Checked first, so that no process waits to write when there is nothing to do.
        if let Some(horizon) = self.horizon(now)
            && has_older(connection, horizon)?
            && forget(connection, horizon, STEP)? == STEP
        {
            return Ok(true);
        }
        for _ in 0..STEP / FEW {
            if self.max_bytes == 0 || bytes(connection)? <= self.max_bytes {
                return Ok(false);
            }
            if forget(connection, DateTime::<Utc>::MAX_UTC, FEW)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn has_older(connection: &Connection, horizon: DateTime<Utc>) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM queries WHERE ended_at IS NOT NULL AND seq < ?)")?
        .query_row([first_seq(horizon.timestamp_millis())], |row| row.get(0))
}

/// Bytes of the file that are in use.
fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(pragma("page_size")?)).unwrap_or(0))
}

/// Removes the oldest ended queries that were submitted before a time, `limit` at most; returns how many.
pub(super) fn forget(connection: &Connection, before: DateTime<Utc>, limit: usize) -> rusqlite::Result<usize> {
    // In one transaction, whether or not the caller has one.
    let transaction = match connection.is_autocommit() {
        true => Some(Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?),
        false => None,
    };
    let gone = remove(connection, before, limit)?;
    if let Some(transaction) = transaction {
        transaction.commit()?;
        // The pragma gives a row for each page, and all must be read. Files from before auto_vacuum keep their size, and reuse it.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut freed = vacuum.query([])?;
        while freed.next()?.is_some() {}
    }
    Ok(gone)
}

fn remove(connection: &Connection, before: DateTime<Utc>, limit: usize) -> rusqlite::Result<usize> {
    const OLDEST: &str =
        "SELECT seq, fingerprint FROM queries WHERE ended_at IS NOT NULL AND seq < :before ORDER BY seq LIMIT :limit";
    // All that have ended up to the last of them are the oldest. Older ones that still run stay.
    const GONE: &str = "seq IN (SELECT seq FROM queries WHERE seq <= :last AND ended_at IS NOT NULL)";
    const STATEMENT: &str = "DELETE FROM query_statements
        WHERE fingerprint = :fingerprint AND NOT EXISTS (SELECT 1 FROM queries WHERE fingerprint = :fingerprint)";
    let oldest: Vec<(i64, Option<i64>)> = {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = named_params! { ":before": first_seq(before.timestamp_millis()), ":limit": limit };
        let mut statement = connection.prepare_cached(OLDEST)?;
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let Some((last, _)) = oldest.last() else { return Ok(0) };
    for table in ["query_texts", "query_tables", "query_stores", "queries"] {
        let sql = format!("DELETE FROM {table} WHERE seq <= :last AND {GONE}");
        connection.prepare_cached(&sql)?.execute(named_params! { ":last": last })?;
    }
    let fingerprints: BTreeSet<i64> = oldest.iter().filter_map(|(_, fingerprint)| *fingerprint).collect();
    for fingerprint in fingerprints {
        connection.prepare_cached(STATEMENT)?.execute(named_params! { ":fingerprint": fingerprint })?;
    }
    Ok(oldest.len())
}
