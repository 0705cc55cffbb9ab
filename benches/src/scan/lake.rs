//! The lake of the scan's benches, made once and kept in a folder: TPC-H's lineitem as 84 monthly files and as one, and many small files.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array},
    compute::{DatePart, date_part, take_record_batch},
    datatypes::{Decimal128Type, Int32Type, Int64Type, SchemaRef},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use tpchgen::generators::LineItemGenerator;
use tpchgen_arrow::{LineItemArrow, RecordBatchIterator};

use super::query::Facts;
use crate::Result;

/// Raised when what is written changes, so that lakes of earlier versions are made anew.
const LAYOUT: u32 = 1;

const FIRST_YEAR: i32 = 1992;
const MONTHS: usize = 84;

/// Rows a row group: of a monthly file, and of the one file.
const LI_GROUP: usize = 30_000;
const BIG_GROUP: usize = 113_250;

/// Rows a small file, for about 16 KB.
const SMALL_ROWS: usize = 440;

/// Rows generated at once, and batches on their way to the writer of the one file.
const BATCH_ROWS: usize = 64 << 10;
const BATCHES: usize = 4;

/// Lineitems at scale 1.
const ROWS: f64 = 6_000_000.0;

/// Where the tables lie, one folder each.
#[derive(Debug)]
pub(super) struct Lake {
    pub(super) lineitem: PathBuf,
    pub(super) small: PathBuf,
    pub(super) facts: Facts,
}

impl Lake {
    /// Finds the lake below a folder, or makes what is missing of it.
    pub(super) fn find_or_make(folder: &Path, scale: f64, small_files: usize) -> Result<Self> {
        let lineitem = folder.join(format!("lineitem-{LAYOUT}-{scale}"));
        let small = folder.join(format!("small-{LAYOUT}-{SMALL_ROWS}-{small_files}"));
        if !lineitem.exists() {
            made_whole(&lineitem, "lineitem as 84 files and as one", |new| write_lineitem(new, scale))?;
        }
        if !small.exists() {
            made_whole(&small, "small files", |new| write_small(new, small_files))?;
        }
        let text = fs::read_to_string(lineitem.join(FACTS))?;
        let numbers: Vec<i64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [order_key, price_24, price_10] = numbers.as_slice() else {
            return Err(format!("\"{}\" is not what this bench wrote: remove it", lineitem.display()).into());
        };
        let facts = Facts { order_key: *order_key, price_24: *price_24, price_10: *price_10 };
        let [lineitem, small] = [fs::canonicalize(lineitem)?, fs::canonicalize(small)?];
        Ok(Self { lineitem, small, facts })
    }
}

/// Where the facts are kept, which no table looks at.
const FACTS: &str = "facts";

/// Makes a folder that appears when all of it is there.
pub(super) fn made_whole(folder: &Path, what: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    eprintln!("writing {what} to {}", folder.display());
    let mut new = folder.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    if new.exists() {
        // What an interrupted run left.
        fs::remove_dir_all(&new)?;
    }
    fs::create_dir_all(&new)?;
    make(&new)?;
    Ok(fs::rename(&new, folder)?)
}

fn create(path: &Path, schema: &SchemaRef, compression: Compression, group: usize) -> Result<ArrowWriter<File>> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let properties = WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(group)).build();
    Ok(ArrowWriter::try_new(File::create(path)?, Arc::clone(schema), Some(properties))?)
}

fn zstd() -> Result<Compression> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(3)?))
}

/// The same rows to the monthly files and to the one file.
fn write_lineitem(folder: &Path, scale: f64) -> Result<()> {
    let rows = LineItemArrow::new(LineItemGenerator::new(scale, 1, 1)).with_batch_size(BATCH_ROWS);
    let schema = Arc::clone(rows.schema());
    let mut big = create(&folder.join("big/part-0.parquet"), &schema, Compression::SNAPPY, BIG_GROUP)?;
    let (sender, batches) = mpsc::sync_channel::<RecordBatch>(BATCHES);
    let writing = thread::spawn(move || -> Result<()> {
        for batch in batches {
            big.write(&batch)?;
        }
        big.close()?;
        Ok(())
    });
    let mut months: Vec<Option<ArrowWriter<File>>> = (0..MONTHS).map(|_| None).collect();
    let mut seen = Seen::default();
    for batch in rows {
        seen.look(&batch, scale)?;
        for (month, rows) in by_month(&batch)? {
            let writer = match &mut months[month] {
                Some(writer) => writer,
                none => {
                    let name = format!("ship_year={}/ship_month={}", FIRST_YEAR + month as i32 / 12, month % 12 + 1);
                    none.insert(create(&folder.join("li").join(name).join("part-0.parquet"), &schema, zstd()?, LI_GROUP)?)
                }
            };
            writer.write(&take_record_batch(&batch, &rows)?)?;
        }
        if sender.send(batch).is_err() {
            break;
        }
    }
    drop(sender);
    for writer in months.into_iter().flatten() {
        writer.close()?;
    }
    writing.join().map_err(|_| "the writer of the one file panicked")??;
    let Facts { order_key, price_24, price_10 } = seen.facts();
    Ok(fs::write(folder.join(FACTS), format!("{order_key} {price_24} {price_10}\n"))?)
}

