//! A data file, as it was listed.

use std::sync::Arc;

use object_store::{ObjectMeta, ObjectStore};

use crate::storage::ObjectVersion;

/// A data file, with the store that holds it.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub store: Arc<dyn ObjectStore>,
    /// The URL of the store's root: `s3://bucket/`.
    pub store_url: Arc<str>,
    pub meta: ObjectMeta,
    /// The row of the file's partition in the index; 0 in tables without partition keys.
    pub partition: u32,
}

impl DataFile {
    /// The full URL, as `"$path"` shows it.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.store_url, self.meta.location)
    }

    /// Whether it lies on this machine.
    #[must_use]
    pub(crate) fn is_local(&self) -> bool {
        self.store_url.starts_with("file:")
    }

    /// What tells its bytes from those of any other file, and of itself once it is overwritten.
    #[must_use]
    pub(crate) fn version(&self) -> ObjectVersion {
        let tag = self.meta.e_tag.as_deref().unwrap_or_default();
        let version = format!("{tag}{}", self.meta.last_modified.timestamp_micros());
        ObjectVersion { url: self.url().into(), size: self.meta.size, version: version.into() }
    }
}
