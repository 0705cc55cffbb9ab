//! Announces a data directory that had no catalog before: a misspelt name gives an empty catalog, and must not do so without a word.

use std::path::{Path, PathBuf};

use glaux_engine::CATALOG_FILE;

use crate::diagnostic;

/// A catalog that opening the engine will create.
#[derive(Debug)]
pub(crate) struct NewCatalog(PathBuf);

impl NewCatalog {
    /// Whether there will be one: before the engine is opened on the directory's own catalog.
    pub(crate) fn expected(data_dir: &Path) -> Option<Self> {
        let exists = data_dir.join(CATALOG_FILE).try_exists().unwrap_or(true);
        (!exists).then(|| Self(data_dir.to_owned()))
    }

    /// Says on standard error that it was created.
    pub(crate) fn announce(&self) {
        diagnostic::note(&format!(
            "created a new, empty catalog in \"{}\"; --data-dir or GLAUX_DATA_DIR names another data directory",
            self.0.display()
        ));
    }
}
