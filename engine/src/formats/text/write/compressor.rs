//! Text compressed as it comes.

use std::{
    fmt,
    io::{self, Write},
};

use flate2::{
    Compression as Level,
    write::{GzEncoder, ZlibEncoder},
};
use zstd::stream::write::Encoder;

use crate::{
    error::{Error, Result},
    formats::text::compression::Compression,
};

/// Takes text and gives a file's bytes.
pub(super) enum Compressor {
    None,
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Zstd(Encoder<'static, Vec<u8>>),
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        /// Zstandard's own default.
        const ZSTD_LEVEL: i32 = 3;
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Level::default())),
            Compression::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), Level::default())),
            Compression::Zstd => Self::Zstd(Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(failed)?),
        })
    }

    /// Compresses a piece of text, and adds what bytes there are of it.
    pub(super) fn add(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::None => out.extend_from_slice(text),
            Self::Gzip(encoder) => {
                encoder.write_all(text).map_err(failed)?;
                out.append(encoder.get_mut());
            }
            Self::Deflate(encoder) => {
                encoder.write_all(text).map_err(failed)?;
                out.append(encoder.get_mut());
            }
            Self::Zstd(encoder) => {
                encoder.write_all(text).map_err(failed)?;
                out.append(encoder.get_mut());
            }
        }
        Ok(())
    }

    /// Adds the last bytes. No text may follow.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::None => {}
            Self::Gzip(encoder) => {
                encoder.try_finish().map_err(failed)?;
                out.append(encoder.get_mut());
            }
            Self::Deflate(encoder) => {
                encoder.try_finish().map_err(failed)?;
                out.append(encoder.get_mut());
            }
            Self::Zstd(encoder) => {
                encoder.do_finish().map_err(failed)?;
                out.append(encoder.get_mut());
            }
        }
        Ok(())
    }

    /// Bytes of memory that it holds, about.
    pub(super) const fn memory_size(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Gzip(_) | Self::Deflate(_) => 384 << 10,
            Self::Zstd(_) => 4 << 20,
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressor")
    }
}

fn failed(error: io::Error) -> Error {
    Error::internal("text could not be compressed").with_source(error)
}
