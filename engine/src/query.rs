//! A query's life: `manager` takes it in and hands it out, `guard` walks it through its states, `run` executes it, `history` remembers it.

pub(crate) mod access;
mod describe;
mod ending;
mod estimate;
pub(crate) mod executor;
mod explain;
mod guard;
mod history;
pub(crate) mod ingest;
mod manager;
mod merge;
mod observer;
mod output;
mod parameters;
mod places;
mod planned;
mod planning;
mod refresh;
mod report;
pub(crate) mod run;
mod statement;

pub use describe::Description;
pub use ending::Ending;
pub use estimate::Estimate;
pub use guard::{CancelReason, Canceller, Executing, Planned, QueryGuard, Received};
pub use history::{
    History, HistoryOptions, PageFilter, Position, QueryFilter, QueryRecord, TextBounds, UsageFilter, UsageTotal, Waiting,
};
pub use manager::{Failure, Query, QueryManager, RunningQuery};
pub use observer::QueryObserver;
pub use parameters::Parameters;
pub use planned::PlannedQuery;
pub use report::{QueryId, QueryReport, QueryState, RepairFigures};
