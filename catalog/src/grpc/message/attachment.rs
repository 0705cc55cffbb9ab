//! Attachments in pieces that fit into messages, with many small ones in one message.

use bytes::{Bytes, BytesMut};
use glaux_proto::catalog::v1::AttachmentPiece;

/// Approximate bytes of a message.
const MESSAGE_BYTES: usize = 1 << 20;

/// An attachment in pieces; without content it is to be removed.
pub(crate) fn pieces(name: String, content: Option<Bytes>) -> impl Iterator<Item = AttachmentPiece> {
    let removed = content.is_none();
    let mut rest = content.filter(|content| !content.is_empty());
    let mut first = true;
    std::iter::from_fn(move || {
        if !std::mem::take(&mut first) && rest.is_none() {
            return None;
        }
        let content = rest.take().map(|mut content| {
            if content.len() > MESSAGE_BYTES {
                rest = Some(content.split_off(MESSAGE_BYTES));
            }
            content
        });
        let content = if removed { None } else { Some(content.unwrap_or_default()) };
        Some(AttachmentPiece { name: name.clone(), content, more: rest.is_some() })
    })
}

/// Groups pieces, as many as fit into a message.
pub(crate) fn grouped(pieces: impl Iterator<Item = AttachmentPiece>) -> impl Iterator<Item = Vec<AttachmentPiece>> {
    let mut pieces = pieces.peekable();
    std::iter::from_fn(move || {
        let size = |piece: &AttachmentPiece| piece.name.len() + piece.content.as_ref().map_or(0, Bytes::len);
        let first = pieces.next()?;
        let (mut bytes, mut group) = (size(&first), vec![first]);
        while let Some(piece) = pieces.next_if(|piece| bytes + size(piece) <= MESSAGE_BYTES) {
            bytes += size(&piece);
            group.push(piece);
        }
        Some(group)
    })
}

/// Builds attachments from their pieces.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// Those that are complete; `None` for one to be removed.
    pub(crate) attachments: Vec<(String, Option<Bytes>)>,
    /// The beginning of one whose other pieces are to come.
    open: Option<BytesMut>,
}

impl Assembly {
    /// Whether no piece is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.open.is_none()
    }

    pub(crate) fn add(&mut self, piece: AttachmentPiece) {
        let AttachmentPiece { name, content, more } = piece;
        match (self.open.take(), content) {
            (None, None) => self.attachments.push((name, None)),
            (None, Some(content)) if !more => self.attachments.push((name, Some(content))),
            (open, content) => {
                let mut blob = open.unwrap_or_default();
                blob.extend_from_slice(&content.unwrap_or_default());
                if more {
                    self.open = Some(blob);
                } else {
                    self.attachments.push((name, Some(blob.freeze())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_of_all_sizes_come_back() {
        let blob = |size: usize| Some(Bytes::from((0..size).map(|n| (n % 251) as u8).collect::<Vec<_>>()));
        let given = vec![
            ("gone".to_owned(), None),
            ("empty".to_owned(), blob(0)),
            ("small".to_owned(), blob(10)),
            ("exact".to_owned(), blob(MESSAGE_BYTES)),
            ("large".to_owned(), blob(3 * MESSAGE_BYTES + 1)),
            ("last".to_owned(), blob(1)),
        ];
        let all = given.clone().into_iter().flat_map(|(name, content)| pieces(name, content));
        let mut assembly = Assembly::default();
        let mut messages = 0;
        for group in grouped(all) {
            messages += 1;
            group.into_iter().for_each(|piece| assembly.add(piece));
        }
        assert_eq!(assembly.attachments, given);
        assert!((5..=7).contains(&messages), "{messages}");
        assert_eq!(grouped(std::iter::empty()).count(), 0);
    }
}
