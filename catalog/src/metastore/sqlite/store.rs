//! An open catalog file.

use std::{fmt, path::Path, sync::Arc};

use super::connection::Connections;
use crate::{error::Result, metastore::index_cache::IndexCache};

/// A metastore in a SQLite file.
pub struct SqliteMetastore {
    pub(super) connections: Arc<Connections>,
    pub(super) indexes: IndexCache,
}

impl SqliteMetastore {
    /// Opens a catalog file; creates it, with the default database, if it does not exist. Blocks for a short while.
    ///
    /// # Errors
    /// `CorruptData` for a file that is damaged or not a catalog, `Unsupported` for one of a newer version, `Denied` or `Unavailable`
    /// for one that cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self { connections: Arc::new(Connections::open(path.as_ref())?), indexes: IndexCache::new() })
    }

    /// The catalog's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.connections.path()
    }
}

impl fmt::Debug for SqliteMetastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteMetastore").field("path", &self.path()).finish_non_exhaustive()
    }
}
