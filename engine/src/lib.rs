//! The Glaux query engine: SQL text in, record batches and a bill out.
//!
//! ```
//! use glaux_engine::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! let engine = Engine::in_memory().await?; // or Engine::open("./glaux-data"), with the tables of that data directory
//! let query = engine.query("SELECT n, n * n AS square FROM (VALUES 1, 2, 3) AS t (n) WHERE n >= ?").bind(2).await?;
//! let batches = query.collect().await?;
//! # assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! - A [`Query`](query::Query) is a stream of Arrow record batches. Its report has the bytes scanned, the requests made and the bill; both are
//!   final when the stream has ended. Dropping it cancels the query.
//! - [`Engine::register_batches`] makes a table of record batches, [`Engine::register_udf`] adds a function, and
//!   [`Engine::register_object_store`] puts a store of the program's own behind a bucket's URL.
//! - A [`Session`] says who asks. [`Engine::session`] is an administrator's; queries in the session of another user
//!   ([`Session::for_user`]) are subject to grants, whichever way they come.
//! - Every error is an [`Error`], with a kind, a message and a hint.
//!
//! Inside, a statement takes one way:
//!
//! ```text
//!  SQL text -> sql::parse -> Statement -+- statements -> Metastore -> RecordBatch
//!                                       +- plan -> scan (prunes, lists, reads, meters) -> RecordBatch stream
//! ```
//!
//! Statements enter through [`Engine::query`], [`Engine::submit`], [`Engine::plan`] and [`Engine::quote`], rows through [`Engine::ingest`], so that every
//! query is recorded, metered and billed the same way.

mod access;
pub mod accounting;
pub mod clock;
mod conditional;
pub mod config;
mod data_dir;
mod definition;
#[cfg(test)]
mod docs_page;
mod embed;
mod error;
mod execute;
mod failure;
mod formats;
mod functions;
mod hooks;
mod lifecycle;
mod location;
mod managed;
mod plan;
pub mod prelude;
mod probe;
mod quote;
mod reserved;
mod runtime;
mod scan;
mod scratch;
pub mod session;
pub mod sql;
mod statement_kind;
mod statements;
pub mod storage;
mod system;
mod table;
mod units;
mod worker;
pub mod write;

pub use access::WorkgroupAssignments;
/// Re-exported, so that an embedding program uses the engine's own versions.
pub use arrow;
pub use config::EngineOptions;
pub use data_dir::CATALOG_FILE;
/// Re-exported for the functions that [`Engine::register_udf`] and its like take.
pub use datafusion;
pub use embed::{QueryRequest, Value};
#[doc(hidden)]
pub use error::nearest;
pub use error::{Error, ErrorKind, Result};
/// Re-exported for the stores that [`Engine::register_object_store`] takes.
pub use object_store;
pub use probe::exchange;
pub use reserved::SYSTEM_SCHEMAS;
pub use runtime::{Engine, Parts};
pub use session::{Origin, Role, Session, SessionOptions};
pub use system::Browser;

/// A query, as its caller sees it: planned, running, ended and recorded.
pub mod query {
    pub use crate::{
        execute::{Description, Parameters, PlannedQuery},
        lifecycle::{
            CancelReason, Canceller, Ending, Failure, History, HistoryOptions, Query, QueryFilter, QueryId, QueryManager,
            QueryObserver, QueryRecord, QueryReport, QueryState, Quoted, RepairFigures, RunningQuery, Waiting,
        },
        quote::{ColumnsRead, Estimate, Quote, Reason, TableQuote, WideColumn},
        scan::Basis,
    };
}
