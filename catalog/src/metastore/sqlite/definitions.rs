//! Databases, tables and partitions of a catalog file.

use std::sync::Arc;

use async_trait::async_trait;

use super::{install, partitions, store::SqliteMetastore, tables};
use crate::{
    error::Result,
    ident::{DEFAULT_DATABASE, TableName, fold},
    metastore::{Definitions, PartitionChange, PartitionChangeSummary, TableVersion, index_cache::Indexed, rules},
    model::{Database, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

#[async_trait]
impl Definitions for SqliteMetastore {
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
}
