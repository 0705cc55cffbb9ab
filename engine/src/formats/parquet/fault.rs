//! Errors of reading a file, with its name and their kind.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use glaux_catalog::contained::contained;

use crate::{
    error::Error,
    failure::{carries_ours, from_datafusion},
    formats::parquet::metadata::unreadable,
    scan::DataFile,
};

/// Gives an error the file's name, and damaged data their kind.
pub(super) fn named(error: impl Into<DataFusionError>, file: &DataFile) -> Error {
    let error = error.into();
    let url = file.url();
    if !carries_ours(&error) {
        match error.find_root() {
            DataFusionError::ParquetError(parquet) => return unreadable(&url, &parquet.to_string()),
            // What a decoder met on its way to a batch comes as text.
            DataFusionError::ArrowError(arrow, _) if matches!(arrow.as_ref(), ArrowError::ParquetError(_)) => {
                return unreadable(&url, &arrow.to_string());
            }
            _ => {}
        }
    }
    let ours: Error = from_datafusion(error);
    if format!("{ours:?}").contains(&url) { ours } else { ours.with_context("file", url) }
}

/// Lets a decoder work. Decoders meet damage that they did not foresee: then the query fails, not the process.
pub(super) fn decode<T, E: Into<DataFusionError>>(file: &DataFile, work: impl FnOnce() -> Result<T, E>) -> Result<T, Error> {
    match contained(work) {
        Ok(decoded) => decoded.map_err(|error| named(error, file)),
        Err(panic) => {
            tracing::debug!(file = %file.url(), %panic, "a decoder gave up");
            Err(unreadable(&file.url(), "its data pages do not decode"))
        }
    }
}
