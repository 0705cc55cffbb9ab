//! Repairs of tables by the process of the service: its progress, and who carries it out.

use std::fmt::Debug;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{discovery::RepairMode, error::Result, ident::TableName};

/// The progress of a repair. The figures only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairStep {
    /// Pages of listings.
    pub pages: u64,
    /// Directories of partitions found.
    pub found: u64,
    /// Partitions added and committed.
    pub added: u64,
    /// Partitions dropped and committed.
    pub dropped: u64,
    /// The output of `MSCK REPAIR TABLE`, in the last step.
    pub lines: Option<Vec<String>>,
}

/// Carries out repairs for one caller.
#[async_trait]
pub trait Repairer: Debug + Send + Sync {
    /// Repairs a table, or only what comes after its greatest partition (`tail`). Dropping the stream cancels the repair; what was committed before
    /// stays.
    ///
    /// # Errors
    /// Those of `MSCK REPAIR TABLE`.
    async fn repair(&self, table: TableName, mode: RepairMode, tail: bool) -> Result<BoxStream<'static, Result<RepairStep>>>;
}
