//! Delimited text: from the bytes of files of `LazySimpleSerDe` and `OpenCSVSerde` to record batches, with Trino's answers for all that is odd.
//!
//! [`TextOptions`] come from a table's or a partition's storage, [`Compression`] from a file's name. A [`TextDecoder`] takes a file's bytes, or those of a
//! [`LineRange`] of it, and gives batches of the [`TextColumn`]s that are wanted. No IO here, and no names of files: callers add them to errors.

mod column;
mod compression;
mod date;
mod decoder;
mod gzip;
mod inflate;
mod lazy_simple;
mod leaf;
mod lines;
mod open_csv;
mod options;
mod row;
#[cfg(test)]
mod tests;
mod timestamp_format;
mod timestamp_pattern;
mod value;

pub(crate) use compression::Compression;
pub(crate) use decoder::TextDecoder;
pub(crate) use lines::LineRange;
pub(crate) use options::TextOptions;
pub(crate) use row::TextColumn;
