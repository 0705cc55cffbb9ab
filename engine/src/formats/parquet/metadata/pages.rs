//! Pages that say that they hold more values than there are left: their headers are corrected, since the decoder reads as many as a page says.

use std::ops::Range;

use bytes::Bytes;

use super::thrift::{I32, Reader, STRUCT};

/// Fields of `PageHeader`.
const COMPRESSED: i16 = 3;
const DATA_PAGE: i16 = 5;
const DATA_PAGE_V2: i16 = 8;

/// The field of both kinds of data pages.
const VALUES: i16 = 1;

/// What matters of a page's header.
#[derive(Debug)]
struct Page {
    /// The values of a data page, and where in the header that is.
    values: Option<(u64, Range<usize>)>,
    /// The bytes of the header and of what follows it.
    length: usize,
}

impl Page {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (mut id, mut values, mut compressed) = (0, None, None);
        while let Some((field, kind)) = reader.field(id)? {
            id = field;
            match (field, kind) {
                (COMPRESSED, I32) => compressed = usize::try_from(reader.signed()?).ok(),
                (DATA_PAGE | DATA_PAGE_V2, STRUCT) => {
                    let mut id = 0;
                    while let Some((field, kind)) = reader.field(id)? {
                        id = field;
                        if (field, kind) == (VALUES, I32) {
                            let start = reader.position();
                            let count = u64::try_from(reader.signed()?).ok()?;
                            values = Some((count, start..reader.position()));
                        } else {
                            reader.skip(kind)?;
                        }
                    }
                }
                _ => reader.skip(kind)?,
            }
        }
        Some(Self { values, length: reader.position().checked_add(compressed?)? })
    }
}

/// A chunk's pages, which hold this many values in all. What is no page is the decoder's to refuse.
pub(crate) fn with_values(bytes: Bytes, mut left: u64) -> Bytes {
    let mut corrections: Vec<(Range<usize>, u64)> = Vec::new();
    let mut at = 0_usize;
    while let Some(page) = bytes.get(at..).filter(|rest| !rest.is_empty()).and_then(Page::read) {
        if let Some((count, Range { start, end })) = page.values {
            if count > left {
                corrections.push((at + start..at + end, left));
            }
            left = left.saturating_sub(count);
        }
        at = at.saturating_add(page.length);
    }
    if corrections.is_empty() {
        return bytes;
    }
    let mut corrected = bytes.to_vec();
    for (place, count) in corrections {
        // As long as it was: a number may be written longer than it needs.
        let mut rest = count << 1;
        let last = place.end - 1;
        for at in place {
            corrected[at] = (rest & 0x7f) as u8 | if at < last { 0x80 } else { 0 };
            rest >>= 7;
        }
    }
    Bytes::from(corrected)
}
