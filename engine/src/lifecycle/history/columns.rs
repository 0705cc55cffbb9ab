//! The columns of the history's tables as users read them: their names, what they mean, where SQLite has them and where a record has them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use rusqlite::{Row, types::ValueRef};
use uuid::Uuid;

use super::{record::QueryRecord, schema::ATTO_PER_NANO};
use crate::{accounting::Usd, lifecycle::Ending, statement_kind::StatementKind};

/// One of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HistoryTable {
    /// A row for each query.
    Queries,
    /// A row for each table that a query read.
    Tables,
    /// A row for each store that a query asked.
    Stores,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// The id of a query, as text.
    Id,
    /// 64 bits, as 16 hexadecimal digits.
    Hash,
    Count,
    Time,
    Money,
    Flag,
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Count(u64),
    /// Milliseconds since 1970 in UTC.
    Time(i64),
    /// In 10^-18 USD.
    Money(i128),
    Flag(bool),
}

/// A column of one of the tables.
#[derive(Debug)]
pub(crate) struct HistoryColumn {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) meaning: &'static str,
    /// Its value in SQLite, of `queries q`, `query_texts t`, `query_statements n`, or of `d`, the tables or stores of a query.
    pub(super) sql: &'static str,
    /// Of money what is below `sql`'s 10^-9 USD.
    pub(super) rest: Option<&'static str>,
    /// Its value in a query that has not ended; absent for what is read from SQLite alone.
    pub(super) of: Option<fn(&QueryRecord) -> Cell<'_>>,
}

impl HistoryTable {
    pub(crate) const fn columns(self) -> &'static [HistoryColumn] {
        match self {
            Self::Queries => QUERIES,
            Self::Tables => TABLES,
            Self::Stores => STORES,
        }
    }

    /// A column by its name.
    pub(super) fn column(self, name: &str) -> Option<&'static HistoryColumn> {
        self.columns().iter().find(|column| column.name == name)
    }
}

impl HistoryColumn {
    /// Whether SQLite has it in the table of this alias.
    pub(super) fn is_of(&self, alias: char) -> bool {
        self.sql.starts_with(alias)
    }

    /// Its value in a row, where it begins at a column.
    pub(super) fn cell<'a>(&self, row: &'a Row<'_>, at: usize) -> rusqlite::Result<Cell<'a>> {
        Ok(match (self.kind, row.get_ref(at)?) {
            (_, ValueRef::Null) => Cell::Null,
            (Kind::Text, ValueRef::Text(text)) => Cell::Text(String::from_utf8_lossy(text)),
            (Kind::Id, ValueRef::Blob(bytes)) => Cell::from(Uuid::from_slice(bytes).ok().map(|id| id.to_string())),
            (Kind::Hash, ValueRef::Integer(hash)) => hash_text(hash.cast_unsigned()).into(),
            (Kind::Count, ValueRef::Integer(count)) => Cell::Count(u64::try_from(count).unwrap_or(0)),
            (Kind::Time, ValueRef::Integer(millis)) => Cell::Time(millis),
            (Kind::Money, ValueRef::Integer(nano)) => {
                Cell::Money(i128::from(nano) * ATTO_PER_NANO.cast_signed() + i128::from(row.get::<_, i64>(at + 1)?))
            }
            (Kind::Flag, ValueRef::Integer(flag)) => Cell::Flag(flag != 0),
            (_, other) => return Err(rusqlite::Error::InvalidColumnType(at, self.name.to_owned(), other.data_type())),
        })
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Cell<'_> {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<DateTime<Utc>> for Cell<'_> {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(time.timestamp_millis())
    }
}

impl From<Usd> for Cell<'_> {
    fn from(amount: Usd) -> Self {
        Self::Money(i128::try_from(amount.atto()).unwrap_or(i128::MAX))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A fingerprint as users see it.
fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The fingerprint that a text says.
pub(super) fn parse_hash(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16)
}

type Of = fn(&QueryRecord) -> Cell<'_>;

const fn column(name: &'static str, kind: Kind, sql: &'static str, of: Of, meaning: &'static str) -> HistoryColumn {
    HistoryColumn { name, kind, meaning, sql, rest: None, of: Some(of) }
}

const fn text(name: &'static str, sql: &'static str, of: Of, meaning: &'static str) -> HistoryColumn {
    column(name, Kind::Text, sql, of, meaning)
}

const fn count(name: &'static str, sql: &'static str, of: Of, meaning: &'static str) -> HistoryColumn {
    column(name, Kind::Count, sql, of, meaning)
}

const fn money(name: &'static str, sql: [&'static str; 2], of: Of, meaning: &'static str) -> HistoryColumn {
    let [nano, rest] = sql;
    HistoryColumn { name, kind: Kind::Money, meaning, sql: nano, rest: Some(rest), of: Some(of) }
}

