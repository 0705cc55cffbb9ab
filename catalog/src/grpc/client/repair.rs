//! Repairs by the process of the service.

use std::sync::Arc;

use futures::{StreamExt, stream, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, repair_table_request::Mode};

use super::{RemoteMetastore, connection::Purpose};
use crate::{discovery::RepairMode, error::Result, grpc::repairer::RepairStep, ident::TableName};

impl RemoteMetastore {
    /// Lets the service repair a table with its own access to storage, and streams the progress; the last step has the result. Dropping the stream
    /// cancels the repair; what was committed before stays.
    ///
    /// # Errors
    /// Those of `MSCK REPAIR TABLE`, and as [`RemoteMetastore::hello`].
    pub async fn repair(
        &self,
        table: &TableName,
        mode: RepairMode,
        tail: bool,
    ) -> Result<BoxStream<'static, Result<RepairStep>>> {
        let mode = match mode {
            _ if tail => Mode::Tail,
            RepairMode::Add => Mode::Add,
            RepairMode::Drop => Mode::Drop,
            RepairMode::Sync => Mode::Sync,
        };
        let asked = proto::RepairTableRequest { database: table.database.clone(), name: table.table.clone(), mode: mode.into() };
        let connection = Arc::clone(&self.connection);
        let attempt = || async {
            let request = connection.request_without_deadline(asked.clone());
            connection.answer(connection.timeout(), connection.client().repair_table(request)).await
        };
        let messages = connection.call(Purpose::Change, attempt).await?;
        let steps = stream::unfold(Some((connection, messages)), |state| async move {
            let (connection, mut messages) = state?;
            match connection.next(&mut messages).await {
                Ok(None) => None,
                Ok(Some(message)) => Some((Ok(step(message)), Some((connection, messages)))),
                Err(error) => Some((Err(connection.error(Purpose::Change, error)), None)),
            }
        });
        Ok(steps.boxed())
    }
}

fn step(message: proto::RepairTableResponse) -> RepairStep {
    let proto::RepairTableResponse { pages, found, added, dropped, complete, lines } = message;
    RepairStep { pages, found, added, dropped, lines: complete.then_some(lines) }
}
