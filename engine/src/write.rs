//! Writing table files: `upload` puts one object so that nobody sees half of it, `parquet` encodes batches into one, `table` spreads
//! rows over Hive directories and files, and `ingest` takes rows into a table of the catalog, with a note of what is `staged` on disks.
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
