//! Blobs attached to a table: what was learned about it and can be learned again, such as statistics.

use bytes::Bytes;

/// A blob with its name, which is unique within the table. Names are paths: those that belong together share a prefix (`files/0001`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub bytes: Bytes,
}
