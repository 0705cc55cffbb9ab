//! The contract of a metastore: databases, tables, partitions and grants, changed one whole statement at a time.
//!
//! Every implementation passes the suite in `conformance`. Methods that change something are atomic and durable when they return:
//! they happen whole or not at all, whatever happens to the process. A table's `version` rises with every change of its definition or
//! of its partitions, so whatever is cached by `(id, version)` is never stale.

mod change;
#[cfg(test)]
mod conformance;
mod index_cache;
mod memory;
mod remote;
mod rules;
mod sqlite;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
pub use memory::MemoryMetastore;
pub use remote::{CatalogChange, ChangeKind, Credentials, RemoteMetastore, RemoteOptions, ServiceAnswer};
pub(crate) use rules::dropped;
pub use rules::{checked_column, checked_table};
pub use sqlite::SqliteMetastore;

use crate::{
    error::Result,
    ident::TableName,
    model::{Attachment, Database, Grant, GrantObject, Grantee, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

/// Changes to the partitions of one table, applied in one transaction in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionChange {
    /// Removed first.
    pub drop: Vec<DropPartition>,
    /// Then renamed: from these values to those. The files stay where they are, so a partition in the usual place gets that as its own
    /// location, as in Hive for external tables.
    pub rename: Vec<(PartitionValues, PartitionValues)>,
    /// Then replaced whole; each must exist.
    pub replace: Vec<Partition>,
    /// Then added.
    pub add: Vec<Partition>,
    /// Whether adding a partition that exists is skipped (`IF NOT EXISTS`) or refused with `AlreadyExists`.
    pub skip_existing: bool,
}

/// One partition to drop.
#[derive(Debug, Clone, PartialEq)]
pub struct DropPartition {
    pub values: PartitionValues,
    /// Whether a partition that does not exist is passed over (`IF EXISTS`) or refused with `NotFound`.
    pub if_exists: bool,
}

/// A table's or view's present version, without its definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableVersion {
    pub name: TableName,
    pub id: i64,
    pub version: i64,
}

/// What a [`PartitionChange`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionChangeSummary {
    pub dropped: usize,
    pub renamed: usize,
    pub replaced: usize,
    pub added: usize,
}

#[async_trait]
pub trait Metastore: Debug + Send + Sync {
    /// All databases, by name.
    async fn databases(&self) -> Result<Vec<Database>>;

    /// # Errors
    /// `NotFound`, with the nearest existing name in the hint.
    async fn database(&self, name: &str) -> Result<Database>;

    /// # Errors
    /// `AlreadyExists`; `Invalid` for a name that no database may have.
    async fn create_database(&self, database: Database) -> Result<()>;

    /// Replaces the definition of the database with that name.
    ///
    /// # Errors
    /// `NotFound`.
    async fn replace_database(&self, database: Database) -> Result<()>;

    /// Removes the database and its grants; with `cascade` its tables too. Data files are never touched.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it holds tables and `cascade` is not set, naming some; `Invalid` for the default database.
    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()>;

    /// The names of a database's tables and views, in order.
    ///
    /// # Errors
    /// `NotFound` for the database.
    async fn table_names(&self, database: &str) -> Result<Vec<String>>;

    /// A database's tables and views with their definitions, by name.
    ///
    /// # Errors
    /// `NotFound` for the database.
    async fn tables(&self, database: &str) -> Result<Vec<Table>>;

    /// # Errors
    /// `NotFound` for the database or the table, with the nearest existing name in the hint.
    async fn table(&self, name: &TableName) -> Result<Table>;

    /// The table or view with this id, whatever its name is by now.
    ///
    /// # Errors
    /// `NotFound` if there is none, or none any more.
    async fn table_by_id(&self, id: i64) -> Result<Table>;

    /// All tables and views of all databases with their present versions, by name.
    async fn table_versions(&self) -> Result<Vec<TableVersion>>;

    /// Creates a table or view; gives it its id and version, which it returns. `id` and `version` of the argument are ignored.
    ///
    /// # Errors
    /// `NotFound` for the database, `AlreadyExists` for the table, `Invalid` for definitions that contradict themselves (no columns, a
    /// column named twice, a partition key that is also a column or has a nested type).
    async fn create_table(&self, table: Table) -> Result<Table>;

    /// Replaces the definition of the table with that id, if it still has the `version` of the argument; returns it with its new
    /// version. The name may differ (a rename, which grants follow); partition keys may not, except their comments. Partitions stay where they are when the
    /// table's location changes, as in Hive: those in the usual place get it as their own location.
    ///
    /// # Errors
    /// `Conflict` if the table was changed or dropped meanwhile; otherwise as [`Metastore::create_table`].
    async fn replace_table(&self, table: Table) -> Result<Table>;

    /// Removes the table with its partitions and grants. Data files are never touched.
    ///
    /// # Errors
    /// `NotFound`.
    async fn drop_table(&self, name: &TableName) -> Result<()>;

    /// Creates a table or view with its partitions, in one transaction. With `replace` it takes the place of the one with its name, whose partitions
    /// and attachments go; grants stay. `id` and `version` of the argument are ignored.
    ///
    /// # Errors
    /// As [`Metastore::create_table`] and [`Metastore::change_partitions`]. Then nothing has changed.
    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table>;

    /// The typed index of a table's partitions, as of at least the version of the argument. Cheap to call again: it is cached by
    /// `(id, version)`.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped meanwhile; `CorruptData` if a stored value does not fit its key's type.
    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>>;

    /// The Hive names of the partitions that changes after a version of the table were about, up to at least the version of the argument; `None` where
    /// that is not known, or not any more.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped meanwhile.
    async fn changed_partitions(&self, table: &Table, since: i64) -> Result<Option<Vec<String>>>;

    /// The partitions with exactly these values; those that do not exist are absent from the answer.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped meanwhile; `Invalid` for values that do not fit the keys in number, or are empty.
    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>>;

    /// Applies the change in one transaction and raises the table's version if anything changed.
    ///
    /// # Errors
    /// `NotFound` for the table (looked up by id) or a partition, `AlreadyExists`, `Invalid` for values that do not fit the keys in
    /// number or type (an empty string fits no key: Hive cannot tell it from NULL). Then nothing has changed.
    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary>;

    /// The attachments of a table whose names begin with `prefix`, by name; with an empty prefix all of them.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped meanwhile.
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>>;

    /// Keeps these blobs with the table, in place of those with the same names; removes those without bytes, whether they exist or not.
    /// All in one transaction. They follow the table when it is renamed and go when it is dropped, and do not raise its version: whatever
    /// depends on them says in their own bytes what they are of.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped meanwhile; `Invalid` for an empty name. Then nothing has changed.
    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()>;

    /// All grants: by object, those of the catalog first, then of databases, then of tables; within an object users before groups.
    async fn grants(&self) -> Result<Vec<Grant>>;

    /// Grants, or replaces what was granted on the object to the grantee.
    ///
    /// # Errors
    /// `NotFound` for the database or the table; `Invalid` for a grantee without a name.
    async fn set_grant(&self, grant: Grant) -> Result<()>;

    /// Takes back what was granted on the object to the grantee.
    ///
    /// # Errors
    /// `NotFound` if nothing was.
    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()>;
}
