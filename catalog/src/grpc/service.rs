//! `glaux.catalog.v1.CatalogService` over any metastore. It translates messages; a [`Gate`] decides for each call who calls and which metastore
//! they see.
//!
//! `partitions` streams indexes and receives changes, `attachments` streams blobs both ways, `repair` runs repairs, and `watch` streams changes.

mod attachments;
mod gate;
mod lookup;
mod open;
mod partitions;
mod repair;
mod state;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, stream};
pub use gate::{Admitted, Gate};
use glaux_proto::catalog::v1::{self as proto, catalog_service_server::CatalogService};
pub use open::OpenGate;
pub use state::Service;
use state::{Messages, Reply, answered};
use tonic::{Request, Response, Streaming};

use super::{
    message::{
        definition as message,
        workgroup::{read_workgroup, workgroup},
    },
    protocol::{OLDEST_PROTOCOL, PROTOCOL, check_protocol},
    status::status_of,
};
use crate::{ident::TableName, metastore::PutWorkgroup};

/// The full name of the service, for health checks.
pub const NAME: &str = "glaux.catalog.v1.CatalogService";

/// Tables in one message of ListTables.
const TABLES: usize = 64;

#[async_trait]
impl CatalogService for Service {
    type ListTablesStream = Messages<proto::ListTablesResponse>;
    type RepairTableStream = Messages<proto::RepairTableResponse>;
    type GetPartitionsStream = Messages<proto::GetPartitionsResponse>;
    type FindPartitionsStream = Messages<proto::FindPartitionsResponse>;
    type GetAttachmentsStream = Messages<proto::GetAttachmentsResponse>;
    type WatchStream = Messages<proto::WatchResponse>;

    async fn hello(&self, request: Request<proto::HelloRequest>) -> Reply<proto::HelloResponse> {
        let (caller, asked) = self.admit(request).await?;
        let answer = || {
            check_protocol(asked.protocol)?;
            Ok(proto::HelloResponse {
                protocol: PROTOCOL,
                oldest_protocol: OLDEST_PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                user: caller.user,
                administrator: caller.administrator,
            })
        };
        answered(answer())
    }

    async fn list_databases(&self, request: Request<proto::ListDatabasesRequest>) -> Reply<proto::ListDatabasesResponse> {
        let (caller, _) = self.admit(request).await?;
        let databases = caller.metastore.databases().await;
        answered(
            databases.map(|all| proto::ListDatabasesResponse { databases: all.into_iter().map(message::database).collect() }),
        )
    }

    async fn get_database(&self, request: Request<proto::GetDatabaseRequest>) -> Reply<proto::GetDatabaseResponse> {
        let (caller, asked) = self.admit(request).await?;
        let database = caller.metastore.database(&asked.name).await;
        answered(database.map(|found| proto::GetDatabaseResponse { database: Some(message::database(found)) }))
    }

    async fn create_database(&self, request: Request<proto::CreateDatabaseRequest>) -> Reply<proto::CreateDatabaseResponse> {
        let (caller, asked) = self.admit(request).await?;
        let made = async { caller.metastore.create_database(message::read_database(asked.database)?).await };
        self.changed(made.await.map(|()| proto::CreateDatabaseResponse {}))
    }

    async fn replace_database(&self, request: Request<proto::ReplaceDatabaseRequest>) -> Reply<proto::ReplaceDatabaseResponse> {
        let (caller, asked) = self.admit(request).await?;
        let replaced = async { caller.metastore.replace_database(message::read_database(asked.database)?).await };
        self.changed(replaced.await.map(|()| proto::ReplaceDatabaseResponse {}))
    }

    async fn drop_database(&self, request: Request<proto::DropDatabaseRequest>) -> Reply<proto::DropDatabaseResponse> {
        let (caller, asked) = self.admit(request).await?;
        let dropped = caller.metastore.drop_database(&asked.name, asked.cascade).await;
        self.changed(dropped.map(|()| proto::DropDatabaseResponse {}))
    }

    async fn list_table_names(&self, request: Request<proto::ListTableNamesRequest>) -> Reply<proto::ListTableNamesResponse> {
        let (caller, asked) = self.admit(request).await?;
        answered(caller.metastore.table_names(&asked.database).await.map(|names| proto::ListTableNamesResponse { names }))
    }

