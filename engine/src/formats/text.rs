//! Delimited text: from the bytes of files of `LazySimpleSerDe` and `OpenCSVSerde` to record batches, with Trino's answers for all that is odd.
//!
//! `options` come from a table's or a partition's storage, `compression` from a file's name. `decoder` takes a file's bytes, or those of a range of it
//! (`lines`), and gives batches of the columns that are wanted: no IO, and no names of files. Around it, `open` opens the files of a scan, `unit` reads a
//! split of one, and `shape` makes the result's rows; `quote` tells what all of it takes. `write` makes files, as Trino does.

mod column;
mod compression;
mod date;
mod decoder;
mod file;
mod gzip;
mod inflate;
mod lazy_simple;
mod leaf;
mod lines;
mod open;
mod open_csv;
mod options;
mod quote;
mod row;
mod shape;
#[cfg(test)]
mod tests;
mod timestamp_format;
mod timestamp_pattern;
mod unit;
mod value;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use glaux_catalog::model::Table;

pub(super) use self::write::TextOutput;
use self::{
    compression::Compression,
    open::{TextOpener, TextTable},
    options::TextOptions,
    quote::TextQuoter,
};
use crate::{
    error::Result,
    scan::{DataFile, Execution, Format, Opener, QuotedScan, Quoter},
};

/// Bytes of a file for one split.
const SPLIT_BYTES: u64 = 32 << 20;

/// The text files of one table.
#[derive(Debug)]
pub(super) struct Text(Arc<TextTable>);

impl Text {
    /// # Errors
    /// `Unsupported` and `Invalid` for a SerDe, a property or a column's type that is not read, which they name.
    pub(super) fn new(table: &Table) -> Result<Self> {
        let options = TextOptions::of(&table.storage, &table.properties)?;
        for column in &table.storage.columns {
            options.check(&column.name, &column.hive_type)?;
        }
        let (storage, properties) = (table.storage.clone(), table.properties.clone());
        Ok(Self(Arc::new(TextTable { storage, properties, options: Arc::new(options) })))
    }
}

#[async_trait]
impl Format for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn split_bytes(&self, file: &DataFile, _: bool) -> Option<u64> {
        let compression = Compression::of_name(file.meta.location.as_ref()).ok()?;
        self.0.options.is_splittable(compression).then_some(SPLIT_BYTES)
    }

    fn begin(self: Arc<Self>, execution: &Arc<Execution>) -> Result<Arc<dyn Opener>> {
        Ok(Arc::new(TextOpener::new(execution, &self.0)))
    }

    fn quoter(self: Arc<Self>, scan: &Arc<QuotedScan>) -> Arc<dyn Quoter> {
        Arc::new(TextQuoter(Arc::clone(scan)))
    }
}
