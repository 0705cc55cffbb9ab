//! Statements from text to result: `run` names every stage. `shared` holds the engine's handles, `context` makes of them what one query works with,
//! `physical` its plans, `limits` the limits that hold for it. `quoting` quotes statements instead of running them.

pub(crate) mod context;
pub(crate) mod describe;
pub(crate) mod executor;
mod explain;
pub(crate) mod ingest;
mod limits;
mod merge;
mod output;
mod parameters;
mod physical;
mod planned;
pub(crate) mod planning;
pub(crate) mod quoting;
pub(crate) mod recorded;
pub(crate) mod run;
pub(crate) mod shared;
mod start;
mod views;

pub use describe::Description;
pub(crate) use output::plain;
pub use parameters::Parameters;
pub use planned::PlannedQuery;
