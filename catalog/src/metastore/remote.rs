//! The metastore in another process: a client of the catalog service, which looks like any other metastore.
//!
//! Definitions are asked for whenever they are needed, so that a statement sees what others changed before it; partition indexes
//! are kept by table version. A service that is lost is connected to again at the next call. What only reads is tried again; what
//! changes something is sent once, and if the service is lost before it answers, the error says that the outcome is not known.

mod call;
mod options;
mod repair;
mod transfer;
mod watch;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use glaux_proto::catalog::v1 as proto;
pub use options::{Credentials, RemoteOptions};
pub use watch::{CatalogChange, ChangeKind};

use self::call::{Line, change, read};
use super::{
    Metastore, PartitionChange, PartitionChangeSummary, TableVersion,
    index_cache::{IndexCache, Indexed},
};
use crate::{
    error::{Error, ErrorKind, Result},
    ident::TableName,
    model::{Attachment, Database, Grant, GrantObject, Grantee, Partition, PartitionValues, Table},
    partition::PartitionIndex,
    wire::{self, definition as message},
};

/// A catalog service, seen from a client.
pub struct RemoteMetastore {
    line: Arc<Line>,
    indexes: IndexCache,
}

/// What a service says of itself and of its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// The service's release.
    pub version: String,
    /// Who it takes the caller for.
    pub user: String,
    /// Whether the caller sees everything, and may do everything.
    pub administrator: bool,
}

impl RemoteMetastore {
    /// A client that connects at its first call. To be made within a Tokio runtime.
    ///
    /// # Errors
    /// `Invalid` for an address, certificates or credentials that cannot be meant.
    pub fn new(options: &RemoteOptions) -> Result<Self> {
        Ok(Self { line: Arc::new(Line::new(options)?), indexes: IndexCache::new() })
    }

    /// A client of a service that answers, and speaks what this client speaks.
    ///
    /// # Errors
    /// As [`RemoteMetastore::new`] and [`RemoteMetastore::hello`].
    pub async fn connect(options: &RemoteOptions) -> Result<Self> {
        let client = Self::new(options)?;
        client.hello().await?;
        Ok(client)
    }

    /// The service's address, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.line.address()
    }

    /// Asks the service who it is, and who the caller is to it.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer, `Denied` if it does not let the caller in, `Unsupported` for one that is too new or
    /// too old.
    pub async fn hello(&self) -> Result<ServiceAnswer> {
        let asked = proto::HelloRequest { protocol: wire::PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
        let answer = read!(self.line.hello(asked))?;
        if answer.oldest_protocol > wire::PROTOCOL || answer.protocol < wire::OLDEST_PROTOCOL {
            let proto::HelloResponse { version, protocol, oldest_protocol, .. } = answer;
            let message = format!(
                "catalog service \"{}\" is of release {version} and speaks protocol {oldest_protocol} to {protocol}, this glaux {}",
                self.address(),
                wire::PROTOCOL
            );
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint("Use the same release of glaux on both sides"));
        }
        Ok(ServiceAnswer { version: answer.version, user: answer.user, administrator: answer.administrator })
    }
}

impl fmt::Debug for RemoteMetastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteMetastore").field("address", &self.address()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Metastore for RemoteMetastore {
    async fn databases(&self) -> Result<Vec<Database>> {
        let answer = read!(self.line.list_databases(proto::ListDatabasesRequest {}))?;
        answer.databases.into_iter().map(|database| message::read_database(Some(database))).collect()
    }

    async fn database(&self, name: &str) -> Result<Database> {
        let answer = read!(self.line.get_database(proto::GetDatabaseRequest { name: name.to_owned() }))?;
        message::read_database(answer.database)
    }

    async fn create_database(&self, database: Database) -> Result<()> {
        let asked = proto::CreateDatabaseRequest { database: Some(message::database(database)) };
        change!(self.line.create_database(asked)).map(drop)
    }

    async fn replace_database(&self, database: Database) -> Result<()> {
        let asked = proto::ReplaceDatabaseRequest { database: Some(message::database(database)) };
        change!(self.line.replace_database(asked)).map(drop)
    }

    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        change!(self.line.drop_database(proto::DropDatabaseRequest { name: name.to_owned(), cascade })).map(drop)
    }

    async fn table_names(&self, database: &str) -> Result<Vec<String>> {
        let answer = read!(self.line.list_table_names(proto::ListTableNamesRequest { database: database.to_owned() }))?;
        Ok(answer.names)
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        transfer::tables(&self.line, database).await
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        let asked = proto::GetTableRequest { database: name.database.clone(), name: name.table.clone(), id: None };
        message::read_table(read!(self.line.get_table(asked))?.table)
    }

    async fn table_by_id(&self, id: i64) -> Result<Table> {
        let asked = proto::GetTableRequest { id: Some(id), ..proto::GetTableRequest::default() };
        message::read_table(read!(self.line.get_table(asked))?.table)
    }

    async fn table_versions(&self) -> Result<Vec<TableVersion>> {
        let answer = read!(self.line.list_table_versions(proto::ListTableVersionsRequest {}))?;
        Ok(answer.tables.into_iter().map(message::read_table_version).collect())
    }

    async fn create_table(&self, table: Table) -> Result<Table> {
        let asked = proto::CreateTableRequest { table: Some(message::table(table)) };
        message::read_table(change!(self.line.create_table(asked))?.table)
    }

    async fn replace_table(&self, table: Table) -> Result<Table> {
        let asked = proto::ReplaceTableRequest { table: Some(message::table(table)) };
        message::read_table(change!(self.line.replace_table(asked))?.table)
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        transfer::install(&self.line, table, partitions, replace).await
    }

    async fn drop_table(&self, name: &TableName) -> Result<()> {
        let asked = proto::DropTableRequest { database: name.database.clone(), name: name.table.clone() };
        change!(self.line.drop_table(asked)).map(drop)
    }

    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>> {
        let load = |older: Option<Indexed>| async move { transfer::index(&self.line, table, older.as_ref()).await };
        self.indexes.get(table, load).await
    }

    /// Not asked: it comes with what has changed, by which the index is brought up to date.
    async fn changed_partitions(&self, _table: &Table, _since: i64) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
        transfer::partitions(&self.line, table, values).await
    }

    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
        transfer::change(&self.line, table, change).await
    }

    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        transfer::attachments(&self.line, table, prefix).await
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        transfer::set_attachments(&self.line, table, changes).await
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        let answer = read!(self.line.list_grants(proto::ListGrantsRequest {}))?;
        answer.grants.into_iter().map(message::read_grant).collect()
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        change!(self.line.set_grant(proto::SetGrantRequest { grant: Some(message::grant(grant)) })).map(drop)
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let (object, grantee) = (message::grant_object(object.clone()), message::grantee(grantee.clone()));
        change!(self.line.remove_grant(proto::RemoveGrantRequest { object: Some(object), grantee: Some(grantee) })).map(drop)
    }
}

#[cfg(test)]
mod tests;
