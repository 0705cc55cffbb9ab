//! A file of a scan, opened: its footer, what is left of its row groups, and how their bytes are got.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use bytes::Bytes;
use datafusion::physical_expr::projection::ProjectionExprs;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ArrowReaderMetadata},
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{
    exec::ScanSpec,
    execution::Execution,
    fault, late,
    prune::{self, Survivor},
    shape::Shape,
    unit::Unit,
};
use crate::{
    accounting::{FileMeter, PrunedBy},
    error::{Error, ErrorKind, Result},
    scan::{
        metadata::{Buffer, FIRST_READ, Indexes, MetadataReads, SMALL_FILE, unreadable},
        provider::{PlannedFile, TableScan},
    },
};

/// A file whose row groups are being read.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub planned: Arc<PlannedFile>,
    pub metadata: Arc<ParquetMetaData>,
    pub shape: Arc<Shape>,
    pub reader: ArrowReaderMetadata,
    /// The result's columns, out of what the decoder gives and the file's own values.
    pub projection: ProjectionExprs,
    meter: Mutex<FileMeter>,
    /// The stretch of a small file in which all that is wanted of it lies, and where it begins.
    buffer: Buffer,
    stretch: Option<Range<u64>>,
}

/// Opens a file and decides which of its row groups are read, and how. Empty if it has none that can matter.
///
/// # Errors
/// Those of reading and decoding its metadata, naming the file.
pub(super) async fn open(execution: &Execution, planned: &Arc<PlannedFile>) -> Result<Vec<Unit>> {
    let spec = &execution.spec;
    if execution.excludes_file(planned) {
        return Ok(Vec::new());
    }
    let table = &spec.table;
    let meter = Arc::clone(table.scan.meter());
    let footers = &table.context.footers;
    let Footer { metadata, meter: file_meter, reads, buffer } = footer(table, planned, execution.needs_data()).await?;
    let name = |error| fault::named(error, &planned.file);
    let shape = execution.shape(planned, &metadata).map_err(name)?;

    let pruned = prune::row_groups(&shape, &metadata);
    let total = metadata.num_row_groups();
    meter.scan().pruned(PrunedBy::Statistics, (total - pruned.len()) as u64);
    let pruned = prune::by_bloom_filters(pruned, &shape, &metadata, planned, footers, &reads).await?;
    let (metadata, survivors) = indexes(execution, planned, &shape, metadata, pruned, &reads).await?;
    if survivors.is_empty() {
        return Ok(Vec::new());
    }

    let reader = shape.reader(&metadata).map_err(name)?;
    let projection = shape.projection_of(spec, planned).map_err(name)?;
    let stretch = reads.whole.and_then(|_| stretch(&metadata, &survivors, &shape.all_mask));
    let best = execution.best_keys(&shape, &metadata);
    let planned = Arc::clone(planned);
    let file =
        Arc::new(OpenFile { planned, metadata, shape, reader, projection, meter: Mutex::new(file_meter), buffer, stretch });
    let units = survivors.into_iter().map(|survivor| {
        let best = best.as_ref().and_then(|best| best[survivor.group].clone());
        Unit::new(execution, &file, survivor, best)
    });
    Ok(units.collect())
}

/// A file whose footer is known.
#[derive(Debug)]
pub(super) struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    meter: FileMeter,
    reads: MetadataReads,
    buffer: Buffer,
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

/// Loads the page indexes where they can pay, and prunes by them.
async fn indexes(
    execution: &Execution,
    planned: &Arc<PlannedFile>,
    shape: &Shape,
    metadata: Arc<ParquetMetaData>,
    survivors: Vec<Survivor>,
    reads: &MetadataReads,
) -> Result<(Arc<ParquetMetaData>, Vec<Survivor>)> {
    let table = &execution.spec.table;
    let Some(wanted) = wanted_indexes(execution, shape, &metadata, &survivors) else { return Ok((metadata, survivors)) };
    let indexed = table.context.footers.indexed(&table.files, &planned.file, &metadata, wanted, reads).await?;
    let survivors = match (&shape.pages, wanted) {
        (Some(pages), Indexes::All) => prune::by_pages(survivors, pages, shape, &indexed, reads.meter.scan()),
        _ => survivors,
    };
    Ok((indexed, survivors))
}

