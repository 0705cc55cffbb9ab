//! The engine's only error type, which is the catalog's. This is the lowest file of the engine and uses no other.
//!
//! Errors of libraries become ours elsewhere: those of stores in `storage/failure`, those of DataFusion in `failure`.

use datafusion::{common::utils::datafusion_strsim::levenshtein, error::DataFusionError};
pub(crate) use glaux_catalog::printable;
pub use glaux_catalog::{Error, ErrorKind, Result};

/// Hands one of our errors to DataFusion.
#[must_use]
pub(crate) fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The name nearest to `name`, if one is near enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
