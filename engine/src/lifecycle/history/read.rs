//! Reads the history: filters become conditions in SQLite, and rows are returned page by page, so that they are never all in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, types::Type};

use super::{
    record::{PageFilter, Position, QueryFilter, QueryRecord, TextBounds, UsageFilter, UsageTotal},
    schema::{ATTO_PER_NANO, failed},
};
use crate::{
    accounting::{Bill, Requests, Scanned, Timings, Usage, Usd},
    error::{Error, ErrorKind, Result},
    lifecycle::{QueryId, QueryState},
    statement_kind::StatementKind,
};

/// Values of one list that SQLite filters by; a longer list is left to the caller, who filters again.
const MAX_VALUES: usize = 500;

/// The columns of text that can be filtered, and whether their values stay the same while a query runs. Filters on others are ignored here.
const TEXTS: [(&str, bool); 8] = [
    ("query_id", true),
    ("user", true),
    ("workgroup", true),
    ("database", true),
    ("statement", true),
    ("state", false),
    ("statement_type", false),
    ("error_kind", false),
];

/// A condition in SQL with its values.
#[derive(Default)]
struct Conditions<'a> {
    sql: String,
    values: Vec<Box<dyn ToSql + 'a>>,
}

impl<'a> Conditions<'a> {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Box<dyn ToSql + 'a>>) {
        self.sql += if self.sql.is_empty() { " WHERE " } else { " AND " };
        self.sql += condition;
        self.values.extend(values);
    }

    fn texts(&mut self, texts: &'a BTreeMap<String, TextBounds>) {
        for (column, is_fixed) in TEXTS {
            let Some(bounds) = texts.get(column) else { continue };
            let (mut conditions, mut values) = (Vec::new(), Vec::<Box<dyn ToSql>>::new());
            if let Some(wanted) = bounds.values.as_ref().filter(|wanted| wanted.len() <= MAX_VALUES) {
                conditions.push(format!("{column} IN ({})", vec!["?"; wanted.len()].join(", ")));
                values.extend(wanted.iter().map(|value| Box::new(value.as_str()) as _));
            }
            for (comparison, bound) in [(">=", &bounds.from), ("<=", &bounds.until)] {
                if let Some(bound) = bound {
                    conditions.push(format!("{column} {comparison} ?"));
                    values.push(Box::new(bound.as_str()));
                }
            }
            match conditions.is_empty() {
                true => {}
                false if is_fixed => self.add(&conditions.join(" AND "), values),
                // A running query may differ by now from its row.
                false => self.add(&format!("({} OR ended_at IS NULL)", conditions.join(" AND ")), values),
            }
        }
    }

    fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(AsRef::as_ref).collect()
    }
}

/// The queries that the filter lets through, newest first.
pub(super) fn list(connection: &Connection, filter: &QueryFilter) -> Result<Vec<QueryRecord>> {
    let mut conditions = Conditions::default();
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    if let Some(since) = filter.since {
        conditions.add("submitted_at >= ?", [Box::new(since.timestamp_millis()) as _]);
    }
    if let Some(until) = filter.until {
        conditions.add("submitted_at < ?", [Box::new(until.timestamp_millis()) as _]);
    }
    let words = [
        ("state", filter.state.map(QueryState::as_str)),
        ("user", filter.user.as_deref()),
        ("workgroup", filter.workgroup.as_deref()),
    ];
    for (column, word) in words {
        if let Some(word) = word {
            conditions.add(&format!("{column} = ?"), [Box::new(word) as _]);
        }
    }
    let sql = format!("SELECT * FROM queries{} ORDER BY submitted_at DESC, query_id DESC LIMIT {limit}", conditions.sql);
    rows(connection, &sql, &conditions.values(), record)
}

