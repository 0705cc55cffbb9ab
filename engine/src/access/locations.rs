//! Which locations the configuration opens and closes, to everybody alike.

use std::{path::Path, sync::Arc};

use crate::{
    config::LocationOptions,
    data_dir::WAREHOUSE,
    error::Result,
    storage::{ClosedFiles, RealLocation},
};

/// What the configuration says about locations.
#[derive(Debug, Default)]
pub(crate) struct LocationPolicy {
    /// The server's own files.
    pub(super) closed: Arc<ClosedFiles>,
    /// The folder below which ingest puts the tables of databases without a location.
    pub(super) warehouse: Option<RealLocation>,
    pub(super) options: LocationOptions,
}

impl LocationPolicy {
    /// # Errors
    /// `Invalid` for a prefix that is no location.
    pub(crate) fn new(options: &LocationOptions, data_dir: &Path, closed: &Arc<ClosedFiles>) -> Result<Self> {
        for prefix in &options.allowed {
            RealLocation::of(prefix).map_err(|error| error.with_context("setting", "engine.locations.allowed"))?;
        }
        let warehouse = RealLocation::of_folder(&data_dir.join(WAREHOUSE)).ok();
        Ok(Self { closed: Arc::clone(closed), warehouse, options: options.clone() })
    }

    /// Whether everybody who may define tables may define them here.
    pub(super) fn opens(&self, location: &RealLocation) -> bool {
        let folders = self.closed.table_folders().filter_map(|folder| RealLocation::of_folder(&folder).ok());
        let prefixes = self.options.allowed.iter().filter_map(|prefix| RealLocation::of(prefix).ok());
        folders.chain(prefixes).any(|open| location.is_within(&open))
    }
}