/// A column of the tables or stores of queries.
const fn detail(name: &'static str, kind: Kind, sql: &'static str, meaning: &'static str) -> HistoryColumn {
    HistoryColumn { name, kind, meaning, sql, rest: None, of: None }
}

/// Released columns stay where they are: append.
const QUERIES: &[HistoryColumn] = &[
    column("query_id", Kind::Id, "q.query_id", |r| r.query_id.to_string().into(), "Id of the query"),
    text("state", "q.state", |r| r.state.as_str().into(), "QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED"),
    text("user", "q.user", |r| r.user.as_str().into(), "User who ran it"),
    text("workgroup", "q.workgroup", |r| r.workgroup.as_str().into(), "Workgroup of the session"),
    text("database", "q.database", |r| r.database.as_str().into(), "Database of the session"),
    text("labels", "t.labels", |r| serde_json::to_string(&r.labels).ok().into(), "Labels of the session, as a JSON object"),
    text("statement", "t.statement", |r| r.statement.as_str().into(), "Text of the statement"),
    text(
        "statement_type",
        "q.statement_type",
        |r| r.statement_type.map(StatementKind::as_str).into(),
        "DDL, DML or UTILITY; NULL if the statement could not be parsed",
    ),
    column("submitted_at", Kind::Time, "q.submitted_at", |r| r.submitted_at.into(), "When it was submitted"),
    column("ended_at", Kind::Time, "q.ended_at", |r| r.ended_at.into(), "When it ended; NULL while it is queued or running"),
    text(
        "error_kind",
        "q.error_kind",
        |r| r.error_kind.map(|kind| kind.as_str()).into(),
        "Kind of the error that ended it, such as INVALID; NULL if there was none",
    ),
    text("error_message", "t.error_message", |r| r.error_message.as_deref().into(), "Message of that error"),
    count(
        "data_scanned_bytes",
        "q.data_scanned_bytes",
        |r| r.usage.data_scanned_bytes.into(),
        "Bytes of table data that were read, as compressed in the files",
    ),
    count(
        "metadata_bytes",
        "q.metadata_bytes",
        |r| r.usage.metadata_bytes.into(),
        "Bytes of footers, page indexes and bloom filters that were fetched; 0 if they were cached",
    ),
    count(
        "fetched_bytes",
        "q.fetched_bytes",
        |r| r.usage.fetched_bytes.into(),
        "Bytes of all responses of the store; for local files, of all reads",
    ),
    count("billed_bytes", "q.billed_bytes", |r| r.bill.billed_bytes.into(), "Bytes that the query is billed for"),
    money("cost_usd", ["q.cost_nano_usd", "q.cost_rest_atto_usd"], |r| r.bill.total().into(), "Cost in USD"),
    count("requests_get", "q.requests_get", |r| r.usage.requests.get.into(), "GET requests to the store"),
    count("requests_head", "q.requests_head", |r| r.usage.requests.head.into(), "HEAD requests"),
    count("requests_list", "q.requests_list", |r| r.usage.requests.list.into(), "LIST requests"),
    count("requests_put", "q.requests_put", |r| r.usage.requests.put.into(), "PUT and POST requests"),
    count("requests_delete", "q.requests_delete", |r| r.usage.requests.delete.into(), "DELETE requests"),
    count("partitions_scanned", "q.partitions_scanned", |r| r.usage.partitions.scanned.into(), "Partitions that were read"),
    count(
        "partitions_total",
        "q.partitions_total",
        |r| r.usage.partitions.total.into(),
        "Partitions of the tables; NULL if unknown",
    ),
    count("files_scanned", "q.files_scanned", |r| r.usage.files.scanned.into(), "Files that were read"),
    count(
        "files_total",
        "q.files_total",
        |r| r.usage.files.total.into(),
        "Files of the partitions that were read; NULL if unknown",
    ),
    count("row_groups_scanned", "q.row_groups_scanned", |r| r.usage.row_groups.scanned.into(), "Row groups that were read"),
    count(
        "row_groups_total",
        "q.row_groups_total",
        |r| r.usage.row_groups.total.into(),
        "Row groups of the files that were read; NULL if unknown",
    ),
    count("rows", "q.rows", |r| r.usage.rows.into(), "Rows of the result"),
    count("queued_ms", "q.queued_ms", |r| r.timings.queued.into(), "Milliseconds that it waited for its turn"),
    count("planning_ms", "q.planning_ms", |r| r.timings.planning.into(), "Milliseconds of planning, apart from listing"),
    count("listing_ms", "q.listing_ms", |r| r.timings.listing.into(), "Milliseconds of listing files"),
    count("execution_ms", "q.execution_ms", |r| r.timings.execution.into(), "Milliseconds of execution"),
    count("total_ms", "q.total_ms", |r| r.timings.total.into(), "Milliseconds from submission to the end"),
    text(
        "ending",
        "q.ending",
        |r| r.ending.map(Ending::as_str).into(),
        "succeeded, cancelled, aborted, timed_out, cut_off, failed, or interrupted: its process ended; NULL while it runs",
    ),
    column(
        "fingerprint",
        Kind::Hash,
        "q.fingerprint",
        |r| r.fingerprint.map(hash_text).into(),
        "Hash of the normalized statement, or of the statement if it cannot be normalized",
    ),
    text(
        "normalized_statement",
        "n.normalized",
        |r| r.normalized.as_deref().into(),
        "The statement in one form of writing, with ? in place of literals; NULL if it cannot be read",
    ),
    text(
        "application",
        "t.application",
        |r| r.origin.application.as_deref().into(),
        "Program that submitted it, as it calls itself",
    ),
    text("session_id", "t.session_id", |r| r.origin.session_id.as_deref().into(), "Id of the session"),
    text(
        "parent_id",
        "t.parent_id",
        |r| r.origin.parent_id.as_deref().into(),
        "What it is a part of, such as a model of dbt: SET SESSION parent_id",
    ),
    text(
        "root_id",
        "t.root_id",
        |r| r.origin.root_id.as_deref().into(),
        "What all of it is a part of, such as a run of dbt: SET SESSION root_id",
    ),
    text("tariff", "t.tariff", |r| r.tariff.as_deref().into(), "Tariff of the bill and its version, such as athena@2026-11-01"),
    money(
        "scan_usd",
        [
            "q.cost_nano_usd - q.requests_nano_usd - q.transfer_nano_usd",
            "q.cost_rest_atto_usd - q.requests_rest_atto_usd - q.transfer_rest_atto_usd",
        ],
        |r| r.bill.scan.into(),
        "Part of the cost that is for bytes of table data",
    ),
    money(
        "requests_usd",
        ["q.requests_nano_usd", "q.requests_rest_atto_usd"],
        |r| r.bill.requests.into(),
        "Part of the cost that is for requests to stores",
    ),
    money(
        "transfer_usd",
        ["q.transfer_nano_usd", "q.transfer_rest_atto_usd"],
        |r| r.bill.transfer.into(),
        "Part of the cost that is for bytes that left stores",
    ),
    count(
        "quoted_bytes",
        "q.quoted_bytes",
        |r| r.quoted.map(|quoted| quoted.data_scanned_bytes).into(),
        "Bytes of table data that it was quoted to read at most; NULL without a quote",
    ),
    money(
        "quoted_cost_usd",
        ["q.quoted_nano_usd", "q.quoted_rest_atto_usd"],
        |r| r.quoted.map(|quoted| quoted.cost).into(),
        "Cost in USD that it was quoted at most; NULL without a quote",
    ),
    count(
        "peak_memory_bytes",
        "q.peak_memory_bytes",
        |r| r.peak_memory_bytes.into(),
        "Most bytes of memory that it held at a time; NULL if not measured",
    ),
    count(
        "queue_position",
        "NULL",
        |r| r.queue_position.into(),
        "Place in the queue of its workgroup, from 1 on, while it waits there in this process; NULL otherwise",
    ),
];

