//! The catalog file of a data directory, for maintenance commands, which never create one.

use std::path::Path;

use glaux_catalog::metastore::SqliteMetastore;
use glaux_engine::{Error, Result};

use crate::diagnostic;

/// Opens a catalog that exists.
///
/// # Errors
/// As [`require`]; `CorruptData` if it is none.
pub(super) fn open_existing(catalog: &Path) -> Result<SqliteMetastore> {
    require(catalog)?;
    SqliteMetastore::open(catalog)
}

/// # Errors
/// `NotFound` if the catalog does not exist.
pub(super) fn require(catalog: &Path) -> Result<()> {
    let exists = catalog.try_exists().map_err(|error| diagnostic::io_error("read the catalog", catalog, error))?;
    if exists {
        return Ok(());
    }
    Err(Error::not_found(format!("the catalog \"{}\" does not exist", catalog.display()))
        .with_hint("Name its data directory with --data-dir or GLAUX_DATA_DIR; the first statement there creates it"))
}
