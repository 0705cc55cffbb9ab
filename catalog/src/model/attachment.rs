//! Small blobs that are kept with a table: what was learned of it, which can be learned again.

use bytes::Bytes;

/// A blob by its name, which is unique within its table. Names are paths: what belongs together begins alike (`files/0001`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub bytes: Bytes,
}
