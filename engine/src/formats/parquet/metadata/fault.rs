//! Errors of Parquet files: what is wrong with which file.

use parquet::{arrow::ProjectionMask, basic::Compression, errors::ParquetError, file::metadata::ParquetMetaData};

use crate::{
    error::{Error, Result},
    scan::DataFile,
};

/// Columns that are named where one of several is meant.
const NAMED: usize = 5;

pub(super) fn corrupt(file: &DataFile, why: &str) -> Error {
    Error::corrupt(format!("file \"{}\" is not a readable Parquet file: {why}", file.url()))
        .with_hint("Remove or rewrite the file; files whose names begin with _ or . are ignored")
}

pub(super) fn encrypted(file: &DataFile) -> Error {
    Error::unsupported(format!("file \"{}\" is encrypted", file.url()))
        .with_hint("Parquet encryption is not supported: rewrite the file without it")
}

pub(super) fn not_decoded(file: &DataFile, error: ParquetError) -> Error {
    let text = error.to_string();
    if text.contains("encrypt") { encrypted(file) } else { corrupt(file, "its footer does not decode").with_source(error) }
}

/// Refuses columns that are wanted and compressed in a way that is not supported.
pub(crate) fn check_codecs(file_url: &str, footer: &ParquetMetaData, wanted: &ProjectionMask) -> Result<()> {
    for group in footer.row_groups() {
        let mut wanted = group.columns().iter().enumerate().filter(|(leaf, _)| wanted.leaf_included(*leaf));
        if wanted.any(|(_, chunk)| chunk.compression() == Compression::LZO) {
            return Err(unsupported_codec(file_url, "LZO"));
        }
    }
    Ok(())
}

pub(super) fn unsupported_codec(file_url: &str, codec: &str) -> Error {
    Error::unsupported(format!("file \"{file_url}\" is compressed with {codec}, which is not supported"))
        .with_hint("Rewrite the file with Snappy, Zstandard, gzip, LZ4, Brotli or without compression")
}

/// An error of reading a file's data pages.
pub(crate) fn unreadable(file_url: &str, text: &str) -> Error {
    if text.contains("encrypt") {
        return Error::unsupported(format!("file \"{file_url}\" is encrypted"))
            .with_hint("Parquet encryption is not supported: rewrite the file without it");
    }
    let mut text = text;
    for prefix in ["Parquet error: ", "Parquet argument error: ", "External: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    if let Some(what) = text.strip_prefix("NYI: ") {
        return Error::unsupported(format!("file \"{file_url}\" uses an unsupported feature: {what}"))
            .with_hint("Rewrite the file with common encodings and codecs");
    }
    Error::corrupt(format!("file \"{file_url}\" is not a readable Parquet file: {text}"))
        .with_hint("Remove or rewrite the file; files whose names begin with _ or . are ignored")
}

/// Bytes in one of these columns, which are text, are none.
pub(crate) fn not_text(columns: &[String]) -> Error {
    let which = match columns {
        [one] => format!("column \"{one}\""),
        [_, ..] if columns.len() <= NAMED => format!("one of the columns \"{}\"", columns.join("\", \"")),
        _ => "a column".to_owned(),
    };
    Error::corrupt(format!("the text of {which} is not UTF-8"))
        .with_hint("Give the column the type BINARY, which reads any bytes, or rewrite the file")
}
