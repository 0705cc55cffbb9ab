//! What exists and where: databases, tables and partitions, where they are kept (`metastore`), how partitions are named, typed and
//! indexed (`partition`), and how they are found in storage (`discovery`).
//!
//! This crate never plans and never reads a data file. Stores reach it only as an injected [`discovery::StoreProvider`].

pub mod discovery;
pub mod error;
pub mod hive_type;
pub mod ident;
pub mod metastore;
pub mod model;
pub mod partition;

pub use error::{Error, ErrorKind, Result};
pub use hive_type::HiveType;
pub use ident::TableName;
pub use metastore::Metastore;
