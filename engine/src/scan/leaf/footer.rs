//! A file's footer, as a scan gets it: read with what the table's other files taught, counted once.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::spec::ScanSpec;
use crate::{
    accounting::FileMeter,
    error::Result,
    scan::{
        metadata::{Buffer, FIRST_READ, MetadataReads, SMALL_FILE},
        provider::{PlannedFile, TableScan},
    },
};

/// A file whose footer is known.
#[derive(Debug)]
pub(super) struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    pub meter: FileMeter,
    pub reads: MetadataReads,
    pub buffer: Buffer,
}

/// Gets a file's footer; with `for_data`, a small file comes whole.
///
/// # Errors
/// Those of reading and decoding it, naming the file.
pub(super) async fn footer(table: &TableScan, planned: &PlannedFile, for_data: bool) -> Result<Footer> {
    let buffer = Buffer::default();
    let whole = (planned.file.meta.size <= SMALL_FILE && for_data).then(|| Arc::clone(&buffer));
    let reads = MetadataReads { whole, ..metadata_reads(table) };
    let (metadata, was_known) = table.context.footers.open(&table.files, &planned.file, &reads).await?;
    // What this scan has read a moment ago was not known to it.
    let was_learned_from = planned.position == 0 && table.files.learned.swap(false, Relaxed);
    table.scan.meter().scan().footer(was_known && !was_learned_from);
    let mut meter = table.scan.file(planned.file.url());
    meter.opened(metadata.row_groups().iter().filter_map(data_range));
    Ok(Footer { metadata, meter, reads, buffer })
}

fn metadata_reads(table: &TableScan) -> MetadataReads {
    MetadataReads { fetch: table.context.fetch.clone(), meter: Arc::clone(table.scan.meter()), whole: None }
}

/// Learns from the first file how long the footers of a table are that nothing is known of: the others' are then read as they are.
///
/// # Errors
/// As [`footer`].
pub(super) async fn learn(spec: &ScanSpec, for_data: bool) -> Result<()> {
    let table = &spec.table;
    if let [first, _, ..] = spec.files.as_slice()
        && table.files.first_read.get().is_none()
    {
        // What is read is kept, and found when it is this file's turn; a small file's data only if it is read for them.
        if !for_data || first.file.meta.size > SMALL_FILE {
            let (_, was_known) = table.context.footers.open(&table.files, &first.file, &metadata_reads(table)).await?;
            table.files.learned.store(!was_known, Relaxed);
        }
        let _ = table.files.first_read.set(table.context.footers.first_read(&table.files.root).unwrap_or(FIRST_READ));
    }
    Ok(())
}

/// From the first to the last byte of a row group's column chunks.
fn data_range(group: &RowGroupMetaData) -> Option<Range<u64>> {
    let ranges = || group.columns().iter().map(|chunk| chunk.byte_range());
    let start = ranges().map(|(start, _)| start).min()?;
    let end = ranges().map(|(start, length)| start + length).max()?;
    Some(start..end)
}
