//! Whether a file is still the one that was opened: whoever has it open can go on writing to it when it was removed, and all of that is lost.

use std::path::{Path, PathBuf};

/// What distinguishes a file from another of the same name.
type Identity = (u64, u64);

/// A file as it was when this was made.
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

    /// Whether the file has not been removed, and no other put in its place.
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
