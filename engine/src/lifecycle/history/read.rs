//! Reads whole records and the sums from the history (`scan` reads columns of many).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use glaux_catalog::TableName;
use rusqlite::{
    Connection, Row, params_from_iter,
    types::{Type, Value},
};

use super::{
    record::{QueryFilter, QueryRecord, Quoted, TableTotal, TextBounds, UsageFilter, UsageTotal},
    schema::{ATTO_PER_NANO, failed},
    write::first_seq,
};
use crate::{
    accounting::{Bill, Requests, Scanned, StoreUsage, TableUsage, Timings, Usage, Usd},
    error::{Error, ErrorKind, Result},
    lifecycle::{Ending, QueryId, QueryState},
    session::Origin,
    statement_kind::StatementKind,
};

/// Values of one list that SQLite filters by; a longer list is left to the caller, who filters again.
pub(super) const MAX_VALUES: usize = 500;

/// Selects all of records but for their tables and stores: by an index if one is named, and what follows WHERE.
fn select(index: &str, rest: &str) -> String {
    format!(
        "SELECT q.*, t.tariff, t.application, t.session_id, t.parent_id, t.root_id, t.labels, t.error_message, t.statement, n.normalized
        FROM queries q {index} CROSS JOIN query_texts t ON t.seq = q.seq
            LEFT JOIN query_statements n ON n.fingerprint = q.fingerprint{rest}"
    )
}

/// A WHERE clause with its values.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql += if self.sql.is_empty() { " WHERE " } else { " AND " };
        self.sql += condition;
        self.values.extend(values);
    }

    fn texts(&mut self, texts: &BTreeMap<String, TextBounds>, columns: &[&str]) {
        for column in columns {
            let Some(bounds) = texts.get(*column) else { continue };
            if let Some(wanted) = bounds.values.as_ref().filter(|wanted| wanted.len() <= MAX_VALUES) {
                let places = vec!["?"; wanted.len()].join(", ");
                self.add(&format!("{column} IN ({places})"), wanted.iter().cloned().map(Value::Text));
            }
            for (comparison, bound) in [(">=", &bounds.from), ("<=", &bounds.until)] {
                if let Some(bound) = bound {
                    self.add(&format!("{column} {comparison} ?"), [Value::Text(bound.clone())]);
                }
            }
        }
    }

    fn days(&mut self, filter: &UsageFilter) {
        for (comparison, day) in [(">=", filter.since), ("<=", filter.until)] {
            if let Some(day) = day {
                self.add(&format!("day {comparison} ?"), [Value::Text(day.to_string())]);
            }
        }
    }
}

/// The queries that the filter lets through, newest first.
pub(super) fn list(connection: &Connection, filter: &QueryFilter) -> Result<Vec<QueryRecord>> {
    let mut conditions = Conditions::default();
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    for (comparison, time) in [(">=", filter.since), ("<", filter.until)] {
        if let Some(time) = time {
            conditions.add(&format!("q.seq {comparison} ?"), [first_seq(time.timestamp_millis()).into()]);
        }
    }
    let words = [
        ("q.state", filter.state.map(QueryState::as_str)),
        ("q.user", filter.user.as_deref()),
        ("q.workgroup", filter.workgroup.as_deref()),
    ];
    for (column, word) in words {
        if let Some(word) = word {
            conditions.add(&format!("{column} = ?"), [Value::Text(word.to_owned())]);
        }
    }
    let sql = select("", &format!("{} ORDER BY q.seq DESC LIMIT {limit}", conditions.sql));
    let found = records(connection, &sql, conditions.values).map_err(|error| failed(&error))?;
    Ok(found.into_iter().map(|(_, record)| record).collect())
}

/// One query.
pub(super) fn get(connection: &Connection, id: QueryId) -> Result<Option<QueryRecord>> {
    let id = Value::Blob(id.0.as_bytes().to_vec());
    let found = records(connection, &select("", " WHERE q.query_id = ?"), vec![id]).map_err(|error| failed(&error))?;
    Ok(found.into_iter().next().map(|(_, record)| record))
}

/// The queries that have not ended, with their numbers.
pub(super) fn not_ended(connection: &Connection) -> rusqlite::Result<Vec<(i64, QueryRecord)>> {
    records(connection, &select("INDEXED BY queries_alive", " WHERE q.ended_at IS NULL"), Vec::new())
}

