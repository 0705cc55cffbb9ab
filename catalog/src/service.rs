//! The catalog over gRPC: `glaux.catalog.v1.CatalogService` over any metastore. It translates and decides nothing: who a caller
//! is, and which metastore they have (one that shows and takes what they may), the [`Gate`] says for each call.
//!
//! `partitions` streams indexes and takes changes in, `repair` has them found in storage, `watch` tells of changes.

mod attachments;
mod open;
mod partitions;
mod repair;
mod watch;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
pub(crate) use attachments::Gathered;
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, catalog_service_server::CatalogService};
pub use glaux_proto::{FILE_DESCRIPTOR_SET, catalog::v1::catalog_service_server::CatalogServiceServer};
pub use open::OpenGate;
pub(crate) use partitions::end_of;
pub use repair::{RepairStep, Repairer};
use tokio::sync::watch as signal;
use tonic::{Extensions, Request, Response, Status, Streaming, metadata::MetadataMap};

pub use crate::wire::failure::{KIND_HEADER, code, status as status_of};
use crate::{
    error::{Error, ErrorKind, Result},
    ident::TableName,
    metastore::{Metastore, dropped},
    model::Table,
    wire::{self, definition as message, failure::status},
};

/// The full name of the service, as health checks ask for it.
pub const NAME: &str = "glaux.catalog.v1.CatalogService";

/// Tables in a message of ListTables.
const TABLES: usize = 64;

type Reply<T> = std::result::Result<Response<T>, Status>;
type Messages<T> = BoxStream<'static, std::result::Result<T, Status>>;

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The catalog as they may see and change it, good for this call.
    pub metastore: Arc<dyn Metastore>,
    pub user: String,
    /// Whether they see everything, and may do everything.
    pub administrator: bool,
    /// What repairs tables for them, if the service reaches storage.
    pub repairer: Option<Arc<dyn Repairer>>,
}

/// Who may come in, and when it closes.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// Who calls, by the call's headers and its connection.
    ///
    /// # Errors
    /// The status that the caller is refused with.
    async fn admit(&self, headers: &MetadataMap, extensions: &Extensions) -> std::result::Result<Admitted, Status>;

    /// Ready once the server takes no more calls; what would go on for ever ends then.
    async fn closing(&self);
}

/// The service. Clones are one.
#[derive(Debug, Clone)]
pub struct Service {
    gate: Arc<dyn Gate>,
    /// Rises with every change that is made here, so that those who watch look at once.
    changes: Arc<signal::Sender<u64>>,
}

/// A call that was let in. What is sent in parts is kept until the change is made, and the parts with it: whoever limits what clients send
/// counts it by them.
struct Call {
    store: Arc<dyn Metastore>,
    admitted: Admitted,
}

impl Service {
    #[must_use]
    pub fn new(gate: Arc<dyn Gate>) -> Self {
        Self { gate, changes: Arc::new(signal::Sender::new(0)) }
    }

    async fn admit<T>(&self, request: Request<T>) -> std::result::Result<(Call, T), Status> {
        let (headers, extensions, message) = request.into_parts();
        let admitted = self.let_in(&headers, &extensions).await?;
        Ok((Call { store: Arc::clone(&admitted.metastore), admitted }, message))
    }

    async fn let_in(&self, headers: &MetadataMap, extensions: &Extensions) -> std::result::Result<Admitted, Status> {
        if let Some(protocol) = headers.get(wire::PROTOCOL_HEADER) {
            let spoken = protocol.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            check_protocol(spoken).map_err(|error| status(&error))?;
        }
        self.gate.admit(headers, extensions).await
    }

    /// The answer to what changes something; those who watch are told to look.
    fn changed<T>(&self, answer: Result<T>) -> Reply<T> {
        self.changes.send_modify(|count| *count += 1);
        answered(answer)
    }
}

fn check_protocol(spoken: u32) -> Result<()> {
    if (wire::OLDEST_PROTOCOL..=wire::PROTOCOL).contains(&spoken) {
        return Ok(());
    }
    let (oldest, newest) = (wire::OLDEST_PROTOCOL, wire::PROTOCOL);
    let message = format!("the client speaks protocol {spoken} of the catalog service, which speaks {oldest} to {newest}");
    Err(Error::new(ErrorKind::Unsupported, message).with_hint("Use the same release of glaux on both sides"))
}

fn answered<T>(answer: Result<T>) -> Reply<T> {
    answer.map(Response::new).map_err(|error| status(&error))
}

impl Call {
    /// A table that the caller has read before, as it is now.
    ///
    /// # Errors
    /// `NotFound` if it was dropped meanwhile, or the caller may not see it.
    async fn present(&self, reference: &proto::TableRef) -> Result<Table> {
        self.store.table_by_id(reference.id).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => dropped(&TableName::new(&reference.database, &reference.name)),
            _ => error,
        })
    }

    /// The same, with the version and the place that the caller knows.
    ///
    /// # Errors
    /// As [`Call::present`].
    async fn seen(&self, reference: Option<proto::TableRef>) -> Result<Table> {
        let reference = message::present(reference, "table")?;
        let mut table = self.present(&reference).await?;
        table.version = reference.version;
        table.storage.location = reference.location;
        Ok(table)
    }
}

