//! The bytes of files that `.slt` files write as text.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Text in which `\n`, `\r`, `\t`, `\\` and `\xHH` are bytes.
///
/// # Errors
/// For any other backslash.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, length) = match (first, after) {
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or_else(|| format!("not hexadecimal: {text}"));
                ((digit(high)? * 16 + digit(low)?) as u8, 4)
            }
            (b'\\', _) => return Err(format!("a backslash escapes nothing: {text}")),
            (plain, _) => (*plain, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Ok(bytes)
}

/// One member of gzip.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}
