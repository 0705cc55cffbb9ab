//! The Glaux query engine: SQL text in, record batches and a bill out.
//!
//! ```text
//!  SQL text -> sql::parse -> Statement -+- statements -> Metastore -> RecordBatch
//!                                       +- plan -> scan (prunes, lists, reads, meters) -> RecordBatch stream
//! ```
//!
//! Statements enter through [`Engine::submit`] and [`Engine::plan`], rows through [`Engine::ingest`], so that every query is recorded, metered
//! and billed the same way.

mod access;
pub mod accounting;
pub mod clock;
pub mod config;
mod data_dir;
mod definition;
pub mod error;
mod execute;
mod failure;
mod formats;
mod functions;
mod lifecycle;
mod location;
mod managed;
mod plan;
pub mod probe;
mod reserved;
pub mod runtime;
pub mod scan;
pub mod session;
pub mod sql;
mod statement_kind;
mod statements;
pub mod storage;
mod system;
mod table;
mod units;
pub mod write;

pub use config::EngineOptions;
pub use error::{Error, ErrorKind, Result};
pub use reserved::SYSTEM_SCHEMAS;
pub use runtime::Engine;
pub use session::{Role, Session, SessionOptions};
pub use system::Browser;

/// A query, as its caller sees it: planned, running, ended and recorded.
pub mod query {
    pub use crate::{
        execute::{Description, Estimate, Parameters, PlannedQuery},
        lifecycle::{
            CancelReason, Canceller, Ending, Executing, Failure, History, HistoryOptions, PageFilter, Planned, Position, Query,
            QueryFilter, QueryGuard, QueryId, QueryManager, QueryObserver, QueryRecord, QueryReport, QueryState, Received,
            RepairFigures, RunningQuery, TextBounds, UsageFilter, UsageTotal, Waiting,
        },
    };
}
