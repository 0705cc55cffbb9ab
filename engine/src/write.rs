//! Writing table files: `upload` writes one object that is visible only when complete, `parquet` encodes batches, `table` distributes rows over
//! Hive directories and files, and `ingest` adds rows to a table of the catalog; `staged` records unfinished files on disks.
//!
//! Nothing but `ingest` changes the catalog: whoever else writes adds the partitions, or repairs the table.

pub(crate) mod ingest;
mod parquet;
pub(crate) mod staged;
mod table;
#[cfg(test)]
mod tests;
mod upload;

pub use self::{
    ingest::{IfExists, IfNotExists, IngestSummary, IngestTarget},
    parquet::{ParquetFileWriter, WriteOptions},
    table::{TableWriter, WrittenFile},
};
