//! The contract for attachments: blobs kept with a table, such as statistics and snapshots of its files.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::Result,
    model::{Attachment, Table},
};

/// Keeps attachments. They follow their table when it is renamed, and go when it is dropped.
#[async_trait]
pub trait Attachments: Debug + Send + Sync {
    /// The attachments of a table whose names begin with `prefix`, by name; all of them if `prefix` is empty.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped in the meantime.
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>>;

    /// Stores attachments, replacing those of the same names; a name without bytes is removed, whether it exists or not. All in one
    /// transaction. The table's version does not rise: an attachment that depends on a version says so in its bytes.
    ///
    /// # Errors
    /// `NotFound` if the table was dropped in the meantime; `Invalid` for an empty name. Then nothing has changed.
    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()>;
}
