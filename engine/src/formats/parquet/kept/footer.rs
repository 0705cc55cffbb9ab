//! What is kept, and of what.

use bytes::Bytes;

/// A version of a file; two with equal keys have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeptKey {
    pub url: String,
    /// Bytes of the whole file.
    pub size: u64,
    /// What tells this version from others of that size: the ETag and the time of the last change.
    pub version: String,
}

/// What is kept of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptFooter {
    /// The footer in Thrift as it is in the file, without the 8 bytes of length and magic after it.
    pub bytes: Bytes,
    /// The region of the page indexes, if it was read: where in the file it begins, and its bytes.
    pub indexes: Option<(u64, Bytes)>,
}