/// The ended queries, also those that were removed, by day, user, workgroup and database, in that order.
pub(super) fn totals(connection: &Connection, filter: &UsageFilter) -> Result<Vec<UsageTotal>> {
    let mut conditions = Conditions::default();
    conditions.days(filter);
    conditions.texts(&filter.texts, &["user", "workgroup", "database"]);
    let sql = format!("SELECT * FROM usage_by_day{} ORDER BY day, user, workgroup, database", conditions.sql);
    rows(connection, &sql, conditions.values, usage_total).map_err(|error| failed(&error))
}

/// The ended queries, also those that were removed, by day, user, workgroup and table that they read, in that order.
pub(super) fn table_totals(connection: &Connection, filter: &UsageFilter) -> Result<Vec<TableTotal>> {
    let mut conditions = Conditions::default();
    conditions.days(filter);
    conditions.texts(&filter.texts, &["user", "workgroup", "table_name"]);
    let sql = format!("SELECT * FROM table_usage_by_day{} ORDER BY day, user, workgroup, table_name", conditions.sql);
    rows(connection, &sql, conditions.values, table_total).map_err(|error| failed(&error))
}

fn usage_total(row: &Row<'_>) -> rusqlite::Result<UsageTotal> {
    Ok(UsageTotal {
        day: day(row)?,
        user: row.get("user")?,
        workgroup: row.get("workgroup")?,
        database: row.get("database")?,
        queries: count(row, "queries")?,
        data_scanned_bytes: count(row, "data_scanned_bytes")?,
        fetched_bytes: count(row, "fetched_bytes")?,
        requests: count(row, "requests")?,
        bill: bill(row)?,
    })
}

fn table_total(row: &Row<'_>) -> rusqlite::Result<TableTotal> {
    Ok(TableTotal {
        day: day(row)?,
        user: row.get("user")?,
        workgroup: row.get("workgroup")?,
        table_name: row.get("table_name")?,
        queries: count(row, "queries")?,
        data_scanned_bytes: count(row, "data_scanned_bytes")?,
        metadata_bytes: count(row, "metadata_bytes")?,
    })
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: Vec<Value>,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    rows.collect()
}

/// Whole records with their numbers.
fn records(connection: &Connection, sql: &str, values: Vec<Value>) -> rusqlite::Result<Vec<(i64, QueryRecord)>> {
    let mut found = rows(connection, sql, values, |row| Ok((row.get("seq")?, record(row)?)))?;
    for (seq, record) in &mut found {
        let seq = || vec![Value::Integer(*seq)];
        record.tables = rows(connection, "SELECT * FROM query_tables WHERE seq = ? ORDER BY table_name", seq(), table)?;
        record.stores = rows(connection, "SELECT * FROM query_stores WHERE seq = ? ORDER BY store", seq(), store)?;
    }
    Ok(found)
}

fn record(row: &Row<'_>) -> rusqlite::Result<QueryRecord> {
    let labels: String = row.get("labels")?;
    let kind: Option<String> = row.get("statement_type")?;
    let error_kind: Option<String> = row.get("error_kind")?;
    let ending: Option<String> = row.get("ending")?;
    let state: String = row.get("state")?;
    let quoted = match (known(row, "quoted_bytes")?, row.get("quoted_nano_usd")?, row.get("quoted_rest_atto_usd")?) {
        (Some(data_scanned_bytes), Some(nano), Some(rest)) => Some(Quoted { data_scanned_bytes, cost: amount(nano, rest) }),
        _ => None,
    };
    Ok(QueryRecord {
        query_id: QueryId(uuid::Uuid::from_bytes(row.get("query_id")?)),
        state: QueryState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| unreadable(Error::corrupt(format!("\"{state}\" is not a query state"))))?,
        user: row.get("user")?,
        workgroup: row.get("workgroup")?,
        database: row.get("database")?,
        labels: serde_json::from_str(&labels).unwrap_or_default(),
        origin: Origin {
            application: row.get("application")?,
            session_id: row.get("session_id")?,
            parent_id: row.get("parent_id")?,
            root_id: row.get("root_id")?,
        },
        statement: row.get("statement")?,
        normalized: row.get("normalized")?,
        fingerprint: row.get::<_, Option<i64>>("fingerprint")?.map(i64::cast_unsigned),
        statement_type: kind.as_deref().and_then(StatementKind::parse),
        submitted_at: time(row.get("submitted_at")?),
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(time),
        ending: ending.as_deref().and_then(Ending::parse),
        error_kind: error_kind.and_then(|kind| ErrorKind::ALL.into_iter().find(|known| known.as_str() == kind)),
        error_message: row.get("error_message")?,
        usage: Usage {
            data_scanned_bytes: count(row, "data_scanned_bytes")?,
            metadata_bytes: count(row, "metadata_bytes")?,
            fetched_bytes: count(row, "fetched_bytes")?,
            requests: requests(row)?,
            partitions: scanned(row, "partitions_scanned", "partitions_total")?,
            files: scanned(row, "files_scanned", "files_total")?,
            row_groups: scanned(row, "row_groups_scanned", "row_groups_total")?,
            rows: count(row, "rows")?,
        },
        stores: Vec::new(),
        tables: Vec::new(),
        bill: bill(row)?,
        tariff: row.get("tariff")?,
        quoted,
        peak_memory_bytes: known(row, "peak_memory_bytes")?,
        timings: Timings {
            queued: count(row, "queued_ms")?,
            planning: count(row, "planning_ms")?,
            listing: count(row, "listing_ms")?,
            execution: count(row, "execution_ms")?,
            total: count(row, "total_ms")?,
        },
        queue_position: None,
    })
}

