//! Runs repairs in the process of the service, and streams their progress.

use std::sync::Arc;

use futures::StreamExt;
use glaux_proto::catalog::v1::{self as proto, repair_table_request::Mode};

use super::state::Messages;
use crate::{
    discovery::RepairMode,
    error::{Error, Result},
    grpc::{
        repairer::{RepairStep, Repairer},
        status::status_of,
    },
    ident::TableName,
};

pub(super) async fn repair(
    repairer: Option<Arc<dyn Repairer>>,
    asked: proto::RepairTableRequest,
) -> Result<Messages<proto::RepairTableResponse>> {
    let (mode, tail) = match asked.mode() {
        Mode::Unspecified | Mode::Add => (RepairMode::Add, false),
        Mode::Drop => (RepairMode::Drop, false),
        Mode::Sync => (RepairMode::Sync, false),
        Mode::Tail => (RepairMode::Add, true),
    };
    let repairer = repairer.ok_or_else(|| {
        Error::unsupported("this catalog service has no access to storage").with_hint("Use the catalog service of `glaux serve`")
    })?;
    let steps = repairer.repair(TableName::new(&asked.database, &asked.name), mode, tail).await?;
    let message = |step: Result<RepairStep>| match step {
        Err(error) => Err(status_of(&error)),
        Ok(RepairStep { pages, found, added, dropped, lines }) => {
            let (complete, lines) = (lines.is_some(), lines.unwrap_or_default());
            Ok(proto::RepairTableResponse { pages, found, added, dropped, complete, lines })
        }
    };
    Ok(steps.map(message).boxed())
}