/// The rows of each month that a batch has rows of.
fn by_month(batch: &RecordBatch) -> Result<Vec<(usize, UInt32Array)>> {
    let date = batch.column_by_name("l_shipdate").ok_or("lineitem has no l_shipdate")?;
    let [years, months] = [DatePart::Year, DatePart::Month].map(|part| date_part(date, part));
    let (years, months) = (years?, months?);
    let (years, months) = (years.as_primitive::<Int32Type>().values(), months.as_primitive::<Int32Type>().values());
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); MONTHS];
    for (row, (year, month)) in (0..).zip(years.iter().zip(months)) {
        let at = usize::try_from((year - FIRST_YEAR) * 12 + month - 1)?;
        rows.get_mut(at).ok_or("a lineitem is shipped outside of the seven years")?.push(row);
    }
    Ok(rows.into_iter().map(UInt32Array::from).enumerate().filter(|(_, rows)| !arrow::array::Array::is_empty(rows)).collect())
}

/// What is found out about the rows as they pass.
#[derive(Debug, Default)]
struct Seen {
    rows: usize,
    order_key: Option<i64>,
    /// The 24 highest prices.
    prices: BinaryHeap<Reverse<i128>>,
}

impl Seen {
    fn look(&mut self, batch: &RecordBatch, scale: f64) -> Result<()> {
        let [keys, prices] = ["l_orderkey", "l_extendedprice"].map(|name| batch.column_by_name(name));
        let keys = keys.ok_or("lineitem has no l_orderkey")?.as_primitive::<Int64Type>();
        self.rows += batch.num_rows();
        if self.order_key.is_none() && self.rows as f64 >= ROWS * scale / 2.0 {
            self.order_key = Some(keys.value(keys.values().len() / 2));
        }
        for price in prices.ok_or("lineitem has no l_extendedprice")?.as_primitive::<Decimal128Type>().values() {
            if self.prices.len() < 24 || self.prices.peek().is_some_and(|Reverse(least)| price > least) {
                self.prices.push(Reverse(*price));
            }
            if self.prices.len() > 24 {
                self.prices.pop();
            }
        }
        Ok(())
    }

    fn facts(self) -> Facts {
        // From the highest down.
        let prices: Vec<i128> = self.prices.into_sorted_vec().into_iter().map(|Reverse(price)| price).collect();
        let price = |rank: usize| prices.get(rank - 1).and_then(|price| i64::try_from(*price).ok()).unwrap_or_default();
        Facts { order_key: self.order_key.unwrap_or(1), price_24: price(24), price_10: price(10) }
    }
}

fn write_small(folder: &Path, files: usize) -> Result<()> {
    // Scattered and the same in every run.
    let mixed = |at: usize| (at as u64 ^ (at as u64) << 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for file in 0..files {
        let rows = || file * SMALL_ROWS..(file + 1) * SMALL_ROWS;
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from_iter_values(rows().map(|row| row as i64))) as ArrayRef),
            ("amount", Arc::new(Int64Array::from_iter_values(rows().map(|row| (mixed(row) >> 20) as i64)))),
            ("note", Arc::new(StringArray::from_iter_values(rows().map(|row| format!("{:016x}", mixed(row + 1)))))),
        ])?;
        let path = folder.join(format!("small/part-{file:05}.parquet"));
        let mut writer = create(&path, &batch.schema(), Compression::SNAPPY, SMALL_ROWS)?;
        writer.write(&batch)?;
        writer.close()?;
    }
    Ok(())
}
