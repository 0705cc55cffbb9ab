//! What exists and where: databases, tables and their partitions, in the words of Hive and Glue.
//!
//! - [`model`] is plain data: [`model::Database`], [`model::Table`], [`model::Partition`]; [`hive_type`] is the type of a column; [`ident`]
//!   folds names to lower case.
//! - [`metastore`] keeps definitions. [`Metastore`] is the contract, and one suite of tests holds every implementation to it;
//!   [`metastore::SqliteMetastore`] is the default, one file that several processes share; [`metastore::MemoryMetastore`] serves tests.
//!   Every change is atomic, and raises the table's version.
//! - [`partition`] names partitions (`key=value/`, escaped as Hive does), types their raw values, and holds a table's partitions as
//!   Arrow columns, a [`partition::PartitionIndex`], on which the engine prunes.
//! - [`service`] serves any metastore over gRPC, and [`metastore::RemoteMetastore`] is its client: a catalog that several processes share.
//! - [`discovery`] finds partitions in storage, for `MSCK REPAIR TABLE`: a walk over directories, and its difference from the catalog.
//! - [`private`] makes files that only their owner reads.
//! - [`format`] says which classes, endings and first bytes mean which format of files.
//! - [`glue`] reads and writes definitions as AWS Glue tells them in JSON.
//! - [`contained`] lets libraries work on bytes from outside: a panic of theirs is an error.
//!
//! All errors are [`Error`]s with a kind, a message and a hint.
//!
//! This crate never plans and never reads a data file. Stores reach it only as an injected [`discovery::StoreProvider`].
//!
//! ```
//! # use glaux_catalog::{Metastore, TableName, metastore::MemoryMetastore};
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
pub mod hive_type;
pub mod ident;
pub mod metastore;
pub mod model;
pub mod partition;
pub mod private;
pub mod same_file;
pub mod service;
mod wire;

pub use error::{Error, ErrorKind, Result, printable};
pub use hive_type::HiveType;
pub use ident::TableName;
pub use metastore::Metastore;
