//! Attachments, sent and received: large ones in pieces, and changes only when they are complete.

use bytes::Bytes;
use futures::{StreamExt, stream};
use glaux_proto::catalog::v1 as proto;
use tonic::{Status, Streaming};

use super::{lookup, state::Messages};
use crate::{
    error::{Error, ErrorKind, Result},
    grpc::{
        message::attachment::{self, Assembly},
        status::status_of,
    },
    metastore::Metastore,
    model::{Attachment, Table},
};

/// Bytes of one change, at most: they are held in memory until the change is complete.
const MAX_BYTES: usize = 1 << 30;

pub(super) async fn get(
    metastore: &dyn Metastore,
    asked: proto::GetAttachmentsRequest,
) -> Result<Messages<proto::GetAttachmentsResponse>> {
    let table = lookup::as_known(metastore, asked.table).await?;
    let found = metastore.attachments(&table, &asked.prefix).await?;
    let pieces = found.into_iter().flat_map(|Attachment { name, bytes }| attachment::pieces(name, Some(bytes)));
    Ok(stream::iter(attachment::grouped(pieces).map(|pieces| Ok(proto::GetAttachmentsResponse { pieces }))).boxed())
}

/// Receives a change of attachments.
pub(super) async fn receive(
    metastore: &dyn Metastore,
    parts: &mut Streaming<proto::SetAttachmentsRequest>,
) -> Result<(Table, Vec<(String, Option<Bytes>)>), Status> {
    let cut_off = || {
        let error = Error::invalid("a change of attachments is incomplete");
        status_of(&error.with_hint("Nothing was changed; send all parts, and the end"))
    };
    let mut message = parts.message().await?.ok_or_else(cut_off)?;
    let table = lookup::as_known(metastore, message.table.take()).await.map_err(|error| status_of(&error))?;
    let (mut assembly, mut bytes) = (Assembly::default(), 0);
    loop {
        bytes +=
            message.pieces.iter().map(|piece| piece.name.len() + piece.content.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        if bytes > MAX_BYTES {
            let text = format!("a change of the attachments of table \"{}\" is larger than 1 GiB", table.name);
            let error = Error::new(ErrorKind::LimitExceeded, text).with_hint("Nothing was changed; attach less to the table");
            return Err(status_of(&error));
        }
        message.pieces.into_iter().for_each(|piece| assembly.add(piece));
        if message.end && assembly.is_complete() {
            return Ok((table, assembly.attachments));
        }
        message = parts.message().await?.ok_or_else(cut_off)?;
    }
}