    async fn list_tables(&self, request: Request<proto::ListTablesRequest>) -> Reply<Self::ListTablesStream> {
        let (caller, asked) = self.admit(request).await?;
        let mut tables =
            caller.metastore.tables(&asked.database).await.map_err(|error| status_of(&error))?.into_iter().map(message::table);
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
        let (caller, _) = self.admit(request).await?;
        let versions = caller.metastore.table_versions().await;
        answered(
            versions
                .map(|all| proto::ListTableVersionsResponse { tables: all.into_iter().map(message::table_version).collect() }),
        )
    }

    async fn get_table(&self, request: Request<proto::GetTableRequest>) -> Reply<proto::GetTableResponse> {
        let (caller, proto::GetTableRequest { database, name, id }) = self.admit(request).await?;
        let table = match id {
            Some(id) => caller.metastore.table_by_id(id).await,
            None => caller.metastore.table(&TableName { database, table: name }).await,
        };
        answered(table.map(|table| proto::GetTableResponse { table: Some(message::table(table)) }))
    }

    async fn create_table(&self, request: Request<proto::CreateTableRequest>) -> Reply<proto::CreateTableResponse> {
        let (caller, asked) = self.admit(request).await?;
        let made = async { caller.metastore.create_table(message::read_table(asked.table)?).await };
        self.changed(made.await.map(|table| proto::CreateTableResponse { table: Some(message::table(table)) }))
    }

    async fn replace_table(&self, request: Request<proto::ReplaceTableRequest>) -> Reply<proto::ReplaceTableResponse> {
        let (caller, asked) = self.admit(request).await?;
        let replaced = async { caller.metastore.replace_table(message::read_table(asked.table)?).await };
        self.changed(replaced.await.map(|table| proto::ReplaceTableResponse { table: Some(message::table(table)) }))
    }

    async fn install_table(&self, request: Request<Streaming<proto::InstallTableRequest>>) -> Reply<proto::InstallTableResponse> {
        let (caller, mut parts) = self.admit(request).await?;
        let (table, partitions, replace) = partitions::receive_table(&mut parts).await?;
        let installed = caller.metastore.install_table(table, partitions, replace).await;
        self.changed(installed.map(|table| proto::InstallTableResponse { table: Some(message::table(table)) }))
    }

    async fn drop_table(&self, request: Request<proto::DropTableRequest>) -> Reply<proto::DropTableResponse> {
        let (caller, proto::DropTableRequest { database, name }) = self.admit(request).await?;
        let dropped = caller.metastore.drop_table(&TableName { database, table: name }).await;
        self.changed(dropped.map(|()| proto::DropTableResponse {}))
    }

    async fn get_partitions(&self, request: Request<proto::GetPartitionsRequest>) -> Reply<Self::GetPartitionsStream> {
        let (caller, asked) = self.admit(request).await?;
        answered(partitions::get(&*caller.metastore, asked).await)
    }

    async fn find_partitions(&self, request: Request<proto::FindPartitionsRequest>) -> Reply<Self::FindPartitionsStream> {
        let (caller, asked) = self.admit(request).await?;
        answered(partitions::find(&*caller.metastore, asked).await)
    }

    async fn change_partitions(
        &self,
        request: Request<Streaming<proto::ChangePartitionsRequest>>,
    ) -> Reply<proto::ChangePartitionsResponse> {
        let (caller, mut parts) = self.admit(request).await?;
        let (table, change) = partitions::receive_change(&*caller.metastore, &mut parts).await?;
        self.changed(caller.metastore.change_partitions(&table, change).await.map(partitions::summary))
    }

    async fn repair_table(&self, request: Request<proto::RepairTableRequest>) -> Reply<Self::RepairTableStream> {
        let (caller, asked) = self.admit(request).await?;
        let steps = repair::repair(caller.repairer, asked).await.map_err(|error| status_of(&error))?;
        let changes = Arc::clone(&self.changes);
        let mut made = 0;
        let steps = steps.inspect(move |step| {
            let now = step.as_ref().map_or(u64::MAX, |step| step.added + step.dropped);
            if std::mem::replace(&mut made, now) != now {
                changes.send_modify(|count| *count += 1);
            }
        });
        Ok(Response::new(steps.boxed()))
    }