const TABLES: &[HistoryColumn] = &[
    detail("query_id", Kind::Id, "q.query_id", "Id of the query"),
    detail("submitted_at", Kind::Time, "q.submitted_at", "When it was submitted"),
    detail("user", Kind::Text, "q.user", "User who ran it"),
    detail("workgroup", Kind::Text, "q.workgroup", "Workgroup of the session"),
    detail("table_name", Kind::Text, "d.table_name", "Table that the query read, as database.table; all its scans together"),
    detail(
        "data_scanned_bytes",
        Kind::Count,
        "d.data_scanned_bytes",
        "Bytes of its data that were read, as compressed in the files",
    ),
    detail(
        "metadata_bytes",
        Kind::Count,
        "d.metadata_bytes",
        "Bytes of its files' footers, page indexes and bloom filters that were fetched",
    ),
    detail("partitions_scanned", Kind::Count, "d.partitions_scanned", "Partitions that were read"),
    detail("partitions_total", Kind::Count, "d.partitions_total", "Partitions of the table, for each scan; NULL if unknown"),
    detail("files_scanned", Kind::Count, "d.files_scanned", "Files that were read"),
    detail("files_total", Kind::Count, "d.files_total", "Files of the partitions that were read; NULL if unknown"),
    detail("row_groups_scanned", Kind::Count, "d.row_groups_scanned", "Row groups that were read"),
    detail("row_groups_total", Kind::Count, "d.row_groups_total", "Row groups of the files that were read; NULL if unknown"),
    detail("has_partition_keys", Kind::Flag, "d.has_partition_keys", "Whether the table has partition keys"),
    detail(
        "is_partition_filtered",
        Kind::Flag,
        "d.is_partition_filtered",
        "Whether every scan of it was filtered by a partition key",
    ),
];

