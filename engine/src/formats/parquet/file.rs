//! A file of a scan whose row groups are being read: how their bytes are got, and counted.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use datafusion::{error::DataFusionError, physical_expr::projection::ProjectionExprs};
use parquet::{
    arrow::arrow_reader::ArrowReaderMetadata,
    basic::ConvertedType,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData},
};

use super::{
    fault,
    metadata::{Buffer, not_text, unreadable, with_values},
    shape::Shape,
};
use crate::{
    accounting::{FileMeter, Reservation},
    error::{Error, Result},
    scan::{PlannedFile, ScanIo, consume},
};

/// What the decoder says of bytes that are no text. It does not say of which column.
const NOT_TEXT: &str = "encountered non UTF-8 data";

/// A file whose row groups are being read.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub planned: Arc<PlannedFile>,
    pub io: ScanIo,
    pub metadata: Arc<ParquetMetaData>,
    pub shape: Arc<Shape>,
    pub reader: ArrowReaderMetadata,
    /// The result's columns, out of what the decoder gives and the file's own values.
    pub projection: ProjectionExprs,
    pub meter: Mutex<FileMeter>,
    /// The stretch of a small file in which all that is wanted of it lies, and where it begins.
    pub buffer: Buffer,
    pub stretch: Option<Range<u64>>,
    /// What was reserved to read a small file whole, until it is known what of it is needed first.
    pub ahead: Mutex<Option<Reservation>>,
}

impl OpenFile {
    pub(super) fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.row_group(group)
    }

    /// Lets the decoder work, and says of which columns text may be that is none.
    ///
    /// # Errors
    /// Those of decoding, naming the file.
    pub(super) fn decode<T, E: Into<DataFusionError>>(&self, work: impl FnOnce() -> std::result::Result<T, E>) -> Result<T> {
        fault::decode(&self.planned.file, work).map_err(|error| match error.message().contains(NOT_TEXT) {
            true => not_text(&self.texts()).with_context("file", self.planned.file.url()),
            false => error,
        })
    }

    /// The columns of text that are read.
    fn texts(&self) -> Vec<String> {
        let schema = &self.shape.parquet;
        let leaves = (0..schema.num_columns()).filter(|leaf| self.shape.all_mask.leaf_included(*leaf));
        let columns = leaves.map(|leaf| schema.column(leaf)).filter(|column| column.converted_type() == ConvertedType::UTF8);
        columns.map(|column| column.path().string()).collect()
    }

    /// The bytes of it that are in memory as long as it is: of a small file.
    pub(super) fn buffered(&self) -> u64 {
        self.buffer.get().map_or(0, |(_, bytes)| bytes.len() as u64)
    }

    /// The bytes of ranges of its table data, which are reserved before they are asked for.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much; those of fetching.
    pub(super) async fn read(&self, ranges: &[Range<u64>]) -> Result<(Vec<Bytes>, Reservation)> {
        let (file, io) = (&self.planned.file, &self.io);
        if ranges.iter().any(|range| range.start > range.end || range.end > file.meta.size) {
            return Err(unreadable(&file.url(), "its page index points outside the file"));
        }
        let fresh = self.meter.lock().unwrap_or_else(PoisonError::into_inner).fresh(ranges);
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reservation = match ahead.and_then(|ahead| ahead.keep(fresh)) {
            Some(reservation) => reservation,
            None => io.reserve(fresh).await?,
        };
        if let Some(stretch) = &self.stretch {
            let fetched = async {
                let bytes = io.fetch.fetch(file, std::slice::from_ref(stretch)).await?.pop().unwrap_or_default();
                Ok::<_, Error>((stretch.start, bytes))
            };
            let (start, bytes) = self.buffer.get_or_try_init(|| fetched).await?;
            let end = start + bytes.len() as u64;
            if ranges.iter().all(|range| *start <= range.start && range.end <= end) {
                let slice = |range: &Range<u64>| bytes.slice((range.start - start) as usize..(range.end - start) as usize);
                return Ok((ranges.iter().map(slice).collect(), reservation));
            }
        }
        Ok((io.fetch.fetch(file, ranges).await?, reservation))
    }

    /// The same bytes of a row group, with pages of columns that do not repeat that hold no more values than it has rows.
    pub(super) fn corrected(&self, group: usize, ranges: &[Range<u64>], bytes: Vec<Bytes>) -> Vec<Bytes> {
        let group = self.group(group);
        // A footer that contradicts itself shows by the number of rows that come.
        let is_counted =
            |chunk: &&ColumnChunkMetaData| chunk.column_descr().max_rep_level() == 0 && chunk.num_values() == group.num_rows();
        let flat = group.columns().iter().filter(is_counted);
        let chunks: HashMap<u64, u64> = flat.map(ColumnChunkMetaData::byte_range).collect();
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let correct = |(range, bytes): (&Range<u64>, Bytes)| match chunks.get(&range.start) {
            Some(length) if *length == range.end - range.start => with_values(bytes, rows),
            _ => bytes,
        };
        ranges.iter().zip(bytes).map(correct).collect()
    }

    /// Counts ranges as table data that a decoder has got, out of what was reserved for it.
    ///
    /// # Errors
    /// `LimitExceeded` if the query may not scan that much.
    pub(super) fn consume(&self, ranges: &[Range<u64>], reserved: &mut Reservation) -> Result<()> {
        consume(&mut self.meter.lock().unwrap_or_else(PoisonError::into_inner), ranges, reserved)
    }
}
