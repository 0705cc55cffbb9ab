//! Reads one data file for one stream: every byte that a decoder gets passes here, and is counted here.
//!
//! Ranges within a row group's data are consumed table data; all others (footer, page indexes, bloom filters) are metadata. What goes
//! over the wire is counted below, by the store.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use datafusion::{
    datasource::{listing::PartitionedFile, physical_plan::parquet::ParquetFileReaderFactory},
    error::{DataFusionError, Result as DataFusionResult},
    physical_plan::metrics::ExecutionPlanMetricsSet,
};
use futures::{FutureExt, future::BoxFuture};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};

use super::{
    footer::{Footers, TableFiles},
    listing::DataFile,
};
use crate::{
    accounting::{FileMeter, ScanMeter},
    error::{Error, ErrorKind, Result, from_store},
};

/// What all readers of one execution of a scan share.
#[derive(Debug, Clone)]
pub(super) struct ReaderFactory {
    pub scan: Arc<ScanMeter>,
    pub footers: Arc<Footers>,
    pub table: TableFiles,
}

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> DataFusionResult<Box<dyn AsyncFileReader + Send>> {
        let planned = file
            .extension::<Arc<PlannedFile>>()
            .map(Arc::clone)
            .ok_or_else(|| DataFusionError::Internal("a scanned file has lost its store".to_owned()))?;
        let meter = self.scan.file(planned.file.url());
        Ok(Box::new(Reader { shared: self.clone(), planned, meter, is_opened: false }))
    }
}

/// A file of a scan, and what its readers tell one another: DataFusion makes several for one file.
#[derive(Debug)]
pub(super) struct PlannedFile {
    pub file: DataFile,
    /// Where each row group's data lie, once one of them knows the footer.
    data: OnceLock<Vec<Range<u64>>>,
}

impl PlannedFile {
    pub(super) fn new(file: DataFile) -> Arc<Self> {
        Arc::new(Self { file, data: OnceLock::new() })
    }
}

struct Reader {
    shared: ReaderFactory,
    planned: Arc<PlannedFile>,
    meter: FileMeter,
    /// Whether the meter knows the row groups.
    is_opened: bool,
}

impl Reader {
    async fn footer(&self) -> Result<Arc<ParquetMetaData>> {
        let (shared, file) = (&self.shared, &self.planned.file);
        let fetch = |range| fetch_metadata(shared, file, range);
        let footer = shared.footers.footer(&shared.table, file, fetch).await?;
        let data = || footer.row_groups().iter().filter_map(data_range).collect();
        self.planned.data.get_or_init(data);
        Ok(footer)
    }

    /// Tells the meter where the row groups lie, before anything is counted.
    async fn open(&mut self) -> Result<()> {
        if self.planned.data.get().is_none() {
            self.footer().await?;
        }
        if !self.is_opened {
            self.meter.opened(self.planned.data.get().into_iter().flatten().cloned());
            self.is_opened = true;
        }
        Ok(())
    }

    fn is_data(&self, range: &Range<u64>) -> bool {
        let mut data = self.planned.data.get().into_iter().flatten();
        data.any(|data| data.start < range.end && range.start < data.end)
    }

    /// Stops the query before a read that would take it over its budget.
    fn admit(&self, ranges: &[Range<u64>]) -> Result<()> {
        let bytes = ranges.iter().map(|range| range.end - range.start).sum();
        let meter = self.meter.meter();
        if meter.admits(bytes) { Ok(()) } else { Err(over_limit(meter.scan_limit().unwrap_or_default())) }
    }

    /// Counts the data among ranges that were read for a decoder.
    fn consume(&mut self, ranges: &[Range<u64>]) {
        for range in ranges {
            if self.is_data(range) {
                self.meter.consume(range);
            }
        }
    }

    async fn metadata_piece(&self, range: Range<u64>) -> Result<Bytes> {
        let fetch = fetch_metadata(&self.shared, &self.planned.file, range.clone());
        self.shared.footers.piece(&self.planned.file, range, fetch).await
    }
}

/// The error of a query that would consume more table data than it may.
pub(crate) fn over_limit(limit: u64) -> Error {
    Error::new(ErrorKind::LimitExceeded, format!("the query would scan more than its limit of {limit} bytes"))
        .with_hint("Filter by partition keys, select fewer columns, or raise --max-scan")
}

async fn fetch_metadata(shared: &ReaderFactory, file: &DataFile, range: Range<u64>) -> Result<Bytes> {
    let bytes = file.store.get_range(&file.meta.location, range).await.map_err(|error| read_error(file, &error))?;
    shared.scan.meter().add_metadata(bytes.len() as u64);
    Ok(bytes)
}

fn read_error(file: &DataFile, error: &object_store::Error) -> Error {
    let error = from_store(error);
    let hint = match error.kind() {
        ErrorKind::NotFound => Some("The file was there when the query listed it; run the query again"),
        _ => None,
    };
    let error = error.with_context("file", file.url());
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            self.open().await.map_err(external)?;
            if !self.is_data(&range) {
                return self.metadata_piece(range).await.map_err(external);
            }
            let ranges = std::slice::from_ref(&range);
            self.admit(ranges).map_err(external)?;
            let read = self.planned.file.store.get_range(&self.planned.file.meta.location, range.clone()).await;
            let bytes = read.map_err(|error| external(read_error(&self.planned.file, &error)))?;
            self.consume(ranges);
            Ok(bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            self.open().await.map_err(external)?;
            self.admit(&ranges).map_err(external)?;
            let read = self.planned.file.store.get_ranges(&self.planned.file.meta.location, &ranges).await;
            let bytes = read.map_err(|error| external(read_error(&self.planned.file, &error)))?;
            self.consume(&ranges);
            Ok(bytes)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let metadata = self.footer().await.map_err(external)?;
            self.open().await.map_err(external)?;
            Ok(metadata)
        }
        .boxed()
    }
}

/// From the first to the last byte of a row group's column chunks.
fn data_range(group: &RowGroupMetaData) -> Option<Range<u64>> {
    let ranges = || group.columns().iter().map(|chunk| chunk.byte_range());
    let start = ranges().map(|(start, _)| start).min()?;
    let end = ranges().map(|(start, length)| start + length).max()?;
    Some(start..end)
}
