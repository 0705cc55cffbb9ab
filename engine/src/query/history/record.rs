//! What the history holds of a query, and how it is asked for. Plain data: how it is stored is `schema`'s business.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    accounting::{Bill, Timings, Usage},
    error::ErrorKind,
    query::{QueryId, QueryReport, QueryState},
    sql::StatementKind,
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
    /// Zero for what is free: DDL, `SHOW`, `EXPLAIN`, failed queries.
    pub bill: Bill,
    pub timings: Timings,
}

impl QueryRecord {
    #[must_use]
    pub fn report(&self) -> QueryReport {
        let (query_id, state, usage) = (self.query_id, self.state, self.usage);
        QueryReport { query_id, state, usage, bill: self.bill, timings: self.timings, scan: None, listing: None, repair: None }
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
    /// At most so many.
    pub limit: Option<usize>,
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
