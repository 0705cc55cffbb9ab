//! The life of a query: `manager` registers it, `guard` takes it through its states, `admission` lets it run, `stream` is its result, `history`
//! records it.
//!
//! It knows nothing of SQL and nothing of plans: a statement is its text, and [`QueryGuard::classify`] says what it costs.

mod admission;
mod budget;
mod cancel;
mod canceller;
mod ending;
mod entry;
mod guard;
mod history;
mod limits;
mod manager;
mod observer;
mod registry;
mod report;
mod statement_text;
mod stream;

pub(crate) use admission::{Slot, Slots};
pub use cancel::CancelReason;
pub use canceller::Canceller;
pub use ending::Ending;
pub(crate) use entry::{Entry, MAX_KEPT};
pub(crate) use guard::{Executing, Planned, QueryGuard, Received};
pub(crate) use history::{
    Cell, HistoryColumn, HistoryTable, Kind, NumberBounds, Scan, Sink, TableTotal, TextBounds, UsageFilter, UsageTotal,
    not_running,
};
pub use history::{History, HistoryOptions, QueryFilter, QueryRecord, Quoted, Waiting};
pub(crate) use limits::{Budget, Limit, Limits, MAX_QUEUED};
pub use manager::{QueryManager, RunningQuery};
pub use observer::QueryObserver;
pub use report::{Failure, QueryId, QueryReport, QueryState, RepairFigures};
pub(crate) use statement_text::{StatementText, TextRules};
pub use stream::Query;
