//! The metastore in one SQLite file: the default, embedded, and shared by all processes of one machine that open it.
//!
//! The file is in write-ahead-log mode, so reads do not wait for writes; every change is one `BEGIN IMMEDIATE` transaction, synchronised to
//! disk before it returns. The file must be on a local disk: network file systems do not lock reliably.

mod attachments;
mod changes;
mod connection;
mod fault;
mod grants;
mod install;
mod maintenance;
mod partitions;
mod schema;
mod tables;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use connection::{Connections, blocking};

use super::{
    Metastore, PartitionChange, PartitionChangeSummary, TableVersion,
    index_cache::{IndexCache, Indexed},
    rules,
};
use crate::{
    error::Result,
    ident::{DEFAULT_DATABASE, TableName, fold},
    model::{Attachment, Database, Grant, GrantObject, Grantee, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

/// Databases, tables, partitions and grants in an SQLite file.
pub struct SqliteMetastore {
    connections: Arc<Connections>,
    indexes: IndexCache,
}

impl SqliteMetastore {
    /// Opens a catalog file; creates it, with the default database, if it does not exist. Blocks for a short while.
    ///
    /// # Errors
    /// `CorruptData` for a file that is damaged or something else, `Unsupported` for one of a newer version, `Denied` and `Unavailable`
    /// for one that cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { connections: Arc::new(Connections::open(path.as_ref())?), indexes: IndexCache::new() })
    }

    /// The catalog's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.connections.path()
    }

    /// Copies the catalog, as it is at one moment, to a file of its own, which replaces one of that name once it is whole. Changes go on
    /// meanwhile.
    ///
    /// # Errors
    /// `Invalid` for the catalog's own file; `Denied` and `Unavailable` if the copy cannot be written.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let (from, to) = (self.path().to_owned(), to.to_owned());
        blocking(move || maintenance::backup(&from, &to)).await
    }

    /// Replaces the catalog file `to`, if there is one, by the backup `from`. The versions of its tables become higher than any in `to`.
    /// If `to` is damaged, it is kept with `.damaged` at the end of its name; on any error it stays as it is.
    ///
    /// # Errors
    /// `NotFound` if there is no backup; `CorruptData` if the backup is damaged or not a catalog, or `to` is another program's database;
    /// `Conflict` while a process has `to` open; `Unsupported` for a backup of a newer version.
    pub async fn restore(from: &Path, to: &Path) -> Result<()> {
        let (from, to): (PathBuf, PathBuf) = (from.to_owned(), to.to_owned());
        blocking(move || maintenance::restore(&from, &to)).await
    }

    /// Reads everything and says what is wrong with it, a line each; nothing if all is well.
    ///
    /// # Errors
    /// `CorruptData` if the file is too damaged to be read through.
    pub async fn check(&self) -> Result<Vec<String>> {
        self.connections.read(maintenance::check).await
    }
}

impl fmt::Debug for SqliteMetastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteMetastore").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Metastore for SqliteMetastore {
    async fn databases(&self) -> Result<Vec<Database>> {
        self.connections.read(tables::databases).await
    }

    async fn database(&self, name: &str) -> Result<Database> {
        let name = fold(name);
        self.connections.read(move |connection| tables::database(connection, &name)).await
    }

    async fn create_database(&self, database: Database) -> Result<()> {
        let database = rules::checked_database(database)?;
        self.connections.write(move |connection| tables::insert_database(connection, &database)).await
    }

    async fn replace_database(&self, mut database: Database) -> Result<()> {
        database.name = fold(&database.name);
        self.connections.write(move |connection| tables::replace_database(connection, &database)).await
    }

    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        let name = fold(name);
        if name == DEFAULT_DATABASE {
            return Err(rules::keep_default_database());
        }
        self.connections.write(move |connection| tables::drop_database(connection, &name, cascade)).await
    }

    async fn table_names(&self, database: &str) -> Result<Vec<String>> {
        let database = fold(database);
        self.connections.read(move |connection| tables::table_names(connection, &database)).await
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let database = fold(database);
        self.connections.read(move |connection| tables::tables(connection, &database)).await
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        let name = TableName::new(&name.database, &name.table);
        self.connections.read(move |connection| tables::table(connection, &name)).await
    }

    async fn table_by_id(&self, id: i64) -> Result<Table> {
        let found = self.connections.read(move |connection| tables::table_by_id(connection, id)).await?;
        found.ok_or_else(|| rules::no_table_with_id(id))
    }

    async fn table_versions(&self) -> Result<Vec<TableVersion>> {
        self.connections.read(tables::versions).await
    }

    async fn create_table(&self, table: Table) -> Result<Table> {
        let table = rules::checked_table(table)?;
        self.connections.write(move |connection| tables::create_table(connection, table)).await
    }

    async fn replace_table(&self, table: Table) -> Result<Table> {
        let table = rules::checked_table(table)?;
        self.connections.write(move |connection| tables::replace_table(connection, table)).await
    }

    async fn drop_table(&self, name: &TableName) -> Result<()> {
        let name = TableName::new(&name.database, &name.table);
        self.connections.write(move |connection| tables::drop_table(connection, &name)).await
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        let table = rules::checked_table(table)?;
        self.connections.write(move |connection| install::install(connection, table, partitions, replace)).await
    }

    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>> {
        let load = |older: Option<Indexed>| {
            let asked = table.clone();
            self.connections.read(move |connection| partitions::index(connection, &asked, older.as_ref()))
        };
        self.indexes.get(table, load).await
    }

    async fn changed_partitions(&self, table: &Table, since: i64) -> Result<Option<Vec<String>>> {
        let table = table.clone();
        self.connections.read(move |connection| partitions::changed(connection, &table, since)).await
    }

    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
        let (table, values) = (table.clone(), values.to_vec());
        self.connections.read(move |connection| partitions::partitions(connection, &table, &values)).await
    }

    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
        let table = table.clone();
        self.connections.write(move |connection| partitions::change(connection, &table, change)).await
    }

    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        let (table, prefix) = (table.clone(), prefix.to_owned());
        self.connections.read(move |connection| attachments::named(connection, &table, &prefix)).await
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        rules::check_attachments(table, &changes)?;
        let table = table.clone();
        self.connections.write(move |connection| attachments::change(connection, &table, &changes)).await
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        self.connections.read(grants::all).await
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        let grant = rules::checked_grant(grant)?;
        self.connections.write(move |connection| grants::set(connection, &grant)).await
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let (object, grantee) = (object.folded(), grantee.clone());
        self.connections.write(move |connection| grants::remove(connection, &object, &grantee)).await
    }
}

#[cfg(test)]
mod tests;
