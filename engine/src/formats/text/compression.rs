//! Compressed text: which codec a file's name stands for, and its bytes decompressed as they come.
//!
//! As in Trino, a name's ending alone decides, in lower case. What is cut off or damaged is an error, and never fewer rows.

use bytes::{Buf, Bytes};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::{
    gzip::Gzip,
    inflate::{Inflate, corrupt},
};
use crate::error::{Error, Result};

/// Bytes of text made at a time.
const PIECE: usize = 256 << 10;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Compression {
    None,
    Gzip,
    /// zlib's format, as Hadoop's `.deflate` has it.
    Deflate,
    Zstd,
}

impl Compression {
    /// # Errors
    /// `Unsupported` for the endings of codecs that are not read, with the file's path.
    pub(crate) fn of_name(path: &str) -> Result<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("gz") => Ok(Self::Gzip),
            Some("deflate") => Ok(Self::Deflate),
            Some("zst") => Ok(Self::Zstd),
            Some(ending @ ("bz2" | "lz4" | "lzo" | "lzo_deflate" | "snappy")) => {
                Err(Error::unsupported(format!("text compressed as \".{ending}\" is not supported"))
                    .with_context("file", path)
                    .with_hint("Compress it with gzip (.gz), zlib (.deflate) or Zstandard (.zst)"))
            }
            _ => Ok(Self::None),
        }
    }

    /// What the name of a file ends with that is compressed so.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Deflate => ".deflate",
            Self::Zstd => ".zst",
        }
    }

    /// Whether a range of the file can be read without what is before it.
    #[must_use]
    pub(crate) fn is_splittable(self) -> bool {
        self == Self::None
    }
}

/// Takes a file's bytes and gives its text, a piece at a time.
pub(super) enum Decompressor {
    None,
    Gzip(Box<Gzip>),
    Deflate(Deflate),
    Zstd { decoder: Decoder<'static>, has_more: bool, is_within: bool },
}

impl Decompressor {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(Box::default()),
            Compression::Deflate => Self::Deflate(Deflate { inflate: Inflate::new(true), is_within: false }),
            Compression::Zstd => {
                let decoder = Decoder::new().map_err(|error| Error::internal(error.to_string()))?;
                Self::Zstd { decoder, has_more: false, is_within: false }
            }
        })
    }

    /// The next piece of text; empty if it takes more input than there is.
    ///
    /// # Errors
    /// `CorruptData` for what is not compressed so.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Bytes> {
        match self {
            Self::None => Ok(std::mem::take(input)),
            Self::Gzip(gzip) => Ok(gzip.next(input, PIECE)?.into()),
            Self::Deflate(deflate) => Ok(deflate.next(input)?.into()),
            Self::Zstd { decoder, has_more, is_within } => {
                let mut piece = Vec::new();
                while piece.is_empty() && (*has_more || !input.is_empty()) {
                    piece.reserve(PIECE);
                    let mut read = InBuffer::around(input);
                    let left = decoder.run(&mut read, &mut OutBuffer::around(&mut piece));
                    let read = read.pos();
                    input.advance(read);
                    *is_within = left.map_err(|error| corrupt("Zstandard", &error.to_string()))? > 0;
                    *has_more = *is_within && piece.len() == piece.capacity();
                }
                Ok(piece.into())
            }
        }
    }

    /// Says that there is no more input.
    ///
    /// # Errors
    /// `CorruptData` if the file is cut off.
    pub(super) fn finish(&self) -> Result<()> {
        let is_whole = match self {
            Self::None => true,
            Self::Gzip(gzip) => gzip.is_whole(),
            Self::Deflate(deflate) => !deflate.is_within,
            Self::Zstd { is_within, .. } => !is_within,
        };
        if is_whole { Ok(()) } else { Err(Error::corrupt("the compressed text is cut off").with_hint("Write the file again")) }
    }
}

/// Streams of zlib, one after another.
pub(super) struct Deflate {
    inflate: Inflate,
    is_within: bool,
}

impl Deflate {
    fn next(&mut self, input: &mut Bytes) -> Result<Vec<u8>> {
        let mut piece = Vec::new();
        while piece.is_empty() && (self.inflate.has_more() || !input.is_empty()) {
            self.is_within = !self.inflate.next(input, &mut piece, PIECE).map_err(|what| corrupt("zlib", &what))?;
            if !self.is_within {
                self.inflate = Inflate::new(true);
            }
        }
        Ok(piece)
    }
}
