//! The file of one segment: what it is called, what is in it, and how it is checked. Plain blocking file work.
//!
//! ```text
//!  magic | start, end of the range | size of the object | lengths of URL and version | URL | version
//!  | a sum for each block of the data | a sum of all before | the data
//! ```
//!
//! Numbers are 8 bytes, little-endian; sums are xxHash64. The blocks' sums let a small part of a large segment be read and checked without
//! the rest. Files lie in `<hash of the object>/<start>-<end>`, so that every process calls a segment's file the same and no URL has a say
//! in where a file lies.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use twox_hash::XxHash64;

use super::object::ObjectVersion;

const MAGIC: &[u8; 8] = b"GLXSEG\x01\n";
/// Bytes of data under one sum.
const BLOCK: u64 = 128 << 10;
const SEED: u64 = 0;

/// An object, as directories are named by it. Two objects may share one, hardly ever; the files themselves tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ObjectId(u128);

impl ObjectId {
    pub(super) fn of(object: &ObjectVersion) -> Self {
        let identity = identity(object);
        let half = |seed| u128::from(XxHash64::oneshot(seed, &identity));
        Self(half(1) << 64 | half(2))
    }

    /// The directory of its segments, below that of all.
    pub(super) fn directory(self, root: &Path) -> PathBuf {
        let name = format!("{:032x}", self.0);
        root.join(&name[..2]).join(name)
    }

    /// From a directory's name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let is_hash = name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { u128::from_str_radix(name, 16).ok().map(Self) } else { None }
    }
}

/// The name of a segment's file.
pub(super) fn name(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end)
}

/// The range of a file's name; `None` for what is not one of ours.
pub(super) fn parse_name(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once('-')?;
    let range = start.parse().ok()?..end.parse().ok()?;
    (range.start < range.end && name(&range) == text).then_some(range)
}

/// Bytes of the file of a segment.
pub(super) fn length(object: &ObjectVersion, range: &Range<u64>) -> u64 {
    header_length(object, range) + (range.end - range.start)
}

/// Writes a segment.
pub(super) fn write(file: &mut File, object: &ObjectVersion, start: u64, data: &[u8]) -> io::Result<()> {
    let mut header = prefix(object, &(start..start + data.len() as u64));
    for block in data.chunks(BLOCK as usize) {
        header.extend(sum(block).to_le_bytes());
    }
    header.extend(sum(&header).to_le_bytes());
    file.write_all(&header)?;
    file.write_all(data)
}

/// Why a part of a segment could not be had.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is no such file.
    Absent,
    /// It is not what it should be.
    Damaged,
    /// The system does not let it be read.
    Failed(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::IsADirectory => Self::Damaged,
            _ => Self::Failed(error),
        }
    }
}

/// Reads a part of a segment and checks all that it read; the bytes are the whole of their buffer.
pub(super) fn read(path: &Path, object: &ObjectVersion, segment: &Range<u64>, part: &Range<u64>) -> Result<Bytes, Unread> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != length(object, segment) {
        return Err(Unread::Damaged);
    }
    let mut header = vec![0; header_length(object, segment) as usize];
    file.read_exact(&mut header)?;
    let prefix = prefix(object, segment);
    let (checked, header_sum) = header.split_last_chunk::<8>().ok_or(Unread::Damaged)?;
    if !checked.starts_with(&prefix) || u64::from_le_bytes(*header_sum) != sum(checked) {
        return Err(Unread::Damaged);
    }
    let sums = &checked[prefix.len()..];

    let blocks = (part.start - segment.start) / BLOCK..(part.end - segment.start).div_ceil(BLOCK);
    let read = blocks.start * BLOCK..(blocks.end * BLOCK).min(segment.end - segment.start);
    let mut data = vec![0; (read.end - read.start) as usize];
    file.seek(SeekFrom::Start(header.len() as u64 + read.start))?;
    file.read_exact(&mut data)?;
    let expected = sums.chunks_exact(8).skip(blocks.start as usize);
    for (block, expected) in data.chunks(BLOCK as usize).zip(expected) {
        if sum(block).to_le_bytes() != *expected {
            return Err(Unread::Damaged);
        }
    }
    let wanted = (part.start - segment.start - read.start) as usize..(part.end - segment.start - read.start) as usize;
    if wanted == (0..data.len()) { Ok(Bytes::from(data)) } else { Ok(Bytes::copy_from_slice(&data[wanted])) }
}

fn header_length(object: &ObjectVersion, range: &Range<u64>) -> u64 {
    let blocks = (range.end - range.start).div_ceil(BLOCK);
    (MAGIC.len() + 5 * 8 + object.url.len() + object.version.len() + 8) as u64 + 8 * blocks
}

/// What the header says before the blocks' sums.
fn prefix(object: &ObjectVersion, range: &Range<u64>) -> Vec<u8> {
    let mut prefix = MAGIC.to_vec();
    prefix.extend(range.start.to_le_bytes());
    prefix.extend(range.end.to_le_bytes());
    prefix.extend(identity(object));
    prefix
}

fn identity(object: &ObjectVersion) -> Vec<u8> {
    let mut identity = object.size.to_le_bytes().to_vec();
    identity.extend((object.url.len() as u64).to_le_bytes());
    identity.extend((object.version.len() as u64).to_le_bytes());
    identity.extend(object.url.as_bytes());
    identity.extend(object.version.as_bytes());
    identity
}

fn sum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(SEED, bytes)
}
