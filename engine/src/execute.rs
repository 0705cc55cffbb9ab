//! Statements from text to result: `run` names every stage. `shared` holds the engine's handles, `context` makes of them what one query works with.

pub(crate) mod context;
pub(crate) mod describe;
mod estimate;
pub(crate) mod executor;
mod explain;
pub(crate) mod ingest;
mod merge;
mod output;
mod parameters;
mod planned;
pub(crate) mod planning;
pub(crate) mod recorded;
pub(crate) mod run;
pub(crate) mod shared;
mod start;
mod views;

pub use describe::Description;
pub use estimate::Estimate;
pub(crate) use output::plain;
pub use parameters::Parameters;
pub use planned::PlannedQuery;
