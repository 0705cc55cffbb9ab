//! The names of the files in a data directory.

/// The catalog's file.
pub const CATALOG_FILE: &str = "catalog.sqlite";

/// The file of the query history.
pub(crate) const HISTORY_FILE: &str = "history.sqlite";

/// Caches: what can be read again.
pub(crate) const CACHE_DIRECTORY: &str = "cache";

/// What queries spill.
pub(crate) const SPILL_DIRECTORY: &str = "spill";

/// Files about running processes.
pub(crate) const RUN_DIRECTORY: &str = "run";

/// The tables that ingest creates in databases without a location.
pub(crate) const WAREHOUSE: &str = "warehouse";
