//! Footers and first bytes of files, for who learns what lies in a lake: metered as metadata, footers kept as those of scans are.

use std::sync::{Arc, OnceLock, atomic::AtomicBool};

use bytes::Bytes;
use glaux_catalog::model::Table;
use parquet::file::metadata::ParquetMetaData;

use super::{
    ScanContext,
    listing::DataFile,
    metadata::{MetadataReads, Reading, TableFiles},
};
use crate::error::Result;

impl ScanContext {
    /// The footer of a file, with the names of the table's columns, or in lower case if there is no table yet. `root` is the table's, under which the
    /// lengths of footers are learned.
    ///
    /// # Errors
    /// `CorruptData` or `Unsupported` (encrypted), naming the file; those of the store.
    pub(crate) async fn footer(&self, root: &str, table: Option<&Table>, file: &DataFile) -> Result<Arc<ParquetMetaData>> {
        let files = TableFiles {
            root: Arc::from(root),
            reading: table.map(Reading::of).unwrap_or_default(),
            // The same for every file, whichever of them comes first.
            first_read: OnceLock::new(),
            learned: AtomicBool::new(false),
        };
        let reads = MetadataReads { fetch: self.fetch.clone(), meter: Arc::clone(&self.meter), whole: None };
        Ok(self.footers.open(&files, file, &reads).await?.0)
    }

    /// The first bytes of a file, at most so many.
    ///
    /// # Errors
    /// Those of the store, naming the file.
    pub(crate) async fn head(&self, file: &DataFile, bytes: u64) -> Result<Bytes> {
        let end = file.meta.size.min(bytes);
        self.meter.add_metadata(end);
        Ok(self.fetch.fetch(file, std::slice::from_ref(&(0..end))).await?.pop().unwrap_or_default())
    }
}
