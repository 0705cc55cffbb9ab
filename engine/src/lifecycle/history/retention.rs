//! How long queries stay in the history: so many days, and so many bytes. What goes leaves its sums by day, so that `system.usage` tells
//! the same before and after.
//!
//! It runs on the writer's thread when that has nothing else to do, in steps that nobody waits for long.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};
use serde::{Deserialize, Serialize};

/// Queries that go in one step: for their age, and for their size, where not many more should go than must.
const STEP: usize = 1_000;
const FEW: usize = 10;
/// Pages that are given back to the disk after a step.
const PAGES: u32 = 4_000;

/// What is kept of the queries that have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryOptions {
    /// Days that a query stays; 0 is for ever.
    pub keep_days: u32,
    /// Bytes of the file beyond which the oldest queries go; 0 is without limit.
    pub max_bytes: u64,
    /// Ended queries that wait in memory while the file cannot be written; beyond that no statement is taken.
    pub max_waiting: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { keep_days: 90, max_bytes: 1 << 30, max_waiting: 10_000 }
    }
}

impl HistoryOptions {
    /// The time before which queries go.
    fn horizon(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.keep_days > 0).then(|| now.checked_sub_signed(TimeDelta::days(i64::from(self.keep_days))))?
    }

    /// Lets go of some of what is too old or too much; tells whether there is more.
    pub(super) fn step(&self, connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<bool> {
        // Looked at first, so that no process waits to write where there is nothing to do.
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

/// Bytes of the file that hold something.
fn bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(pragma("page_size")?)).unwrap_or(0))
}

/// Forgets the oldest ended queries that were submitted before a time, `limit` at most, and keeps their sums; returns how many.
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
    // In one transaction, whether or not the caller has one: a query is among the sums or in the list, never in both.
    let transaction = match connection.is_autocommit() {
        true => Some(Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?),
        false => None,
    };
    connection.prepare_cached(&sums)?.execute(values)?;
    let gone = connection.prepare_cached(&format!("DELETE FROM queries WHERE query_id IN ({OLDEST})"))?.execute(values)?;
    if let Some(transaction) = transaction {
        transaction.commit()?;
        // A row a page, so that all must be asked for. Files of before keep their size, and use it again.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut freed = vacuum.query([])?;
        while freed.next()?.is_some() {}
    }
    Ok(gone)
}
