//! Hearing of changes: what there is, and then every change, in the words of the model.

use futures::{StreamExt, stream, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, catalog_change::Kind};

use super::{RemoteMetastore, call::Purpose};
use crate::{error::Result, ident::TableName, metastore::TableVersion};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was there when the watch began.
    Present,
    Created,
    /// Its definition or its partitions are others, or it has another name.
    Changed,
    Dropped,
}

/// Something that is, or became, different. Changes that follow each other closely may come as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogChange {
    pub kind: ChangeKind,
    pub database: String,
    /// The table or view; `None` for the database itself. Of one that was dropped, what was known last.
    pub table: Option<TableVersion>,
}

impl RemoteMetastore {
    /// What there is, and then every change of it that the caller may see, some at a time. The second part of an item says
    /// whether everything that was there at the beginning has been told by now. The stream ends when the service shuts down, or
    /// with an error when it is lost.
    ///
    /// # Errors
    /// As [`RemoteMetastore::hello`].
    pub async fn watch(&self) -> Result<BoxStream<'static, Result<(Vec<CatalogChange>, bool)>>> {
        let line = std::sync::Arc::clone(&self.line);
        let attempt = || async {
            let request = line.endless_request(proto::WatchRequest {});
            line.answer(line.timeout(), line.client().watch(request)).await
        };
        let messages = line.carried(Purpose::Read, attempt).await?;
        let heard = stream::unfold(Some((line, messages)), |state| async move {
            let (line, mut messages) = state?;
            match messages.message().await {
                Ok(None) => None,
                Ok(Some(message)) => {
                    let changes = message.changes.into_iter().filter_map(change).collect();
                    Some((Ok((changes, message.complete)), Some((line, messages))))
                }
                Err(status) => Some((Err(line.error(Purpose::Read, line.trouble(&status))), None)),
            }
        });
        Ok(heard.boxed())
    }
}

/// A change; `None` for one of a kind that is not known yet.
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
