//! A file's footer, as a scan gets it: read with what the table's other files taught, counted once.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::metadata::{Buffer, FIRST_READ, Footers, MetadataReads, SMALL_FILE, TableFiles};
use crate::{
    accounting::FileMeter,
    error::Result,
    scan::{DataFile, PlannedFile, ScanIo, ScanSpec},
};

/// What is known of a table's files, and of all.
#[derive(Debug)]
pub(super) struct Known {
    pub footers: Arc<Footers>,
    pub table: TableFiles,
}

/// A file whose footer is known.
#[derive(Debug)]
pub(super) struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    pub meter: FileMeter,
    pub reads: MetadataReads,
    pub buffer: Buffer,
}

impl Known {
    /// Gets a file's footer; with `for_data`, a small file comes whole.
    ///
    /// # Errors
    /// Those of reading and decoding it, naming the file.
    pub(super) async fn footer(
        &self,
        spec: &ScanSpec,
        io: &ScanIo,
        planned: &Arc<PlannedFile>,
        for_data: bool,
    ) -> Result<Footer> {
        let buffer = Buffer::default();
        let whole = (for_data && is_small(&planned.file)).then(|| Arc::clone(&buffer));
        let reads = MetadataReads { whole, ..reads(io) };
        let (metadata, was_known) = self.footers.open(&self.table, &planned.file, &reads).await?;
        // What this scan has read a moment ago was not known to it.
        let is_first = spec.files().next().is_some_and(|first| Arc::ptr_eq(first, planned));
        let was_learned_from = is_first && self.table.learned.swap(false, Relaxed);
        io.meter().scan().footer(was_known && !was_learned_from);
        let mut meter = io.scan.file(planned.file.url());
        meter.opened(metadata.row_groups().iter().filter_map(data_range));
        Ok(Footer { metadata, meter, reads, buffer })
    }

    /// Learns from the first file how long the footers of a table are that nothing is known of: the others' are then read as they are.
    ///
    /// # Errors
    /// As [`Known::footer`].
    pub(super) async fn learn(&self, spec: &ScanSpec, io: &ScanIo, for_data: bool) -> Result<()> {
        let mut files = spec.files();
        if let (Some(first), Some(_)) = (files.next(), files.next())
            && self.table.first_read.get().is_none()
        {
            // What is read is kept, and found when it is this file's turn; a small file's data only if it is read for them.
            if !for_data || !is_small(&first.file) {
                let (_, was_known) = self.footers.open(&self.table, &first.file, &reads(io)).await?;
                self.table.learned.store(!was_known, Relaxed);
            }
            let _ = self.table.first_read.set(self.footers.first_read(&self.table.root).unwrap_or(FIRST_READ));
        }
        Ok(())
    }
}

/// Whether a file is read with one request.
pub(super) fn is_small(file: &DataFile) -> bool {
    file.meta.size <= SMALL_FILE
}

fn reads(io: &ScanIo) -> MetadataReads {
    MetadataReads { fetch: io.fetch.clone(), scan: Arc::clone(&io.scan), whole: None }
}

/// From the first to the last byte of a row group's column chunks.
pub(super) fn data_range(group: &RowGroupMetaData) -> Option<Range<u64>> {
    let ranges = || group.columns().iter().map(|chunk| chunk.byte_range());
    let start = ranges().map(|(start, _)| start).min()?;
    let end = ranges().map(|(start, length)| start + length).max()?;
    Some(start..end)
}