fn table(row: &Row<'_>) -> rusqlite::Result<TableUsage> {
    let name: String = row.get("table_name")?;
    let (database, table) = name.split_once('.').unwrap_or(("", name.as_str()));
    Ok(TableUsage {
        table: TableName::new(database, table),
        data_scanned_bytes: count(row, "data_scanned_bytes")?,
        metadata_bytes: count(row, "metadata_bytes")?,
        partitions: scanned(row, "partitions_scanned", "partitions_total")?,
        files: scanned(row, "files_scanned", "files_total")?,
        row_groups: scanned(row, "row_groups_scanned", "row_groups_total")?,
        has_partition_keys: row.get("has_partition_keys")?,
        is_partition_filtered: row.get("is_partition_filtered")?,
    })
}

fn store(row: &Row<'_>) -> rusqlite::Result<StoreUsage> {
    Ok(StoreUsage { store: row.get("store")?, requests: requests(row)?, fetched_bytes: count(row, "fetched_bytes")? })
}

fn requests(row: &Row<'_>) -> rusqlite::Result<Requests> {
    Ok(Requests {
        get: count(row, "requests_get")?,
        head: count(row, "requests_head")?,
        list: count(row, "requests_list")?,
        put: count(row, "requests_put")?,
        delete: count(row, "requests_delete")?,
    })
}

fn scanned(row: &Row<'_>, scanned: &str, total: &str) -> rusqlite::Result<Scanned> {
    Ok(Scanned { scanned: count(row, scanned)?, total: known(row, total)? })
}

/// The bill of one query, or of many. What the parts leave of the cost is for the scan.
fn bill(row: &Row<'_>) -> rusqlite::Result<Bill> {
    let cost = amount(row.get("cost_nano_usd")?, row.get("cost_rest_atto_usd")?);
    let requests = amount(row.get("requests_nano_usd")?, row.get("requests_rest_atto_usd")?);
    let transfer = amount(row.get("transfer_nano_usd")?, row.get("transfer_rest_atto_usd")?);
    let scan = Usd::from_atto(cost.atto().saturating_sub((requests + transfer).atto()));
    Ok(Bill { billed_bytes: count(row, "billed_bytes")?, scan, requests, transfer })
}

/// An amount as it is stored: 10^-9 USD, and what is below them.
pub(super) fn amount(nano: i64, rest: i64) -> Usd {
    Usd::from_atto(u128::from(unsigned(nano)) * ATTO_PER_NANO + u128::from(unsigned(rest)))
}

fn day(row: &Row<'_>) -> rusqlite::Result<NaiveDate> {
    let day: String = row.get("day")?;
    NaiveDate::parse_from_str(&day, "%Y-%m-%d").map_err(unreadable)
}

fn count(row: &Row<'_>, name: &str) -> rusqlite::Result<u64> {
    row.get(name).map(unsigned)
}

fn known(row: &Row<'_>, name: &str) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(name).map(|value| value.map(unsigned))
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}
