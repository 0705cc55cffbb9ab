//! Queries from text to result: `run` names every stage.

mod describe;
mod estimate;
pub(crate) mod executor;
mod explain;
pub(crate) mod ingest;
mod merge;
mod output;
mod parameters;
mod planned;
pub(crate) mod planning;
pub(crate) mod run;
mod statement;

pub use describe::Description;
pub use estimate::Estimate;
pub use parameters::Parameters;
pub use planned::PlannedQuery;