const STORES: &[HistoryColumn] = &[
    detail("query_id", Kind::Id, "q.query_id", "Id of the query"),
    detail("submitted_at", Kind::Time, "q.submitted_at", "When it was submitted"),
    detail("user", Kind::Text, "q.user", "User who ran it"),
    detail("workgroup", Kind::Text, "q.workgroup", "Workgroup of the session"),
    detail("store", Kind::Text, "d.store", "URL of the store's bucket or root, such as s3://bucket or file://"),
    detail("fetched_bytes", Kind::Count, "d.fetched_bytes", "Bytes of its responses; for local files, of all reads"),
    detail("requests_get", Kind::Count, "d.requests_get", "GET requests"),
    detail("requests_head", Kind::Count, "d.requests_head", "HEAD requests"),
    detail("requests_list", Kind::Count, "d.requests_list", "LIST requests"),
    detail("requests_put", Kind::Count, "d.requests_put", "PUT and POST requests"),
    detail("requests_delete", Kind::Count, "d.requests_delete", "DELETE requests"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_sixteen_digits() {
        for hash in [0, 0xab, u64::MAX] {
            assert_eq!((hash_text(hash).len(), parse_hash(&hash_text(hash))), (16, Some(hash)));
        }
        for text in ["", "ab", "0x000000000000ab", "00000000000000abc", "not a fingerprint"] {
            assert_eq!(parse_hash(text), None, "{text}");
        }
    }
}
