//! A query's life: `manager` takes it in and hands it out, `guard` walks it through its states, `history` remembers it.

mod admission;
mod cancel;
mod ending;
mod entry;
mod guard;
mod history;
mod manager;
mod observer;
mod registry;
mod report;
mod stream;

pub(crate) use admission::{Place, Places};
pub use cancel::{CancelReason, Canceller};
pub use ending::Ending;
pub(crate) use entry::Entry;
pub use guard::{Executing, Planned, QueryGuard, Received};
pub(crate) use history::not_running;
pub use history::{
    History, HistoryOptions, PageFilter, Position, QueryFilter, QueryRecord, TextBounds, UsageFilter, UsageTotal, Waiting,
};
pub use manager::{Failure, QueryManager, RunningQuery};
pub use observer::QueryObserver;
pub use report::{QueryId, QueryReport, QueryState, RepairFigures};
pub use stream::Query;