    async fn get_attachments(&self, request: Request<proto::GetAttachmentsRequest>) -> Reply<Self::GetAttachmentsStream> {
        let (caller, asked) = self.admit(request).await?;
        answered(attachments::get(&*caller.metastore, asked).await)
    }

    async fn set_attachments(
        &self,
        request: Request<Streaming<proto::SetAttachmentsRequest>>,
    ) -> Reply<proto::SetAttachmentsResponse> {
        let (caller, mut parts) = self.admit(request).await?;
        let (table, attachments) = attachments::receive(&*caller.metastore, &mut parts).await?;
        // No version rises, so there is nothing for watchers.
        answered(caller.metastore.set_attachments(&table, attachments).await.map(|()| proto::SetAttachmentsResponse {}))
    }

    async fn list_grants(&self, request: Request<proto::ListGrantsRequest>) -> Reply<proto::ListGrantsResponse> {
        let (caller, _) = self.admit(request).await?;
        let grants = caller.metastore.grants().await;
        answered(grants.map(|all| proto::ListGrantsResponse { grants: all.into_iter().map(message::grant).collect() }))
    }

    async fn set_grant(&self, request: Request<proto::SetGrantRequest>) -> Reply<proto::SetGrantResponse> {
        let (caller, asked) = self.admit(request).await?;
        let set = async { caller.metastore.set_grant(message::read_grant(message::present(asked.grant, "grant")?)?).await };
        self.changed(set.await.map(|()| proto::SetGrantResponse {}))
    }

    async fn remove_grant(&self, request: Request<proto::RemoveGrantRequest>) -> Reply<proto::RemoveGrantResponse> {
        let (caller, asked) = self.admit(request).await?;
        let removed = async {
            let object = message::read_grant_object(asked.object)?;
            caller.metastore.remove_grant(&object, &message::read_grantee(asked.grantee)?).await
        };
        self.changed(removed.await.map(|()| proto::RemoveGrantResponse {}))
    }

    async fn list_workgroups(&self, request: Request<proto::ListWorkgroupsRequest>) -> Reply<proto::ListWorkgroupsResponse> {
        let (caller, _) = self.admit(request).await?;
        let listed = caller.metastore.workgroups().await;
        let messages = |all: Vec<_>| all.into_iter().map(workgroup).collect();
        answered(listed.and_then(messages).map(|workgroups| proto::ListWorkgroupsResponse { workgroups }))
    }

    async fn get_workgroup(&self, request: Request<proto::GetWorkgroupRequest>) -> Reply<proto::GetWorkgroupResponse> {
        let (caller, asked) = self.admit(request).await?;
        let found = caller.metastore.workgroup(&asked.name).await.and_then(workgroup);
        answered(found.map(|workgroup| proto::GetWorkgroupResponse { workgroup: Some(workgroup) }))
    }

    async fn put_workgroup(&self, request: Request<proto::PutWorkgroupRequest>) -> Reply<proto::PutWorkgroupResponse> {
        let (caller, asked) = self.admit(request).await?;
        let put = async {
            let workgroup = read_workgroup(asked.workgroup)?;
            let seen = asked.seen.map(|seen| read_workgroup(Some(seen))).transpose()?;
            let mode = seen.as_ref().map_or(PutWorkgroup::Create, PutWorkgroup::Replace);
            caller.metastore.put_workgroup(workgroup, mode).await
        };
        // Watchers are not told of workgroups.
        answered(put.await.map(|()| proto::PutWorkgroupResponse {}))
    }

    async fn remove_workgroup(&self, request: Request<proto::RemoveWorkgroupRequest>) -> Reply<proto::RemoveWorkgroupResponse> {
        let (caller, asked) = self.admit(request).await?;
        answered(caller.metastore.remove_workgroup(&asked.name).await.map(|()| proto::RemoveWorkgroupResponse {}))
    }

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Reply<Self::WatchStream> {
        let (headers, extensions, _) = request.into_parts();
        // A caller who is not admitted gets the error at once, not in the stream.
        self.admit_caller(&headers, &extensions).await?;
        Ok(Response::new(watch::changes(self.clone(), headers, extensions)))
    }
}
