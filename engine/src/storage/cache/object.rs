//! The objects whose ranges the data cache holds.

use std::sync::Arc;

/// A version of an object: two with equal keys have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectVersion {
    pub url: Arc<str>,
    /// Bytes of the whole object.
    pub size: u64,
    /// What tells this version from others of that size: the ETag and the time of the last change.
    pub version: Arc<str>,
}
