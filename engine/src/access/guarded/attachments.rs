//! Attachments as one caller sees and may change them.

use async_trait::async_trait;
use bytes::Bytes;
use glaux_catalog::{
    metastore::Attachments,
    model::{Access, Attachment, Table},
};

use super::Guarded;
use crate::{
    error::{Error, ErrorKind, Result},
    reserved::MANAGED_ATTACHMENTS,
};

#[async_trait]
impl Attachments for Guarded {
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        self.require_table(&table.name, Access::Read).await?;
        self.catalog.attachments(table, prefix).await
    }

    /// What ingest notes of its own tables is believed when files are removed: it writes that past this guard.
    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        self.require_table(&table.name, Access::Write).await?;
        if !self.is_administrator()
            && let Some((name, _)) = changes.iter().find(|(name, _)| name.starts_with(MANAGED_ATTACHMENTS))
        {
            let message = format!("the attachment \"{name}\" of table \"{}\" can be written only by ingest", table.name);
            return Err(Error::new(ErrorKind::Denied, message).with_hint("Nothing was changed; leave it out"));
        }
        self.catalog.set_attachments(table, changes).await
    }
}
