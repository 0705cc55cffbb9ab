//! What exists and where: databases, tables and their partitions, in the words of Hive and Glue.
//!
//! - [`model`] is plain data: [`model::Database`], [`model::Table`], [`model::Partition`]; [`hive_type`] is the type of a column; [`ident`]
//!   folds names to lower case.
//! - [`partition`] names partitions (`key=value/`, escaped as in Hive), types their raw values, and holds a table's partitions as
//!   Arrow columns, a [`partition::PartitionIndex`], on which the engine prunes.
//! - [`metastore`] stores definitions, grants, attachments and workgroups. [`Metastore`] is the contract, and every implementation passes the same tests:
//!   [`metastore::SqliteMetastore`] is the default, one file that several processes share; [`metastore::MemoryMetastore`] serves tests.
//!   Every change is atomic, and raises the table's version.
//! - [`grpc`] serves any metastore over gRPC; its client, [`grpc::RemoteMetastore`], is a metastore again.
//! - [`discovery`] finds partitions in storage, for `MSCK REPAIR TABLE`: it walks directories and compares them with the catalog.
//! - [`mod@format`] says which classes, endings and first bytes mean which format of files.
//! - [`glue`] reads and writes definitions as the JSON of AWS Glue.
//! - [`private`] creates files that only their owner can read.
//! - [`contained`] turns a panic of a library that decodes untrusted bytes into an error.
//!
//! All errors are [`Error`]s with a kind, a message and a hint.
//!
//! This crate plans no queries and reads no data files. It has access to storage only through an injected [`discovery::StoreProvider`].
//!
//! ```
//! # use glaux_catalog::metastore::{Definitions, MemoryMetastore};
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let catalog = MemoryMetastore::new();
//! assert!(catalog.table_names("default").await?.is_empty());
//! let error = catalog.database("defualt").await.unwrap_err();
//! assert_eq!(error.message(), "database \"defualt\" does not exist");
//! assert_eq!(error.hint(), Some("The nearest name is \"default\""));
//! # Ok::<(), glaux_catalog::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod contained;
pub mod discovery;
pub mod error;
pub mod format;
pub mod glue;
pub mod grpc;
pub mod hive_type;
pub mod ident;
pub mod metastore;
pub mod model;
pub mod partition;
pub mod private;
pub mod same_file;

pub use error::{Error, ErrorKind, Result, printable};
pub use hive_type::HiveType;
pub use ident::TableName;
pub use metastore::Metastore;
