//! What the history holds of a query, and how it is asked for. Plain data: how it is stored is `schema`'s business.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    accounting::{Bill, Timings, Usage},
    error::ErrorKind,
    query::{QueryId, QueryReport, QueryState},
};

/// Athena's kinds of statements, as `GetQueryExecution` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementType {
    /// Changes definitions.
    Ddl,
    /// Reads or writes rows.
    Dml,
    /// Tells something: `SHOW`, `DESCRIBE`, `EXPLAIN`.
    Utility,
}

impl StatementType {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ddl => "DDL",
            Self::Dml => "DML",
            Self::Utility => "UTILITY",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Ddl, Self::Dml, Self::Utility].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for StatementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
    pub statement_type: Option<StatementType>,
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
        QueryReport { query_id: self.query_id, state: self.state, usage: self.usage, bill: self.bill, timings: self.timings }
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