#[async_trait]
impl CatalogService for Service {
    type ListTablesStream = Messages<proto::ListTablesResponse>;
    type RepairTableStream = Messages<proto::RepairTableResponse>;
    type GetPartitionsStream = Messages<proto::GetPartitionsResponse>;
    type FindPartitionsStream = Messages<proto::FindPartitionsResponse>;
    type GetAttachmentsStream = Messages<proto::GetAttachmentsResponse>;
    type WatchStream = Messages<proto::WatchResponse>;

    async fn hello(&self, request: Request<proto::HelloRequest>) -> Reply<proto::HelloResponse> {
        let (call, asked) = self.admit(request).await?;
        let answer = || {
            check_protocol(asked.protocol)?;
            Ok(proto::HelloResponse {
                protocol: wire::PROTOCOL,
                oldest_protocol: wire::OLDEST_PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                user: call.admitted.user,
                administrator: call.admitted.administrator,
            })
        };
        answered(answer())
    }

    async fn list_databases(&self, request: Request<proto::ListDatabasesRequest>) -> Reply<proto::ListDatabasesResponse> {
        let (call, _) = self.admit(request).await?;
        let databases = call.store.databases().await;
        answered(
            databases.map(|all| proto::ListDatabasesResponse { databases: all.into_iter().map(message::database).collect() }),
        )
    }

    async fn get_database(&self, request: Request<proto::GetDatabaseRequest>) -> Reply<proto::GetDatabaseResponse> {
        let (call, asked) = self.admit(request).await?;
        let database = call.store.database(&asked.name).await;
        answered(database.map(|found| proto::GetDatabaseResponse { database: Some(message::database(found)) }))
    }

    async fn create_database(&self, request: Request<proto::CreateDatabaseRequest>) -> Reply<proto::CreateDatabaseResponse> {
        let (call, asked) = self.admit(request).await?;
        let made = async { call.store.create_database(message::read_database(asked.database)?).await };
        self.changed(made.await.map(|()| proto::CreateDatabaseResponse {}))
    }

    async fn replace_database(&self, request: Request<proto::ReplaceDatabaseRequest>) -> Reply<proto::ReplaceDatabaseResponse> {
        let (call, asked) = self.admit(request).await?;
        let replaced = async { call.store.replace_database(message::read_database(asked.database)?).await };
        self.changed(replaced.await.map(|()| proto::ReplaceDatabaseResponse {}))
    }

    async fn drop_database(&self, request: Request<proto::DropDatabaseRequest>) -> Reply<proto::DropDatabaseResponse> {
        let (call, asked) = self.admit(request).await?;
        let dropped = call.store.drop_database(&asked.name, asked.cascade).await;
        self.changed(dropped.map(|()| proto::DropDatabaseResponse {}))
    }

    async fn list_table_names(&self, request: Request<proto::ListTableNamesRequest>) -> Reply<proto::ListTableNamesResponse> {
        let (call, asked) = self.admit(request).await?;
        answered(call.store.table_names(&asked.database).await.map(|names| proto::ListTableNamesResponse { names }))
    }

    async fn list_tables(&self, request: Request<proto::ListTablesRequest>) -> Reply<Self::ListTablesStream> {
        let (call, asked) = self.admit(request).await?;
        let mut tables =
            call.store.tables(&asked.database).await.map_err(|error| status(&error))?.into_iter().map(message::table);
        let messages = std::iter::from_fn(move || {
            let tables: Vec<_> = tables.by_ref().take(TABLES).collect();
            (!tables.is_empty()).then(|| Ok(proto::ListTablesResponse { tables }))
        });
        Ok(Response::new(stream::iter(messages).boxed()))
    }

    async fn list_table_versions(
        &self,
        request: Request<proto::ListTableVersionsRequest>,
    ) -> Reply<proto::ListTableVersionsResponse> {
        let (call, _) = self.admit(request).await?;
        let versions = call.store.table_versions().await;
        answered(
            versions
                .map(|all| proto::ListTableVersionsResponse { tables: all.into_iter().map(message::table_version).collect() }),
        )
    }

    async fn get_table(&self, request: Request<proto::GetTableRequest>) -> Reply<proto::GetTableResponse> {
        let (call, proto::GetTableRequest { database, name, id }) = self.admit(request).await?;
        let table = match id {
            Some(id) => call.store.table_by_id(id).await,
            None => call.store.table(&TableName { database, table: name }).await,
        };
        answered(table.map(|table| proto::GetTableResponse { table: Some(message::table(table)) }))
    }

    async fn create_table(&self, request: Request<proto::CreateTableRequest>) -> Reply<proto::CreateTableResponse> {
        let (call, asked) = self.admit(request).await?;
        let made = async { call.store.create_table(message::read_table(asked.table)?).await };
        self.changed(made.await.map(|table| proto::CreateTableResponse { table: Some(message::table(table)) }))
    }

