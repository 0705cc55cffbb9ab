//! Members of a gzip file, one after another, with their headers and checksums.
//!
//! What follows a member and is no whole header of another is passed over, as Java does: some writers pad their files.

use bytes::{Buf, Bytes};
use flate2::Crc;
use memchr::memchr;

use super::inflate::{Inflate, corrupt};
use crate::error::{Error, Result};

const FORMAT: &str = "gzip";
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FIXED_HEADER: usize = 10;
const TRAILER: usize = 8;

/// Flags of a header, of what it has besides.
const CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;

/// Bytes that are looked at together for a header; and beyond how many there is none.
const STEP: usize = 512;
const LONGEST_HEADER: usize = 1 << 20;

#[derive(Default)]
pub(super) struct Gzip {
    stage: Stage,
    /// The bytes of a header or trailer that have come.
    held: Vec<u8>,
    /// Members that are done.
    members: u64,
    crc: Crc,
    length: u32,
}

#[derive(Default)]
enum Stage {
    #[default]
    Header,
    Body(Box<Inflate>),
    Trailer,
    /// After the last member.
    After,
}

enum Header {
    Whole(usize),
    Cut,
    None,
}

impl Gzip {
    /// The next piece of text of about this size; empty if it takes more input than there is.
    pub(super) fn next(&mut self, input: &mut Bytes, size: usize) -> Result<Vec<u8>> {
        let mut piece = Vec::new();
        while piece.is_empty() && (self.has_more() || !input.is_empty()) {
            match &mut self.stage {
                Stage::Header => self.read_header(input)?,
                Stage::Body(inflate) => {
                    let is_end = inflate.next(input, &mut piece, size).map_err(|what| corrupt(FORMAT, &what))?;
                    self.crc.update(&piece);
                    // Modulo 2^32, as the trailer has it.
                    self.length = self.length.wrapping_add(piece.len() as u32);
                    if is_end {
                        self.stage = Stage::Trailer;
                    }
                }
                Stage::Trailer => self.read_trailer(input)?,
                Stage::After => input.clear(),
            }
        }
        Ok(piece)
    }

    fn has_more(&self) -> bool {
        matches!(&self.stage, Stage::Body(inflate) if inflate.has_more())
    }

    /// Whether the file may end here.
    pub(super) fn is_whole(&self) -> bool {
        match self.stage {
            Stage::Header => self.members > 0 || self.held.is_empty(),
            Stage::Body(_) | Stage::Trailer => false,
            Stage::After => true,
        }
    }

    fn read_header(&mut self, input: &mut Bytes) -> Result<()> {
        let before = self.held.len();
        let taken = input.len().min(STEP);
        self.held.extend_from_slice(&input[..taken]);
        match header(&self.held) {
            Header::Whole(length) => {
                input.advance(length - before);
                self.held.clear();
                self.crc.reset();
                self.length = 0;
                self.stage = Stage::Body(Box::new(Inflate::new(false)));
            }
            Header::Cut if self.held.len() <= LONGEST_HEADER => input.advance(taken),
            Header::Cut | Header::None if self.members > 0 => self.stage = Stage::After,
            Header::Cut | Header::None => return Err(corrupt(FORMAT, "it has no header")),
        }
        Ok(())
    }

    fn read_trailer(&mut self, input: &mut Bytes) -> Result<()> {
        let taken = input.len().min(TRAILER - self.held.len());
        self.held.extend_from_slice(&input[..taken]);
        input.advance(taken);
        if self.held.len() == TRAILER {
            let expected = [self.crc.sum().to_le_bytes(), self.length.to_le_bytes()].concat();
            if self.held != expected {
                return Err(Error::corrupt("the checksum of the compressed text is wrong").with_hint("Write the file again"));
            }
            self.held.clear();
            self.members += 1;
            self.stage = Stage::Header;
        }
        Ok(())
    }
}

fn header(bytes: &[u8]) -> Header {
    if bytes.iter().zip(MAGIC).any(|(found, wanted)| *found != wanted) {
        return Header::None;
    }
    match header_length(bytes) {
        Some(length) if length <= bytes.len() => Header::Whole(length),
        _ => Header::Cut,
    }
}

/// How long a header is, if so much of it is there that this can be said.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let flags = *bytes.get(MAGIC.len())?;
    let mut length = FIXED_HEADER;
    if flags & EXTRA != 0 {
        let size = bytes.get(length..length + 2)?;
        length += 2 + usize::from(u16::from_le_bytes([size[0], size[1]]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            length += memchr(0, bytes.get(length..)?)? + 1;
        }
    }
    Some(length + if flags & CHECKSUM != 0 { 2 } else { 0 })
}
