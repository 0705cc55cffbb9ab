//! Detects that an open file was removed or replaced: writes to it still succeed, but they are lost.

use std::path::{Path, PathBuf};

/// Distinguishes files of the same name.
type Identity = (u64, u64);

/// A file with its identity at the time of opening.
#[derive(Debug, Clone)]
pub struct SameFile {
    path: PathBuf,
    identity: Option<Identity>,
}

impl SameFile {
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was neither removed nor replaced.
    #[must_use]
    pub fn is_there(&self) -> bool {
        identity(&self.path) == self.identity
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.is_file().then_some((0, 0))
}
