//! The footers of a table's files, read from the folder: which requests at the endpoint were for footers, and the least bytes that a query
//! can be answered from.
//!
//! The least bytes are those of a reader that knows all footers and page indexes. Without a predicate: the chunks of the columns. With
//! one: in the row groups that statistics leave, the predicate column's pages that the page index leaves, and of the other columns the pages
//! with rows that satisfy it; each chunk that is read at all with its dictionary. A predicate is evaluated everywhere that statistics
//! leave, even where they prove it: a reader that skips that may read less. For the top 10 the reader knows the tenth value beforehand,
//! which none does.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    ops::Range,
    path::{Path, PathBuf},
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{DataType, Date32Type, Decimal128Type, Int64Type},
};
use glaux_engine::accounting::RequestKind;
use glaux_tests::s3_endpoint::Request;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData},
        page_index::column_index::ColumnIndexMetaData,
        statistics::Statistics,
    },
};

use super::query::{Needs, Predicate};
use crate::Result;

/// The magic number and the length that end a file.
const TAIL: u64 = 8;

#[derive(Debug)]
struct TableFile {
    path: PathBuf,
    size: u64,
    /// Where the footer begins.
    footer: u64,
    metadata: ArrowReaderMetadata,
}

/// The files of a table by their keys.
#[derive(Debug, Default)]
pub(super) struct Footers(HashMap<String, TableFile>);

impl Footers {
    /// Reads the footers of all files below a folder, whose keys begin with a prefix.
    pub(super) fn read(folder: &Path, prefix: &str) -> Result<Self> {
        let mut footers = HashMap::new();
        let mut waiting = vec![(folder.to_owned(), prefix.to_owned())];
        while let Some((folder, prefix)) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let key = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    waiting.push((entry.path(), format!("{key}/")));
                } else {
                    footers.insert(key, TableFile::read(entry.path())?);
                }
            }
        }
        Ok(Self(footers))
    }

    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    pub(super) fn row_groups(&self) -> usize {
        self.0.values().map(|file| file.metadata.metadata().num_row_groups()).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|file| file.size).sum()
    }

    /// Bytes of the footers themselves, with what ends the files.
    pub(super) fn footer_bytes(&self) -> u64 {
        self.0.values().map(|file| file.size - file.footer).sum()
    }

    /// Whether a request read a footer, or a part of one.
    pub(super) fn is_of_footer(&self, request: &Request) -> bool {
        let Some(file) = self.0.get(&request.key).filter(|_| request.kind == RequestKind::Get) else { return false };
        let range = request.range.as_deref().and_then(|range| parse_range(range, file.size)).unwrap_or(0..file.size);
        range.start < range.end && range.end > file.footer
    }

    /// The least bytes of a query's data.
    pub(super) fn least(&self, needs: &Needs) -> Result<u64> {
        let mut bytes = 0;
        for (_, file) in self.0.iter().filter(|(key, _)| key.contains(needs.path)) {
            for group in 0..file.metadata.metadata().num_row_groups() {
                bytes += file.least(group, needs)?;
            }
        }
        Ok(bytes)
    }
}

