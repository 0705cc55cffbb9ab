//! Blobs in pieces that fit into messages, and many small ones in one message.

use bytes::Bytes;
use glaux_proto::catalog::v1::AttachmentPiece;

/// Bytes of a message, about.
const MESSAGE_BYTES: usize = 1 << 20;

/// A blob, or that it is to be removed, in pieces.
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

/// Pieces, as many in a message as fit.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Gathered;

    #[test]
    fn blobs_of_all_sizes_come_back() {
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
        let mut gathered = Gathered::default();
        let mut messages = 0;
        for group in grouped(all) {
            messages += 1;
            group.into_iter().for_each(|piece| gathered.add(piece));
        }
        assert_eq!(gathered.whole, given);
        assert!((5..=7).contains(&messages), "{messages}");
        assert_eq!(grouped(std::iter::empty()).count(), 0);
    }
}
