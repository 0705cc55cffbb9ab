//! The Glaux query engine: SQL text in, record batches and a bill out.
//!
//! ```text
//!  SQL text -> sql::parse -> Statement -+- DDL, SHOW, session -> ddl, query -> Metastore -> RecordBatch
//!                                       +- query -> plan -> scan (prunes, lists, reads, meters) -> RecordBatch stream
//! ```
//!
//! Statements enter through [`Engine::submit`] and [`Engine::plan`], rows through [`Engine::ingest`], so that every query is recorded, metered
//! and billed the same way.

pub mod accounting;
pub mod clock;
pub mod config;
pub mod ddl;
pub mod error;
mod formats;
mod functions;
pub mod plan;
pub mod probe;
pub mod query;
pub mod runtime;
pub mod scan;
pub mod session;
pub mod sql;
pub mod storage;
pub mod system;
pub mod write;

pub use config::EngineOptions;
pub use error::{Error, ErrorKind, Result};
pub use runtime::Engine;
pub use session::{Role, Session, SessionOptions};
