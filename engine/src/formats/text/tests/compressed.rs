//! Compressed files, whole, damaged and cut off. What is an error is one for Trino too.

use std::io::Write;

use bytes::Bytes;
use flate2::{
    Compression as Level,
    write::{GzEncoder, ZlibEncoder},
};

use super::{Table, decode, strings};
use crate::{
    error::{ErrorKind, Result},
    formats::text::compression::Compression,
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Level::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(text, 0).unwrap()
}

/// The lines of a file that comes in pieces of a length.
fn lines(compression: Compression, file: &[u8], piece: usize) -> Result<Vec<String>> {
    let table = Table::lazy(&[("line", "string")], &[]);
    let decoder = table.decoder(&[0]).unwrap().with_compression(compression).unwrap();
    let batches = decode(decoder, file.chunks(piece).map(Bytes::copy_from_slice))?;
    Ok(strings(&batches, 0).into_iter().flatten().collect())
}

#[test]
fn names_say_how_files_are_compressed() {
    let of = |path: &str| Compression::of_name(path).map_err(|error| (error.kind(), error.to_string()));
    for (path, compression) in [
        ("s3://b/t/a.gz", Compression::Gzip),
        ("a.csv.gz", Compression::Gzip),
        ("a.deflate", Compression::Deflate),
        ("a.zst", Compression::Zstd),
        ("a", Compression::None),
        ("gz", Compression::None),
        ("a.GZ", Compression::None),
        ("a.gzip", Compression::None),
        ("a.gz/b", Compression::None),
        ("a.gz.csv", Compression::None),
        ("a.zip", Compression::None),
    ] {
        assert_eq!(of(path), Ok(compression), "{path}");
    }
    for ending in ["bz2", "lz4", "lzo", "lzo_deflate", "snappy"] {
        let path = format!("t/a.{ending}");
        let message = format!("text compressed as \".{ending}\" is not supported, file \"{path}\"");
        assert_eq!(of(&path), Err((ErrorKind::Unsupported, message)));
    }
}

#[test]
fn compressed_files_are_read_in_pieces_of_any_length() {
    let long: Vec<String> = (0..10_000).map(|n| format!("line {n} of text that is compressed well")).collect();
    let text = long.join("\n");
    let (start, end) = text.as_bytes().split_at(text.len() / 3);
    for (compression, whole, parts) in [
        (Compression::Gzip, gzip(text.as_bytes()), [gzip(start), gzip(end)].concat()),
        (Compression::Deflate, zlib(text.as_bytes()), [zlib(start), zlib(end)].concat()),
        (Compression::Zstd, zstd(text.as_bytes()), [zstd(start), zstd(end)].concat()),
    ] {
        for file in [&whole, &parts] {
            for piece in [1, 7, 4096, file.len()] {
                assert!(lines(compression, file, piece).unwrap() == long, "{compression:?} in pieces of {piece}");
            }
        }
        assert_eq!(lines(compression, b"", 1).unwrap(), [""; 0]);
        for end in 1..40 {
            for cut in [&whole[..end], &whole[..whole.len() - end]] {
                let error = lines(compression, cut, 4096).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::CorruptData, "{compression:?} without {end} bytes");
            }
        }
    }
}

#[test]
fn members_of_gzip_may_be_padded() {
    let file = gzip(b"a\nb\n");
    let wanted = ["a", "b"];
    for padding in [&[0; 600][..], b"no member", b"\x1f", b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00name"] {
        assert_eq!(lines(Compression::Gzip, &[file.as_slice(), padding].concat(), 5).unwrap(), wanted, "{padding:?}");
    }
    let mut wrong = file.clone();
    let end = wrong.len();
    wrong[end - 6] ^= 1;
    assert_eq!(lines(Compression::Gzip, &wrong, 5).unwrap_err().message(), "the checksum of the compressed text is wrong");
    let message = lines(Compression::Gzip, b"a\nb\n", 5).unwrap_err().message().to_owned();
    assert_eq!(message, "the file is not valid gzip: it has no header");
    // With a name, a comment, an extra field and a checksum of the header.
    let header = [b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0ab".as_slice(), b"name\0comment\0", b"\x01\x02"].concat();
    assert_eq!(lines(Compression::Gzip, &[header.as_slice(), &file[10..]].concat(), 3).unwrap(), wanted);
}
