//! Blobs kept with a table, out and in: large ones in pieces, and all of a change before any of it is made.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use glaux_proto::catalog::v1::{self as proto, AttachmentPiece};
use tonic::{Status, Streaming};

use super::{Call, Messages};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Attachment, Table},
    wire::{attachment, failure::status},
};

/// Bytes that one change may bring: they are held in memory until the last has come.
const MAX_BYTES: usize = 1 << 30;

pub(super) async fn get(call: &Call, asked: proto::GetAttachmentsRequest) -> Result<Messages<proto::GetAttachmentsResponse>> {
    let table = call.seen(asked.table).await?;
    let found = call.store.attachments(&table, &asked.prefix).await?;
    let pieces = found.into_iter().flat_map(|Attachment { name, bytes }| attachment::pieces(name, Some(bytes)));
    Ok(stream::iter(attachment::grouped(pieces).map(|pieces| Ok(proto::GetAttachmentsResponse { pieces }))).boxed())
}

/// A change of attachments, put together from its parts.
pub(super) async fn gather(
    call: &Call,
    parts: &mut Streaming<proto::SetAttachmentsRequest>,
) -> Result<(Table, Vec<(String, Option<Bytes>)>), Status> {
    let cut_off = || {
        let error = Error::invalid("a change of a table's attachments is cut off");
        status(&error.with_hint("Nothing was changed; send all of it, and its end"))
    };
    let mut message = parts.message().await?.ok_or_else(cut_off)?;
    let table = call.seen(message.table.take()).await.map_err(|error| status(&error))?;
    let (mut gathered, mut bytes) = (Gathered::default(), 0);
    loop {
        bytes +=
            message.pieces.iter().map(|piece| piece.name.len() + piece.content.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        if bytes > MAX_BYTES {
            let error =
                Error::new(ErrorKind::LimitExceeded, format!("attachments of table \"{}\" are larger than 1 GiB", table.name));
            return Err(status(&error.with_hint("Nothing was changed; keep less with the table")));
        }
        message.pieces.into_iter().for_each(|piece| gathered.add(piece));
        if message.end && gathered.open.is_none() {
            return Ok((table, gathered.whole));
        }
        message = parts.message().await?.ok_or_else(cut_off)?;
    }
}

/// Blobs as their pieces come.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) whole: Vec<(String, Option<Bytes>)>,
    /// One of which more is to come.
    open: Option<BytesMut>,
}

impl Gathered {
    pub(crate) fn add(&mut self, piece: AttachmentPiece) {
        let AttachmentPiece { name, content, more } = piece;
        match (self.open.take(), content) {
            (None, None) => self.whole.push((name, None)),
            (None, Some(content)) if !more => self.whole.push((name, Some(content))),
            (open, content) => {
                let mut blob = open.unwrap_or_default();
                blob.extend_from_slice(&content.unwrap_or_default());
                if more {
                    self.open = Some(blob);
                } else {
                    self.whole.push((name, Some(blob.freeze())));
                }
            }
        }
    }
}
