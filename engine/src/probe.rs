//! Finds out what a lake contains and what a catalog contains: tables below a URL (`crawl`), statistics (`analyze`), and definitions in and out
//! (`exchange`).
//!
//! Nothing here plans or runs a query.

pub(crate) mod analyze;
pub(crate) mod crawl;
pub mod exchange;

use std::sync::Arc;

use glaux_catalog::Metastore;

use crate::{clock::Clock, table::ScanContext};

/// Where a probe runs: what it reads counts for its query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProbeContext<'a> {
    pub metastore: &'a Arc<dyn Metastore>,
    pub scan: &'a ScanContext,
    /// The session's.
    pub database: &'a str,
    pub clock: &'a dyn Clock,
}
