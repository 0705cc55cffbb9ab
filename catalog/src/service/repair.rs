//! Repairs that the service's process carries out, told of while they go on.

use std::fmt::Debug;

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use glaux_proto::catalog::v1::{self as proto, repair_table_request::Mode};

use super::{Admitted, Messages};
use crate::{
    discovery::RepairMode,
    error::{Error, Result},
    ident::TableName,
    wire::failure::status,
};

/// How far a repair is; only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairStep {
    /// Pages of listings.
    pub pages: u64,
    /// Partitions' directories that were found.
    pub found: u64,
    /// Partitions that were added for good.
    pub added: u64,
    /// Partitions that were dropped for good.
    pub dropped: u64,
    /// At the end, what `MSCK REPAIR TABLE` tells.
    pub told: Option<Vec<String>>,
}

/// Carries out repairs for one caller.
#[async_trait]
pub trait Repairer: Debug + Send + Sync {
    /// Repairs a table, or only what comes after its greatest partition (`tail`). It ends when nobody listens; what was committed until then
    /// stays.
    ///
    /// # Errors
    /// Those of `MSCK REPAIR TABLE`.
    async fn repair(&self, table: TableName, mode: RepairMode, tail: bool) -> Result<BoxStream<'static, Result<RepairStep>>>;
}

pub(super) async fn repair(admitted: Admitted, asked: proto::RepairTableRequest) -> Result<Messages<proto::RepairTableResponse>> {
    let (mode, tail) = match asked.mode() {
        Mode::Unspecified | Mode::Add => (RepairMode::Add, false),
        Mode::Drop => (RepairMode::Drop, false),
        Mode::Sync => (RepairMode::Sync, false),
        Mode::Tail => (RepairMode::Add, true),
    };
    let repairer = admitted.repairer.ok_or_else(|| {
        Error::unsupported("this catalog service reaches no storage").with_hint("Use one that is part of `glaux serve`")
    })?;
    let steps = repairer.repair(TableName::new(&asked.database, &asked.name), mode, tail).await?;
    let message = |step: Result<RepairStep>| match step {
        Err(error) => Err(status(&error)),
        Ok(RepairStep { pages, found, added, dropped, told }) => {
            let (complete, lines) = (told.is_some(), told.unwrap_or_default());
            Ok(proto::RepairTableResponse { pages, found, added, dropped, complete, lines })
        }
    };
    Ok(steps.map(message).boxed())
}