/// The next queries after a position, in the filter's order.
pub(super) fn page(
    connection: &Connection,
    filter: &PageFilter,
    after: Option<Position>,
    limit: usize,
) -> Result<Vec<QueryRecord>> {
    let mut conditions = Conditions::default();
    conditions.texts(&filter.texts);
    if let Some(since) = filter.since {
        conditions.add("submitted_at >= ?", [Box::new(since.timestamp_millis()) as _]);
    }
    if let Some(until) = filter.until {
        conditions.add("submitted_at <= ?", [Box::new(until.timestamp_millis()) as _]);
    }
    let (direction, beyond) = if filter.newest_first { ("DESC", "<") } else { ("ASC", ">") };
    if let Some((submitted_at, id)) = after {
        let key: [Box<dyn ToSql>; 2] = [Box::new(submitted_at.timestamp_millis()), Box::new(id.to_string())];
        conditions.add(&format!("(submitted_at, query_id) {beyond} (?, ?)"), key);
    }
    // Texts are most of a row, and often not wanted.
    let columns = COLUMNS.map(|name| match name {
        "statement" | "error_message" if !filter.with_texts => format!("'' AS {name}"),
        "labels" if !filter.with_texts => "'{}' AS labels".to_owned(),
        name => name.to_owned(),
    });
    let columns = columns.join(", ");
    let where_ = &conditions.sql;
    let sql =
        format!("SELECT {columns} FROM queries{where_} ORDER BY submitted_at {direction}, query_id {direction} LIMIT {limit}");
    rows(connection, &sql, &conditions.values(), record)
}

/// The columns of a record.
const COLUMNS: [&str; 35] = [
    "query_id",
    "state",
    "user",
    "workgroup",
    "database",
    "labels",
    "statement",
    "statement_type",
    "submitted_at",
    "ended_at",
    "error_kind",
    "error_message",
    "data_scanned_bytes",
    "metadata_bytes",
    "fetched_bytes",
    "billed_bytes",
    "cost_nano_usd",
    "cost_rest_atto_usd",
    "requests_get",
    "requests_head",
    "requests_list",
    "requests_put",
    "requests_delete",
    "partitions_scanned",
    "partitions_total",
    "files_scanned",
    "files_total",
    "row_groups_scanned",
    "row_groups_total",
    "rows",
    "queued_ms",
    "planning_ms",
    "listing_ms",
    "execution_ms",
    "total_ms",
];

/// One query.
pub(super) fn get(connection: &Connection, id: QueryId) -> Result<Option<QueryRecord>> {
    connection
        .prepare_cached("SELECT * FROM queries WHERE query_id = ?")
        .and_then(|mut statement| statement.query_row([id.to_string()], record).optional())
        .map_err(|e| failed(&e))
}

/// The ended queries, including those of which only the sums are kept, by day, user, workgroup and database, in that order.
pub(super) fn totals(connection: &Connection, filter: &UsageFilter) -> Result<Vec<UsageTotal>> {
    let after = |day: NaiveDate| day.succ_opt().unwrap_or(day);
    let millis = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    let (mut listed, mut summed) = (Conditions::default(), Conditions::default());
    listed.add("ended_at IS NOT NULL", []);
    listed.texts(&filter.texts);
    summed.texts(&filter.texts);
    if let Some(since) = filter.since {
        listed.add("submitted_at >= ?", [Box::new(millis(since)) as _]);
        summed.add("day >= ?", [Box::new(since.to_string()) as _]);
    }
    if let Some(until) = filter.until {
        listed.add("submitted_at < ?", [Box::new(millis(after(until))) as _]);
        summed.add("day <= ?", [Box::new(until.to_string()) as _]);
    }
    let sql = format!(
        "SELECT day, user, workgroup, database, sum(queries), sum(scanned), sum(billed), sum(nano), sum(rest) FROM (
            SELECT date(submitted_at / 1000, 'unixepoch') AS day, user, workgroup, database, count(*) AS queries,
                sum(data_scanned_bytes) AS scanned, sum(billed_bytes) AS billed, sum(cost_nano_usd) AS nano,
                sum(cost_rest_atto_usd) AS rest
            FROM queries{} GROUP BY day, user, workgroup, database
            UNION ALL
            SELECT day, user, workgroup, database, queries, data_scanned_bytes, billed_bytes, cost_nano_usd, cost_rest_atto_usd
            FROM usage_by_day{}
        ) GROUP BY day, user, workgroup, database ORDER BY day, user, workgroup, database",
        listed.sql, summed.sql
    );
    let values: Vec<_> = listed.values().into_iter().chain(summed.values()).collect();
    rows(connection, &sql, &values, |row| {
        let day: String = row.get(0)?;
        Ok(UsageTotal {
            day: NaiveDate::parse_from_str(&day, "%Y-%m-%d").map_err(|e| unreadable(0, e))?,
            user: row.get(1)?,
            workgroup: row.get(2)?,
            database: row.get(3)?,
            queries: unsigned(row.get(4)?),
            data_scanned_bytes: unsigned(row.get(5)?),
            bill: bill(row.get(6)?, row.get(7)?, row.get(8)?),
        })
    })
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql).map_err(|e| failed(&e))?;
    let rows = statement.query_map(values, read).map_err(|e| failed(&e))?;
    rows.collect::<rusqlite::Result<_>>().map_err(|e| failed(&e))
}

