//! Repairs carried out by the service.

use futures::{StreamExt, stream, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, repair_table_request::Mode};

use super::{RemoteMetastore, call::Purpose};
use crate::{discovery::RepairMode, error::Result, ident::TableName, service::RepairStep};

impl RemoteMetastore {
    /// Has the service repair a table, with its own access to storage, and tells how far it is; the last step has what came of it. Dropping the
    /// stream ends the repair; what was committed until then stays.
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
        let line = std::sync::Arc::clone(&self.line);
        let attempt =
            || async { line.answer(line.timeout(), line.client().repair_table(line.endless_request(asked.clone()))).await };
        let messages = line.carried(Purpose::Change, attempt).await?;
        let steps = stream::unfold(Some((line, messages)), |state| async move {
            let (line, mut messages) = state?;
            match line.next(&mut messages).await {
                Ok(None) => None,
                Ok(Some(message)) => Some((Ok(step(message)), Some((line, messages)))),
                Err(trouble) => Some((Err(line.error(Purpose::Change, trouble)), None)),
            }
        });
        Ok(steps.boxed())
    }
}

fn step(message: proto::RepairTableResponse) -> RepairStep {
    let proto::RepairTableResponse { pages, found, added, dropped, complete, lines } = message;
    RepairStep { pages, found, added, dropped, told: complete.then_some(lines) }
}
