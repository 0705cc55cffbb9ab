//! The metastore: what keeps databases, tables, partitions, grants, attachments and workgroups, and the implementations of it.
//!
//! It is four traits by concern, so that a catalog that keeps only definitions can stand behind the first alone: [`Definitions`], [`Grants`],
//! [`Attachments`] and [`Workgroups`]. A [`Metastore`] is whatever implements all four. Every implementation passes the tests in `conformance`.
//!
//! Methods that change something are atomic, and durable when they return. A table's `version` rises with every change of its definition or
//! of its partitions, so whatever is cached by `(id, version)` is never stale.

mod attachments;
mod change;
#[cfg(test)]
pub(crate) mod conformance;
mod definitions;
mod grants;
pub(crate) mod index_cache;
mod memory;
mod rules;
mod sqlite;
mod workgroups;

pub use attachments::Attachments;
pub use definitions::{Definitions, DropPartition, PartitionChange, PartitionChangeSummary, TableVersion};
pub use grants::Grants;
pub use memory::MemoryMetastore;
pub use rules::checked_table;
pub(crate) use rules::dropped;
pub use sqlite::SqliteMetastore;
pub use workgroups::{PutWorkgroup, Workgroups};

/// A metastore with all four concerns.
pub trait Metastore: Definitions + Grants + Attachments + Workgroups {}

impl<T: Definitions + Grants + Attachments + Workgroups> Metastore for T {}
