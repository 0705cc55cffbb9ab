//! Writing table files, of any format for which `formats` has a writer: `upload` writes one object that is visible only when complete, `file` is one file
//! whose format makes its bytes, `table` distributes rows over Hive directories and files, and `ingest` adds rows to a table of the catalog; `staged` records
//! unfinished files on disks.
//!
//! Nothing but `ingest` changes the catalog: whoever else writes adds the partitions, or repairs the table.

mod file;
pub(crate) mod ingest;
pub(crate) mod staged;
mod table;
#[cfg(test)]
mod tests;
mod upload;

pub use self::{
    ingest::{IfExists, IfNotExists, IngestSummary, IngestTarget},
    table::{TableWriter, WriteOptions, WrittenFile},
};
pub use crate::formats::parquet::ParquetOptions;
