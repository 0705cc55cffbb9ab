//! Writing table files: `upload` puts one object so that nobody sees half of it, `parquet` encodes batches into one, `table` spreads
//! rows over Hive directories and files.
//!
//! Nothing here changes the catalog: whoever writes adds the partitions, or repairs the table.

mod parquet;
mod table;
#[cfg(test)]
mod tests;
mod upload;

pub use self::{
    parquet::{ParquetFileWriter, WriteOptions},
    table::{TableWriter, WrittenFile},
};
