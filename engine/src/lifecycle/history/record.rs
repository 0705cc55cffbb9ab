//! What the history stores for a query, and the filters to read it by. Plain data: `schema` stores it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    accounting::{Bill, Timings, Usage},
    error::ErrorKind,
    lifecycle::{QueryId, QueryReport, QueryState},
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
    /// The statement as it came in.
    pub statement: String,
    /// Absent for text that never parsed.
    pub statement_type: Option<StatementKind>,
    pub submitted_at: DateTime<Utc>,
    /// Present once the state is terminal.
    pub ended_at: Option<DateTime<Utc>>,
    pub error_kind: Option<ErrorKind>,
    pub error_message: Option<String>,
    /// The figures at the end; of a running query, so far.
    pub usage: Usage,
    /// Zero for free queries: DDL, `SHOW`, `EXPLAIN`, failed ones.
    pub bill: Bill,
    /// The tariff by which the bill was made: `name@version`. Absent where it is not known.
    pub tariff: Option<String>,
    pub timings: Timings,
}

impl QueryRecord {
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

/// Where a page of queries ended: the next begins after it.
pub type Position = (DateTime<Utc>, QueryId);

/// Which values of a text column are wanted. More may pass than were asked for, never fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextBounds {
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
    pub fn of(values: BTreeSet<String>) -> Self {
        Self { values: Some(values), ..Self::default() }
    }

    /// The values that pass both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
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
    pub fn allow(&self, text: &str) -> bool {
        self.values.as_ref().is_none_or(|values| values.contains(text))
            && self.from.as_deref().is_none_or(|from| text >= from)
            && self.until.as_deref().is_none_or(|until| text <= until)
    }
}

/// Which queries are read page by page, in order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageFilter {
    /// By column of the history.
    pub texts: BTreeMap<String, TextBounds>,
    /// Submitted at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Submitted at this time or before.
    pub until: Option<DateTime<Utc>>,
    pub newest_first: bool,
    /// Whether statements, labels and messages are wanted; without, they are empty.
    pub with_texts: bool,
}

/// Which sums are wanted, by day of submission (UTC).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// This day or later.
    pub since: Option<NaiveDate>,
    /// This day or before.
    pub until: Option<NaiveDate>,
    /// By column: `user`, `workgroup`, `database`.
    pub texts: BTreeMap<String, TextBounds>,
}

/// The ended queries of one day (UTC), user, workgroup and database, summed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTotal {
    /// The day of submission.
    pub day: NaiveDate,
    pub user: String,
    pub workgroup: String,
    pub database: String,
    pub queries: u64,
    pub data_scanned_bytes: u64,
    /// The sums of the single bills, each with its own rounding.
    pub bill: Bill,
}
