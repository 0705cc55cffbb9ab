//! What a file looked like when it was read, so that a change is noticed without reading it.

use std::{fs, path::Path, time::SystemTime};

/// When a file was changed, its length, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp(SystemTime, u64, u64);

impl FileStamp {
    /// The stamp of a file as it is now; `None` if it cannot be looked at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Some(Self(metadata.modified().ok()?, metadata.len(), number))
    }
}
