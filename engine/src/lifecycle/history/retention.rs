//! How long queries stay in the history: a number of days, and a number of bytes. Queries that are removed leave their sums by day, so that
//! `system.usage` shows the same before and after.
//!
//! It runs on the writer's thread when that is idle, in short steps.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};
use serde::{Deserialize, Serialize};

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
    /// Ended queries that wait in memory while the file cannot be written; beyond that new statements are refused.
    pub max_waiting: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { keep_days: 90, max_bytes: 1 << 30, max_waiting: 10_000 }
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
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM queries WHERE ended_at IS NOT NULL AND submitted_at < ?)")?
        .query_row([horizon.timestamp_millis()], |row| row.get(0))
}

/// Bytes of the file that are in use.
fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(pragma("page_size")?)).unwrap_or(0))
}

/// Removes the oldest ended queries that were submitted before a time, `limit` at most, and keeps their sums; returns how many.
pub(super) fn forget(connection: &Connection, before: DateTime<Utc>, limit: usize) -> rusqlite::Result<usize> {
    const OLDEST: &str = "SELECT query_id FROM queries WHERE ended_at IS NOT NULL AND submitted_at < :before
        ORDER BY submitted_at, query_id LIMIT :limit";
    let sums = format!(
        "INSERT INTO usage_by_day (day, user, workgroup, database, queries, data_scanned_bytes, billed_bytes, cost_nano_usd,
                cost_rest_atto_usd)
            SELECT date(submitted_at / 1000, 'unixepoch'), user, workgroup, database, count(*), sum(data_scanned_bytes),
                sum(billed_bytes), sum(cost_nano_usd) + sum(cost_rest_atto_usd) / 1000000000, sum(cost_rest_atto_usd) % 1000000000
            FROM queries WHERE query_id IN ({OLDEST}) GROUP BY 1, 2, 3, 4
        ON CONFLICT (day, user, workgroup, database) DO UPDATE SET queries = queries + excluded.queries,
            data_scanned_bytes = data_scanned_bytes + excluded.data_scanned_bytes,
            billed_bytes = billed_bytes + excluded.billed_bytes,
            cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd
                + (cost_rest_atto_usd + excluded.cost_rest_atto_usd) / 1000000000,
            cost_rest_atto_usd = (cost_rest_atto_usd + excluded.cost_rest_atto_usd) % 1000000000"
    );
    let values = named_params! { ":before": before.timestamp_millis(), ":limit": i64::try_from(limit).unwrap_or(i64::MAX) };
    // In one transaction, whether or not the caller has one: a query is in the sums or in the list, never in both.
    let transaction = match connection.is_autocommit() {
        true => Some(Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?),
        false => None,
    };
    connection.prepare_cached(&sums)?.execute(values)?;
    let gone = connection.prepare_cached(&format!("DELETE FROM queries WHERE query_id IN ({OLDEST})"))?.execute(values)?;
    if let Some(transaction) = transaction {
        transaction.commit()?;
        // The pragma gives a row for each page, and all must be read. Files from before auto_vacuum keep their size, and reuse it.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut freed = vacuum.query([])?;
        while freed.next()?.is_some() {}
    }
    Ok(gone)
}
