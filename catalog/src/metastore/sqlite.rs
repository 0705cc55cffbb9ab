//! The metastore in one SQLite file: the default, embedded, and shared by all processes of one machine that open it.
//!
//! The file is in write-ahead-log mode, so reads do not wait for writes. Every change is one `BEGIN IMMEDIATE` transaction, synchronised to
//! disk before it returns. The file must be on a local disk: network file systems do not lock reliably.
//!
//! `store` is the open file; `definitions`, `grants`, `attachments` and `workgroups` are its four concerns, and the other files their tables.

mod attachments;
mod changes;
mod connection;
mod definitions;
mod fault;
mod grants;
mod install;
mod maintenance;
mod partitions;
mod schema;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod workgroups;

pub use store::SqliteMetastore;
