//! What the history stores for a query, and the filters to read it by. Plain data: `write` stores it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    accounting::{Bill, StoreUsage, TableUsage, Timings, Usage, Usd},
    error::ErrorKind,
    lifecycle::{Ending, QueryId, QueryReport, QueryState},
    session::Origin,
    statement_kind::StatementKind,
};

/// One query in the history: who asked what, how it ended, and what it used and cost.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRecord {
    pub query_id: QueryId,
    pub state: QueryState,
    pub user: String,
    pub workgroup: String,
    /// The database that was current when the statement came in.
    pub database: String,
    pub labels: BTreeMap<String, String>,
    /// Where the statement came from.
    pub origin: Origin,
    /// The statement as it came in, or without its literals if they are redacted.
    pub statement: String,
    /// The statement without literals, comments and what else does not matter; absent for text that cannot be read.
    pub normalized: Option<String>,
    /// The hash of the normalised statement, or of the text itself if it cannot be read.
    pub fingerprint: Option<u64>,
    /// Absent for text that never parsed.
    pub statement_type: Option<StatementKind>,
    pub submitted_at: DateTime<Utc>,
    /// Present once the state is terminal.
    pub ended_at: Option<DateTime<Utc>>,
    /// Present once the state is terminal.
    pub ending: Option<Ending>,
    pub error_kind: Option<ErrorKind>,
    pub error_message: Option<String>,
    /// The figures at the end; of a running query, so far.
    pub usage: Usage,
    /// The figures by store, in order of the stores.
    pub stores: Vec<StoreUsage>,
    /// The figures by table, in order of the tables.
    pub tables: Vec<TableUsage>,
    /// Zero for free queries: DDL, `SHOW`, `EXPLAIN`, failed ones.
    pub bill: Bill,
    /// The tariff by which the bill was made: `name@version`. Absent where it is not known.
    pub tariff: Option<String>,
    /// Absent if nothing was quoted.
    pub quoted: Option<Quoted>,
    /// The most memory that it held at a time; absent if that was not measured.
    pub peak_memory_bytes: Option<u64>,
    pub timings: Timings,
    /// Its place in the queue of its workgroup, from 1 on, while it waits there. The history does not keep it.
    pub queue_position: Option<u64>,
}

/// What a query was quoted before it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// Table data that it reads at most.
    pub data_scanned_bytes: u64,
    pub cost: Usd,
}

impl QueryRecord {
    /// A query that was received at this time, by nobody and without a text.
    #[must_use]
    pub fn received(query_id: QueryId, submitted_at: DateTime<Utc>) -> Self {
        Self {
            query_id,
            state: QueryState::Queued,
            user: String::new(),
            workgroup: String::new(),
            database: String::new(),
            labels: BTreeMap::new(),
            origin: Origin::default(),
            statement: String::new(),
            normalized: None,
            fingerprint: None,
            statement_type: None,
            submitted_at,
            ended_at: None,
            ending: None,
            error_kind: None,
            error_message: None,
            usage: Usage::default(),
            stores: Vec::new(),
            tables: Vec::new(),
            bill: Bill::default(),
            tariff: None,
            quoted: None,
            peak_memory_bytes: None,
            timings: Timings::default(),
            queue_position: None,
        }
    }

    #[must_use]
    pub fn report(&self) -> QueryReport {
        QueryReport {
            query_id: self.query_id,
            state: self.state,
            usage: self.usage,
            bill: self.bill,
            tariff: self.tariff.clone(),
            timings: self.timings,
            scan: None,
            listing: None,
            repair: None,
        }
    }
}

/// Which queries to list. Every field that is set narrows; the newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryFilter {
    /// Submitted at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Submitted before this time.
    pub until: Option<DateTime<Utc>>,
    pub state: Option<QueryState>,
    pub user: Option<String>,
    pub workgroup: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// Which values of a text column are wanted. More may pass than were asked for, never fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TextBounds {
    /// One of these; `None` is any.
    pub values: Option<BTreeSet<String>>,
    /// Not before this one, byte by byte.
    pub from: Option<String>,
    /// Not after this one.
    pub until: Option<String>,
}

impl TextBounds {
    /// Only these.
    #[must_use]
    pub(crate) fn of(values: BTreeSet<String>) -> Self {
        Self { values: Some(values), ..Self::default() }
    }

    /// The values that pass both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let values = match (self.values, other.values) {
            (Some(mut values), Some(other)) => {
                values.retain(|value| other.contains(value));
                Some(values)
            }
            (values, other) => values.or(other),
        };
        let until = match (self.until, other.until) {
            (Some(until), Some(other)) => Some(until.min(other)),
            (until, other) => until.or(other),
        };
        Self { values, from: self.from.max(other.from), until }
    }

    #[must_use]
    pub(crate) fn allow(&self, text: &str) -> bool {
        self.values.as_ref().is_none_or(|values| values.contains(text))
            && self.from.as_deref().is_none_or(|from| text >= from)
            && self.until.as_deref().is_none_or(|until| text <= until)
    }
}

/// Which values of a column of numbers are wanted, in 10^-18 of its unit. More may pass than were asked for, never fewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NumberBounds {
    /// Not less than this; `None` is any.
    pub(crate) from: Option<i128>,
    /// Not more than this.
    pub(crate) until: Option<i128>,
}

impl NumberBounds {
    /// The values that pass both.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let until = match (self.until, other.until) {
            (Some(until), Some(other)) => Some(until.min(other)),
            (until, other) => until.or(other),
        };
        Self { from: self.from.max(other.from), until }
    }
}

/// Which sums are wanted, by day of submission (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UsageFilter {
    /// This day or later.
    pub since: Option<NaiveDate>,
    /// This day or before.
    pub until: Option<NaiveDate>,
    /// By column: `user`, `workgroup`, and `database` or `table_name`.
    pub texts: BTreeMap<String, TextBounds>,
}

/// The ended queries of one day (UTC), user, workgroup and database, summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageTotal {
    /// The day of submission.
    pub day: NaiveDate,
    pub user: String,
    pub workgroup: String,
    pub database: String,
    pub queries: u64,
    pub data_scanned_bytes: u64,
    pub fetched_bytes: u64,
    /// Of all kinds.
    pub requests: u64,
    /// The sums of the single bills, each with its own rounding.
    pub bill: Bill,
}

/// The ended queries of one day (UTC), user and workgroup that read one table, summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableTotal {
    /// The day of submission.
    pub day: NaiveDate,
    pub user: String,
    pub workgroup: String,
    /// `database.table`.
    pub table_name: String,
    pub queries: u64,
    /// Of this table alone.
    pub data_scanned_bytes: u64,
    pub metadata_bytes: u64,
}
