//! Databases, tables and partitions of a catalog service.

use std::sync::Arc;

use async_trait::async_trait;
use glaux_proto::catalog::v1 as proto;

use super::{
    RemoteMetastore,
    connection::{CallError, Purpose, change, read},
    partitions,
};
use crate::{
    error::Result,
    grpc::message::definition as message,
    ident::TableName,
    metastore::{Definitions, PartitionChange, PartitionChangeSummary, TableVersion, index_cache::Indexed},
    model::{Database, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

#[async_trait]
impl Definitions for RemoteMetastore {
    async fn databases(&self) -> Result<Vec<Database>> {
        let answer = read!(self.connection.list_databases(proto::ListDatabasesRequest {}))?;
        answer.databases.into_iter().map(|database| message::read_database(Some(database))).collect()
    }

    async fn database(&self, name: &str) -> Result<Database> {
        let answer = read!(self.connection.get_database(proto::GetDatabaseRequest { name: name.to_owned() }))?;
        message::read_database(answer.database)
    }

    async fn create_database(&self, database: Database) -> Result<()> {
        let asked = proto::CreateDatabaseRequest { database: Some(message::database(database)) };
        change!(self.connection.create_database(asked)).map(drop)
    }

    async fn replace_database(&self, database: Database) -> Result<()> {
        let asked = proto::ReplaceDatabaseRequest { database: Some(message::database(database)) };
        change!(self.connection.replace_database(asked)).map(drop)
    }

    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        change!(self.connection.drop_database(proto::DropDatabaseRequest { name: name.to_owned(), cascade })).map(drop)
    }

    async fn table_names(&self, database: &str) -> Result<Vec<String>> {
        let answer = read!(self.connection.list_table_names(proto::ListTableNamesRequest { database: database.to_owned() }))?;
        Ok(answer.names)
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let connection = &self.connection;
        let attempt = || async {
            let asked = proto::ListTablesRequest { database: database.to_owned() };
            let request = connection.request_without_deadline(asked);
            let mut messages = connection.answer(connection.timeout(), connection.client().list_tables(request)).await?;
            let mut tables = Vec::new();
            while let Some(some) = connection.next(&mut messages).await? {
                for table in some.tables {
                    tables.push(message::read_table(Some(table))?);
                }
            }
            Ok::<_, CallError>(tables)
        };
        connection.call(Purpose::Read, attempt).await
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        let asked = proto::GetTableRequest { database: name.database.clone(), name: name.table.clone(), id: None };
        message::read_table(read!(self.connection.get_table(asked))?.table)
    }

    async fn table_by_id(&self, id: i64) -> Result<Table> {
        let asked = proto::GetTableRequest { id: Some(id), ..proto::GetTableRequest::default() };
        message::read_table(read!(self.connection.get_table(asked))?.table)
    }

    async fn table_versions(&self) -> Result<Vec<TableVersion>> {
        let answer = read!(self.connection.list_table_versions(proto::ListTableVersionsRequest {}))?;
        Ok(answer.tables.into_iter().map(message::read_table_version).collect())
    }

    async fn create_table(&self, table: Table) -> Result<Table> {
        let asked = proto::CreateTableRequest { table: Some(message::table(table)) };
        message::read_table(change!(self.connection.create_table(asked))?.table)
    }

    async fn replace_table(&self, table: Table) -> Result<Table> {
        let asked = proto::ReplaceTableRequest { table: Some(message::table(table)) };
        message::read_table(change!(self.connection.replace_table(asked))?.table)
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        partitions::install(&self.connection, table, partitions, replace).await
    }

    async fn drop_table(&self, name: &TableName) -> Result<()> {
        let asked = proto::DropTableRequest { database: name.database.clone(), name: name.table.clone() };
        change!(self.connection.drop_table(asked)).map(drop)
    }

    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>> {
        let load = |older: Option<Indexed>| async move { partitions::index(&self.connection, table, older.as_ref()).await };
        self.indexes.get(table, load).await
    }

    /// Never known here: the service sends the changed partitions themselves, by which the index is updated.
    async fn changed_partitions(&self, _table: &Table, _since: i64) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
        partitions::partitions(&self.connection, table, values).await
    }

    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
        partitions::change(&self.connection, table, change).await
    }
}
