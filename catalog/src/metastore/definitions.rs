//! The contract for definitions: databases, tables, views and partitions, changed one whole statement at a time.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use crate::{
    error::Result,
    ident::TableName,
    model::{Database, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

/// Changes to the partitions of one table, applied in one transaction in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionChange {
    /// Dropped first.
    pub drop: Vec<DropPartition>,
    /// Then renamed: from these values to those. The files stay where they are, so a partition at its default location keeps that as its own
    /// location, as in Hive for external tables.
    pub rename: Vec<(PartitionValues, PartitionValues)>,
    /// Then replaced as a whole; each must exist.
    pub replace: Vec<Partition>,
    /// Then added.
    pub add: Vec<Partition>,
    /// Whether adding a partition that exists is skipped (`IF NOT EXISTS`) or fails with `AlreadyExists`.
    pub skip_existing: bool,
}

/// One partition to drop.
#[derive(Debug, Clone, PartialEq)]
pub struct DropPartition {
    pub values: PartitionValues,
    /// Whether a partition that does not exist is skipped (`IF EXISTS`) or fails with `NotFound`.
    pub if_exists: bool,
}

/// The current version of a table or view, without its definition.
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

/// Keeps databases, tables, views and partitions.
#[async_trait]
pub trait Definitions: Debug + Send + Sync {
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

    /// Drops the database, and its tables if `cascade` is set. Its grants and attachments go with it. Data files are never touched.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it has tables and `cascade` is not set, naming some; `Invalid` for the default database.
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

    /// The table or view with this id, whatever its name is now.
    ///
    /// # Errors
    /// `NotFound` if it never existed or was dropped.
    async fn table_by_id(&self, id: i64) -> Result<Table>;

    /// The current versions of all tables and views of all databases, by name.
    async fn table_versions(&self) -> Result<Vec<TableVersion>>;

    /// Creates a table or view and returns it with its id and version. `id` and `version` of the argument are ignored.
    ///
    /// # Errors
    /// `NotFound` for the database, `AlreadyExists` for the table, `Invalid` for a definition that contradicts itself (no columns, a
    /// duplicate column, a partition key that is also a column or has a nested type).
    async fn create_table(&self, table: Table) -> Result<Table>;

    /// Replaces the definition of the table with that id, if its version is still that of the argument; returns it with its new version.
    /// The name may differ (a rename, which grants follow); partition keys may not, except for their comments. Partitions stay where they
    /// are when the table's location changes, as in Hive: those at their default location keep it as their own location.
    ///
    /// # Errors
    /// `Conflict` if the table was changed or dropped in the meantime; otherwise as [`Definitions::create_table`].
    async fn replace_table(&self, table: Table) -> Result<Table>;

    /// Drops the table with its partitions. Its grants and attachments go with it. Data files are never touched.
    ///
    /// # Errors
    /// `NotFound`.
    async fn drop_table(&self, name: &TableName) -> Result<()>;

    /// Creates a table or view with its partitions, in one transaction. With `replace` it replaces an existing table of that name with its
    /// partitions and attachments; grants stay. `id` and `version` of the argument are ignored.
    ///
    /// # Errors
    /// As [`Definitions::create_table`] and [`Definitions::change_partitions`]. Then nothing has changed.
    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table>;

    /// The typed index of a table's partitions, at the version of the argument or a later one. Cheap to call again: it is cached by
    /// `(id, version)`.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped in the meantime; `CorruptData` if a stored value does not fit its key's type.
    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>>;

    /// The Hive names of the partitions that changed after version `since` of the table, up to the version of the argument or a later one;
    /// `None` if that is not known.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped in the meantime.
    async fn changed_partitions(&self, table: &Table, since: i64) -> Result<Option<Vec<String>>>;

    /// The partitions with exactly these values; the result omits those that do not exist.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped in the meantime; `Invalid` for the wrong number of values, or empty ones.
    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>>;

    /// Applies the change in one transaction and raises the table's version if anything changed.
    ///
    /// # Errors
    /// `NotFound` for the table (looked up by id) or a partition, `AlreadyExists`, `Invalid` for values that do not fit the keys in
    /// number or type (an empty string fits no key: Hive cannot tell it from NULL). Then nothing has changed.
    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary>;
}