    async fn replace_table(&self, request: Request<proto::ReplaceTableRequest>) -> Reply<proto::ReplaceTableResponse> {
        let (call, asked) = self.admit(request).await?;
        let replaced = async { call.store.replace_table(message::read_table(asked.table)?).await };
        self.changed(replaced.await.map(|table| proto::ReplaceTableResponse { table: Some(message::table(table)) }))
    }

    async fn install_table(&self, request: Request<Streaming<proto::InstallTableRequest>>) -> Reply<proto::InstallTableResponse> {
        let (call, mut parts) = self.admit(request).await?;
        let (table, partitions, replace) = partitions::gather_table(&mut parts).await?;
        let installed = call.store.install_table(table, partitions, replace).await;
        self.changed(installed.map(|table| proto::InstallTableResponse { table: Some(message::table(table)) }))
    }

    async fn drop_table(&self, request: Request<proto::DropTableRequest>) -> Reply<proto::DropTableResponse> {
        let (call, proto::DropTableRequest { database, name }) = self.admit(request).await?;
        let dropped = call.store.drop_table(&TableName { database, table: name }).await;
        self.changed(dropped.map(|()| proto::DropTableResponse {}))
    }

    async fn get_partitions(&self, request: Request<proto::GetPartitionsRequest>) -> Reply<Self::GetPartitionsStream> {
        let (call, asked) = self.admit(request).await?;
        answered(partitions::get(&call, asked).await)
    }

    async fn find_partitions(&self, request: Request<proto::FindPartitionsRequest>) -> Reply<Self::FindPartitionsStream> {
        let (call, asked) = self.admit(request).await?;
        answered(partitions::find(&call, asked).await)
    }

    async fn change_partitions(
        &self,
        request: Request<Streaming<proto::ChangePartitionsRequest>>,
    ) -> Reply<proto::ChangePartitionsResponse> {
        let (call, mut parts) = self.admit(request).await?;
        let (table, change) = partitions::gather(&call, &mut parts).await?;
        self.changed(call.store.change_partitions(&table, change).await.map(partitions::summary))
    }

    async fn repair_table(&self, request: Request<proto::RepairTableRequest>) -> Reply<Self::RepairTableStream> {
        let (call, asked) = self.admit(request).await?;
        let steps = repair::repair(call.admitted, asked).await.map_err(|error| status(&error))?;
        let changes = Arc::clone(&self.changes);
        let mut made = 0;
        let told = steps.inspect(move |step| {
            let now = step.as_ref().map_or(u64::MAX, |step| step.added + step.dropped);
            if std::mem::replace(&mut made, now) != now {
                changes.send_modify(|count| *count += 1);
            }
        });
        Ok(Response::new(told.boxed()))
    }

    async fn get_attachments(&self, request: Request<proto::GetAttachmentsRequest>) -> Reply<Self::GetAttachmentsStream> {
        let (call, asked) = self.admit(request).await?;
        answered(attachments::get(&call, asked).await)
    }

    async fn set_attachments(
        &self,
        request: Request<Streaming<proto::SetAttachmentsRequest>>,
    ) -> Reply<proto::SetAttachmentsResponse> {
        let (call, mut parts) = self.admit(request).await?;
        let (table, attachments) = attachments::gather(&call, &mut parts).await?;
        // No version rises: there is nothing to tell those who watch.
        answered(call.store.set_attachments(&table, attachments).await.map(|()| proto::SetAttachmentsResponse {}))
    }

    async fn list_grants(&self, request: Request<proto::ListGrantsRequest>) -> Reply<proto::ListGrantsResponse> {
        let (call, _) = self.admit(request).await?;
        let grants = call.store.grants().await;
        answered(grants.map(|all| proto::ListGrantsResponse { grants: all.into_iter().map(message::grant).collect() }))
    }

    async fn set_grant(&self, request: Request<proto::SetGrantRequest>) -> Reply<proto::SetGrantResponse> {
        let (call, asked) = self.admit(request).await?;
        let set = async { call.store.set_grant(message::read_grant(message::present(asked.grant, "grant")?)?).await };
        self.changed(set.await.map(|()| proto::SetGrantResponse {}))
    }

    async fn remove_grant(&self, request: Request<proto::RemoveGrantRequest>) -> Reply<proto::RemoveGrantResponse> {
        let (call, asked) = self.admit(request).await?;
        let removed = async {
            let object = message::read_grant_object(asked.object)?;
            call.store.remove_grant(&object, &message::read_grantee(asked.grantee)?).await
        };
        self.changed(removed.await.map(|()| proto::RemoveGrantResponse {}))
    }

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Reply<Self::WatchStream> {
        let (headers, extensions, _) = request.into_parts();
        // Refused at once, not in the stream.
        self.let_in(&headers, &extensions).await?;
        Ok(Response::new(watch::changes(self.clone(), headers, extensions)))
    }
}