impl TableFile {
    fn read(path: PathBuf) -> Result<Self> {
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        let mut end = [0; 4];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, size - TAIL)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        Ok(Self { path, size, footer: size - TAIL - u64::from(u32::from_le_bytes(end)), metadata })
    }

    fn least(&self, group: usize, needs: &Needs) -> Result<u64> {
        let metadata: &ParquetMetaData = self.metadata.metadata();
        let row_group = metadata.row_group(group);
        let chunk = |at: usize| row_group.column(at).byte_range().1;
        let wanted = columns(row_group, needs)?;
        let Some(predicate) = needs.predicate else { return Ok(wanted.iter().map(|at| chunk(*at)).sum()) };
        let of_predicate = column(row_group, predicate.column)?;
        let statistics = row_group.column(of_predicate).statistics().and_then(bounds);
        if !statistics.is_none_or(|bounds| predicate.may_hold(bounds)) {
            return Ok(0);
        }
        let kept = self.pages_left(group, of_predicate, &predicate)?;
        let mut bytes = self.pages(group, of_predicate, &kept)?;
        let rows = self.rows(group, &predicate)?;
        for at in wanted.into_iter().filter(|at| *at != of_predicate) {
            bytes += self.pages(group, at, &self.pages_with(group, at, &rows)?)?;
        }
        Ok(bytes)
    }

    /// Where each page of a column chunk begins, as a row and as an offset, and its size.
    fn locations(&self, group: usize, at: usize) -> Result<Vec<(usize, u64, u64)>> {
        let index = self.metadata.metadata().offset_index().ok_or("a file has no page index")?;
        let locations = index[group][at].page_locations().iter();
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(locations
            .map(|page| (number(page.first_row_index) as usize, number(page.offset), number(page.compressed_page_size.into())))
            .collect())
    }

    /// Bytes of some pages and, if there are any, of what lies before the first: the dictionary.
    fn pages(&self, group: usize, at: usize, pages: &BTreeSet<usize>) -> Result<u64> {
        let locations = self.locations(group, at)?;
        let start = self.metadata.metadata().row_group(group).column(at).byte_range().0;
        let Some((_, first, _)) = locations.first().filter(|_| !pages.is_empty()) else { return Ok(0) };
        Ok(first - start + pages.iter().map(|page| locations[*page].2).sum::<u64>())
    }

    /// The pages of the predicate's column that the page index leaves.
    fn pages_left(&self, group: usize, at: usize, predicate: &Predicate) -> Result<BTreeSet<usize>> {
        let pages = self.locations(group, at)?.len();
        let index = self.metadata.metadata().column_index().ok_or("a file has no page index")?;
        let bounds = |page: usize| match &index[group][at] {
            ColumnIndexMetaData::INT32(index) => Some((i64::from(*index.min_value(page)?), i64::from(*index.max_value(page)?))),
            ColumnIndexMetaData::INT64(index) => Some((*index.min_value(page)?, *index.max_value(page)?)),
            _ => None,
        };
        Ok((0..pages).filter(|page| bounds(*page).is_none_or(|bounds| predicate.may_hold(bounds))).collect())
    }

    /// The pages of a column that hold some of these rows.
    fn pages_with(&self, group: usize, at: usize, rows: &[usize]) -> Result<BTreeSet<usize>> {
        let locations = self.locations(group, at)?;
        Ok(rows.iter().map(|row| locations.partition_point(|(first, ..)| first <= row) - 1).collect())
    }

    /// The rows of a row group that satisfy a predicate, found by reading its column.
    fn rows(&self, group: usize, predicate: &Predicate) -> Result<Vec<usize>> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(&self.path)?, self.metadata.clone());
        let mask = ProjectionMask::columns(builder.parquet_schema(), [predicate.column]);
        let (mut rows, mut at) = (Vec::new(), 0);
        for batch in builder.with_row_groups(vec![group]).with_projection(mask).build()? {
            let batch = batch?;
            for value in integers(&batch)? {
                if predicate.may_hold((value, value)) {
                    rows.push(at);
                }
                at += 1;
            }
        }
        Ok(rows)
    }
}

impl Predicate {
    /// Whether a value between the bounds can satisfy it.
    fn may_hold(&self, (min, max): (i64, i64)) -> bool {
        min <= self.high && max >= self.low
    }
}

fn column(row_group: &RowGroupMetaData, name: &str) -> Result<usize> {
    let at = row_group.columns().iter().position(|column| column.column_path().string() == name);
    at.ok_or_else(|| format!("a file has no column \"{name}\"").into())
}

fn columns(row_group: &RowGroupMetaData, needs: &Needs) -> Result<Vec<usize>> {
    match needs.columns {
        [] => Ok((0..row_group.num_columns()).collect()),
        names => names.iter().map(|name| column(row_group, name)).collect(),
    }
}

fn bounds(statistics: &Statistics) -> Option<(i64, i64)> {
    match statistics {
        Statistics::Int32(values) => Some((i64::from(*values.min_opt()?), i64::from(*values.max_opt()?))),
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}

/// The values of a batch's only column, as Parquet keeps them.
fn integers(batch: &RecordBatch) -> Result<Vec<i64>> {
    let column = batch.column(0);
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().values().to_vec(),
        DataType::Date32 => column.as_primitive::<Date32Type>().values().iter().map(|day| i64::from(*day)).collect(),
        DataType::Decimal128(..) => {
            let values = column.as_primitive::<Decimal128Type>().values().iter();
            values.map(|value| i64::try_from(*value)).collect::<std::result::Result<_, _>>()?
        }
        other => return Err(format!("no predicate is on a column of {other}").into()),
    })
}

/// The bytes that a `Range` header asks for.
fn parse_range(header: &str, size: u64) -> Option<Range<u64>> {
    match header.strip_prefix("bytes=")?.split_once('-')? {
        ("", suffix) => Some(size.saturating_sub(suffix.parse().ok()?)..size),
        (start, "") => Some(start.parse().ok()?..size),
        (start, end) => Some(start.parse().ok()?..end.parse::<u64>().ok()?.saturating_add(1).min(size)),
    }
}
