//! The version of a local file: its size, its time and its tag, as `object_store` reports them.

use std::{fs::Metadata, io};

use object_store::{ObjectMeta, path::Path};

/// A file as a store lists it.
pub(super) fn of(location: Path, metadata: &Metadata) -> io::Result<ObjectMeta> {
    let modified = metadata.modified()?;
    let micros = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_micros();
    Ok(ObjectMeta {
        location,
        last_modified: modified.into(),
        size: metadata.len(),
        // So that what was listed can be compared with what is read.
        e_tag: Some(format!("{:x}-{micros:x}-{:x}", inode(metadata), metadata.len())),
        version: None,
    })
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}
