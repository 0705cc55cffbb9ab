//! Attachments of a catalog service, in streams of messages.

use async_trait::async_trait;
use bytes::Bytes;
use glaux_proto::catalog::v1 as proto;

use super::{
    RemoteMetastore,
    connection::{CallError, Purpose, extra_time, messages_of},
};
use crate::{
    error::Result,
    grpc::message::{
        attachment::{self, Assembly},
        definition as message,
    },
    metastore::Attachments,
    model::{Attachment, Table},
};

#[async_trait]
impl Attachments for RemoteMetastore {
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        let connection = &self.connection;
        let attempt = || async {
            let asked = proto::GetAttachmentsRequest { table: Some(message::table_ref(table)), prefix: prefix.to_owned() };
            let request = connection.request_without_deadline(asked);
            let mut messages = connection.answer(connection.timeout(), connection.client().get_attachments(request)).await?;
            let mut assembly = Assembly::default();
            while let Some(some) = connection.next(&mut messages).await? {
                some.pieces.into_iter().for_each(|piece| assembly.add(piece));
            }
            Ok::<_, CallError>(assembly.attachments)
        };
        let found = connection.call(Purpose::Read, attempt).await?;
        Ok(found.into_iter().map(|(name, bytes)| Attachment { name, bytes: bytes.unwrap_or_default() }).collect())
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        let connection = &self.connection;
        let pieces = changes.into_iter().flat_map(|(name, bytes)| attachment::pieces(name, bytes));
        let some = |pieces| proto::SetAttachmentsRequest { table: None, pieces, end: false };
        let mut messages: Vec<_> = attachment::grouped(pieces).map(some).collect();
        messages.push(proto::SetAttachmentsRequest { table: None, pieces: Vec::new(), end: true });
        if let Some(first) = messages.first_mut() {
            first.table = Some(message::table_ref(table));
        }
        let timeout = connection.timeout() + extra_time(messages.len() as u64 * 1_000);
        let attempt = || async {
            let request = connection.request(messages_of(&messages, |message| message), timeout);
            connection.answer(timeout, connection.client().set_attachments(request)).await
        };
        connection.call(Purpose::Change, attempt).await.map(drop)
    }
}
