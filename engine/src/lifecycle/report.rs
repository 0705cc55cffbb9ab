//! The report of a query, while it runs and when it has ended: its id, state, figures, bill and times.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use uuid::Uuid;

use crate::{
    accounting::{Bill, ListingDetails, ScanDetails, Timings, Usage},
    error::Error,
};

/// The id of a query, ordered by time (UUID version 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryId(pub Uuid);

impl QueryId {
    #[must_use]
    pub fn next() -> Self {
        Self(Uuid::now_v7())
    }
}

impl FromStr for QueryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let id = text.trim().parse().map_err(|_| Error::invalid(format!("\"{text}\" is not the id of a query")));
        id.map(Self).map_err(|error| error.with_hint("Find it with SELECT query_id FROM system.queries"))
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Athena's states of a query execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum QueryState {
    /// Received, not yet admitted to run.
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl QueryState {
    /// Every state, in the order of a query's life.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for QueryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The statistics of one query: the object that `--stats json` prints.
#[derive(Debug, Clone)]
pub struct QueryReport {
    pub query_id: QueryId,
    pub state: QueryState,
    pub usage: Usage,
    /// The price of the usage by the tariff; zero for statements that are free and for failed queries.
    pub bill: Bill,
    /// The tariff by which the bill was made: `name@version`. Absent where it is not known.
    pub tariff: Option<String>,
    pub timings: Timings,
    /// How the scans got their bytes; absent in a report from the history, which does not keep it. Not among the figures that every channel shows.
    pub scan: Option<ScanDetails>,
    /// How the scans found their files; absent like `scan`, and where nothing was scanned.
    pub listing: Option<ListingDetails>,
    /// The progress of a repair; absent for other statements.
    pub repair: Option<RepairFigures>,
}

/// A query that ended with an error, and what it used until then.
#[derive(Debug, Clone)]
pub struct Failure {
    pub error: Error,
    pub report: QueryReport,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl From<Failure> for Error {
    /// The error alone. The history keeps the report.
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What a repair of partitions has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RepairFigures {
    /// Partitions' directories that were found.
    pub found: u64,
    pub added: u64,
    pub dropped: u64,
}

impl Serialize for QueryReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Usage { data_scanned_bytes, metadata_bytes, fetched_bytes, requests, partitions, files, row_groups, rows } =
            self.usage;
        let mut map = serializer.serialize_map(Some(15))?;
        map.serialize_entry("query_id", &self.query_id.to_string())?;
        map.serialize_entry("state", self.state.as_str())?;
        map.serialize_entry("data_scanned_bytes", &data_scanned_bytes)?;
        map.serialize_entry("metadata_bytes", &metadata_bytes)?;
        map.serialize_entry("fetched_bytes", &fetched_bytes)?;
        map.serialize_entry("billed_bytes", &self.bill.billed_bytes)?;
        map.serialize_entry("cost_usd", &self.bill.cost_usd())?;
        map.serialize_entry("cost", &self.bill)?;
        map.serialize_entry("tariff", &self.tariff)?;
        map.serialize_entry("requests", &requests)?;
        map.serialize_entry("partitions", &partitions)?;
        map.serialize_entry("files", &files)?;
        map.serialize_entry("row_groups", &row_groups)?;
        map.serialize_entry("rows", &rows)?;
        map.serialize_entry("timings_ms", &self.timings)?;
        map.end()
    }
}