fn record(row: &Row<'_>) -> rusqlite::Result<QueryRecord> {
    let count = |name: &str| row.get::<_, i64>(name).map(unsigned);
    let known = |name: &str| row.get::<_, Option<i64>>(name).map(|value| value.map(unsigned));
    let labels: String = row.get("labels")?;
    let kind: Option<String> = row.get("statement_type")?;
    let error_kind: Option<String> = row.get("error_kind")?;
    let id: String = row.get("query_id")?;
    let state: String = row.get("state")?;
    Ok(QueryRecord {
        query_id: id.parse().map_err(|e: Error| unreadable(0, e))?,
        state: QueryState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| unreadable(2, Error::corrupt(format!("\"{state}\" is not a query state"))))?,
        user: row.get("user")?,
        workgroup: row.get("workgroup")?,
        database: row.get("database")?,
        labels: serde_json::from_str(&labels).unwrap_or_default(),
        statement: row.get("statement")?,
        statement_type: kind.as_deref().and_then(StatementKind::parse),
        submitted_at: time(row.get("submitted_at")?),
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(time),
        error_kind: error_kind.and_then(|kind| ErrorKind::ALL.into_iter().find(|known| known.as_str() == kind)),
        error_message: row.get("error_message")?,
        usage: Usage {
            data_scanned_bytes: count("data_scanned_bytes")?,
            metadata_bytes: count("metadata_bytes")?,
            fetched_bytes: count("fetched_bytes")?,
            requests: Requests {
                get: count("requests_get")?,
                head: count("requests_head")?,
                list: count("requests_list")?,
                put: count("requests_put")?,
                delete: count("requests_delete")?,
            },
            partitions: Scanned { scanned: count("partitions_scanned")?, total: known("partitions_total")? },
            files: Scanned { scanned: count("files_scanned")?, total: known("files_total")? },
            row_groups: Scanned { scanned: count("row_groups_scanned")?, total: known("row_groups_total")? },
            rows: count("rows")?,
        },
        bill: bill(row.get("billed_bytes")?, row.get("cost_nano_usd")?, row.get("cost_rest_atto_usd")?),
        tariff: None,
        timings: Timings {
            queued: count("queued_ms")?,
            planning: count("planning_ms")?,
            listing: count("listing_ms")?,
            execution: count("execution_ms")?,
            total: count("total_ms")?,
        },
    })
}

/// A bill of which the total is kept.
fn bill(billed_bytes: i64, nano: i64, rest: i64) -> Bill {
    let total = u128::from(unsigned(nano)) * ATTO_PER_NANO + u128::from(unsigned(rest));
    Bill::from_parts(unsigned(billed_bytes), Usd::from_atto(total), Usd::ZERO, Usd::ZERO)
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
