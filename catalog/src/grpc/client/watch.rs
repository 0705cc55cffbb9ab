//! Watches a catalog: what it holds, and then every change.

use std::sync::Arc;

use futures::{StreamExt, stream, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, catalog_change::Kind};

use super::{RemoteMetastore, connection::Purpose};
use crate::{error::Result, ident::TableName, metastore::TableVersion};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It existed when the watch began.
    Present,
    Created,
    /// Its definition, its partitions or its name have changed.
    Changed,
    Dropped,
}

/// A change of the catalog, or what it holds when the watch begins. Changes in quick succession may be reported as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogChange {
    pub kind: ChangeKind,
    pub database: String,
    /// The table or view; `None` for the database itself. Of a dropped one, its last known version.
    pub table: Option<TableVersion>,
}

impl RemoteMetastore {
    /// What there is, and then every change of it that the caller may see, in groups. The flag of a group says whether everything that existed at
    /// the beginning was reported by then. The stream ends when the service shuts down, or with an error when the connection is lost.
    ///
    /// # Errors
    /// As [`RemoteMetastore::hello`].
    pub async fn watch(&self) -> Result<BoxStream<'static, Result<(Vec<CatalogChange>, bool)>>> {
        let connection = Arc::clone(&self.connection);
        let attempt = || async {
            let request = connection.request_without_deadline(proto::WatchRequest {});
            connection.answer(connection.timeout(), connection.client().watch(request)).await
        };
        let messages = connection.call(Purpose::Read, attempt).await?;
        let changes = stream::unfold(Some((connection, messages)), |state| async move {
            let (connection, mut messages) = state?;
            match messages.message().await {
                Ok(None) => None,
                Ok(Some(message)) => {
                    let changes = message.changes.into_iter().filter_map(change).collect();
                    Some((Ok((changes, message.complete)), Some((connection, messages))))
                }
                Err(status) => Some((Err(connection.error(Purpose::Read, connection.call_error(&status))), None)),
            }
        });
        Ok(changes.boxed())
    }
}

/// A change; `None` for one of a kind that this release does not know.
fn change(message: proto::CatalogChange) -> Option<CatalogChange> {
    let kind = match message.kind() {
        Kind::Present => ChangeKind::Present,
        Kind::Created => ChangeKind::Created,
        Kind::Changed => ChangeKind::Changed,
        Kind::Dropped => ChangeKind::Dropped,
        Kind::Unspecified => return None,
    };
    let proto::CatalogChange { database, table, id, version, .. } = message;
    let name = TableName { database: database.clone(), table };
    let table = (!name.table.is_empty()).then_some(TableVersion { name, id, version });
    Some(CatalogChange { kind, database, table })
}