/// The page indexes that are worth reading: told by sizes in the footer.
fn wanted_indexes(execution: &Execution, shape: &Shape, footer: &ParquetMetaData, survivors: &[Survivor]) -> Option<Indexes> {
    let group = |survivor: &Survivor| footer.row_group(survivor.group);
    let bytes = |survivors: &mut dyn Iterator<Item = &Survivor>, mask: &ProjectionMask| -> u64 {
        survivors.map(|survivor| late::bytes_of(group(survivor), mask)).sum()
    };
    let costs = |indexes: Indexes| indexes.region(footer).map(|region| region.end - region.start);
    // Pages by their values: if a filter on a column that has them was not decided for the whole row group.
    if shape.pages.is_some()
        && let Some(cost) = costs(Indexes::All)
        && bytes(&mut survivors.iter().filter(|survivor| !survivor.fixed_holds), &shape.all_mask) > 2 * cost
    {
        return Some(Indexes::All);
    }
    // Where pages lie: if only some rows of other columns will be read.
    let cost = costs(Indexes::Offsets)?;
    let partial = if execution.has_top() {
        survivors.iter().map(|survivor| late::rest_of(group(survivor), &shape.filter_mask, &shape.all_mask)).sum()
    } else if let Some(limit) = execution.spec.limit.filter(|_| execution.spec.predicate.is_none()) {
        let first = survivors.first().filter(|survivor| group(survivor).num_rows() as u64 > 4 * limit as u64);
        first.map_or(0, |survivor| late::bytes_of(group(survivor), &shape.all_mask))
    } else {
        let few = |survivor: &&Survivor| {
            shape.filter(survivor.fixed_holds).is_some_and(|filter| {
                let group = group(survivor);
                late::expected_rows(filter.as_ref(), &shape.file, &shape.parquet, group) * 20.0 < group.num_rows() as f64
            })
        };
        survivors.iter().filter(few).map(|survivor| late::rest_of(group(survivor), &shape.filter_mask, &shape.all_mask)).sum()
    };
    (partial > 8 * cost).then_some(Indexes::Offsets)
}

impl OpenFile {
    pub(super) fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.row_group(group)
    }

    /// The bytes of it that are in memory as long as it is: of a small file.
    pub(super) fn buffered(&self) -> u64 {
        self.buffer.get().map_or(0, |(_, bytes)| bytes.len() as u64)
    }

    /// The bytes of ranges of its table data.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much; those of fetching.
    pub(super) async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let table = &self.planned.table;
        if ranges.iter().any(|range| range.start > range.end || range.end > self.planned.file.meta.size) {
            return Err(unreadable(&self.planned.file.url(), "its page index points outside the file"));
        }
        let meter = table.scan.meter();
        if !meter.admits(ranges.iter().map(|range| range.end - range.start).sum()) {
            return Err(over_limit(meter.scan_limit().unwrap_or_default()));
        }
        let fetch = &table.context.fetch;
        if let Some(stretch) = &self.stretch {
            let fetched = async {
                let bytes = fetch.fetch(&self.planned.file, std::slice::from_ref(stretch)).await?.pop().unwrap_or_default();
                Ok::<_, Error>((stretch.start, bytes))
            };
            let (start, bytes) = self.buffer.get_or_try_init(|| fetched).await?;
            let end = start + bytes.len() as u64;
            if ranges.iter().all(|range| *start <= range.start && range.end <= end) {
                let slice = |range: &Range<u64>| bytes.slice((range.start - start) as usize..(range.end - start) as usize);
                return Ok(ranges.iter().map(slice).collect());
            }
        }
        fetch.fetch(&self.planned.file, ranges).await
    }

    /// Counts ranges as table data that a decoder has got.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(super) fn consume(&self, ranges: &[Range<u64>]) -> Result<()> {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        if ranges.iter().all(|range| meter.consume(range)) {
            return Ok(());
        }
        Err(over_limit(meter.meter().scan_limit().unwrap_or_default()))
    }
}

/// The error of a query that would consume more table data than it may.
pub(super) fn over_limit(limit: u64) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("the query would scan more than its limit of {limit} bytes"))
        .with_hint("Filter by partition keys, select fewer columns, or raise --max-scan")
}

/// From the first to the last byte of the column chunks that are wanted of these row groups.
fn stretch(metadata: &ParquetMetaData, survivors: &[Survivor], mask: &ProjectionMask) -> Option<Range<u64>> {
    let chunks = survivors.iter().flat_map(|survivor| {
        metadata.row_group(survivor.group).columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf))
    });
    chunks.map(|(_, chunk)| chunk.byte_range()).fold(None, |stretch: Option<Range<u64>>, (start, length)| {
        let chunk = start..start + length;
        Some(stretch.map_or_else(|| chunk.clone(), |stretch| stretch.start.min(chunk.start)..stretch.end.max(chunk.end)))
    })
}

/// From the first to the last byte of a row group's column chunks.
fn data_range(group: &RowGroupMetaData) -> Option<Range<u64>> {
    let ranges = || group.columns().iter().map(|chunk| chunk.byte_range());
    let start = ranges().map(|(start, _)| start).min()?;
    let end = ranges().map(|(start, length)| start + length).max()?;
    Some(start..end)
}
