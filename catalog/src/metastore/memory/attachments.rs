//! Attachments in memory.

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;

use super::state::MemoryMetastore;
use crate::{
    error::Result,
    metastore::{Attachments, rules},
    model::{Attachment, Table},
};

#[async_trait]
impl Attachments for MemoryMetastore {
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        let state = self.read();
        let named = state.entry(table)?.attachments.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let wanted = named.take_while(|(name, _)| name.starts_with(prefix));
        Ok(wanted.map(|(name, bytes)| Attachment { name: name.clone(), bytes: bytes.clone() }).collect())
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        rules::check_attachments(table, &changes)?;
        let mut state = self.write();
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::table_dropped(table))?;
        for (name, bytes) in changes {
            match bytes {
                Some(bytes) => entry.attachments.insert(name, bytes),
                None => entry.attachments.remove(&name),
            };
        }
        Ok(())
    }
}
