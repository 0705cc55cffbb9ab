//! A random table: its rows, and how they are laid out in files.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
        StructArray, TimestampMicrosecondArray,
    },
    buffer::NullBuffer,
    datatypes::{DataType, Field, Fields, Schema},
};
use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::Failed;

use super::Chance;

/// The days and hours of rows begin here: 2024-01-01.
const FIRST_DAY: i32 = 19_723;

pub(super) const COLUMNS: &str = "id BIGINT, n BIGINT, k INT, x DOUBLE, s STRING, d DATE, m DECIMAL(12,2), ts TIMESTAMP, b BOOLEAN, \
                                  p STRUCT<city:STRING, zip:BIGINT>, f STRING";

/// How a file is written, and which of the rows it holds.
#[derive(Debug)]
struct File {
    name: String,
    rows: std::ops::Range<i64>,
    options: String,
    /// Its schema is an older one: `n` is an INT, and there is no `k`.
    is_old: bool,
    /// How its footer is changed afterwards, by a writer who says less, or says what is known not to be so.
    footer: &'static str,
}

/// Footers of other writers: see [`glaux_tests::footer`].
const FOOTERS: [&str; 16] = [
    "",
    "",
    "",
    "",
    "nulls=*:none",
    "nulls=*:none pages=none",
    "by=parquet-cpp-arrow_version_4.0.1 nulls=*:0",
    "by=parquet-cpp_version_1.5.1-SNAPSHOT nulls=*:0 pages=none",
    "min=x:nan max=x:nan",
    "max=x:nan pages=none nulls=*:none",
    "by=parquet-mr_version_1.7.0 min=s:m max=s:m bounds=s:old pages=none",
    "by=parquet-mr_version_1.9.1 min=s:b max=s:c pages=none",
    "orders=none min=s:b max=s:c pages=none",
    "min=n:900 max=n:-5 min=d:20000 max=d:19000 nulls=k:1000000",
    "bounds=*:old exact=*:none total=0",
    "by= orders=none total=1",
];

#[derive(Debug)]
pub(super) struct Layout {
    seed: i64,
    files: Vec<File>,
    /// Long values in `f`, so that reading the filter's columns first pays.
    is_fat: bool,
    /// Whether no column but `id` follows the order of the rows.
    is_shuffled: bool,
}

pub(super) const DOUBLES: [f64; 10] = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 0.25, 7.0, 1e300, f64::INFINITY, f64::NAN, -f64::NAN];

impl Layout {
    pub(super) fn by(chance: &mut Chance) -> Self {
        let is_fat = chance.one_in(3);
        let mut files = Vec::new();
        let mut start = 0;
        for _ in 0..=chance.below(5) {
            let rows = i64::try_from(if is_fat { 500 + chance.below(3_000) } else { 1 + chance.below(800) }).unwrap_or(1);
            let options = format!(
                "codec={} group={} page={} bloom={} dictionary={} statistics={}",
                chance.of(&["none", "snappy", "zstd"]),
                chance.of(&[37, 100, 333, 5_000]),
                chance.of(&[10, 50, 1_000]),
                chance.one_in(2),
                chance.one_in(2),
                chance.of(&["none", "chunk", "page", "page"]),
            );
            let name = format!("{:08x}.parquet", chance.next() as u32);
            let footer = *chance.of(&FOOTERS);
            files.push(File { name, rows: start..start + rows, options, is_old: chance.one_in(4), footer });
            start += rows;
        }
        Self { seed: chance.0, files, is_fat, is_shuffled: chance.one_in(3) }
    }

    pub(super) fn is_fat(&self) -> bool {
        self.is_fat
    }

    /// Writes `t` as it is laid out, and `whole`; tells the number of rows.
    pub(super) fn write(&self, lake: &Lake) -> Result<i64, Failed> {
        let mut batches = Vec::new();
        for file in &self.files {
            let batch = self.rows(file);
            let options = file.options.parse()?;
            let written = if file.is_old { older(&batch)? } else { batch.clone() };
            let path = format!("t/{}", file.name);
            lake.write(&path, &written.schema(), std::slice::from_ref(&written), &options)?;
            lake.edit_footer(&path, file.footer)?;
            batches.push(batch);
        }
        let schema = batches.first().ok_or("no files")?.schema();
        lake.write("whole/a.parquet", &schema, &batches, &"statistics=none dictionary=false".parse()?)?;
        Ok(batches.iter().map(|batch| batch.num_rows() as i64).sum())
    }

    pub(super) async fn define(&self, instance: &Instance) {
        for table in ["t", "whole"] {
            let location = format!("STORED AS PARQUET LOCATION '{{lake}}/{table}/'");
            instance.run(&format!("CREATE EXTERNAL TABLE {table} ({COLUMNS}) {location}")).await;
        }
    }

    fn rows(&self, file: &File) -> RecordBatch {
        let ids = || file.rows.clone();
        let mut chance = Chance(self.seed.wrapping_add(file.rows.start).wrapping_mul(31));
        let total = self.files.last().map_or(1, |file| file.rows.end).max(1) as u64;
        // Where a row stands in the order that the other columns follow.
        let place: Vec<i64> = ids().map(|id| if self.is_shuffled { chance.below(total) as i64 } else { id }).collect();
        let nulls = *chance.of(&[2, 10, 1_000_000]);
        // Now and then a stretch of nothing but NULL.
        let empty_from = chance.below(total) as i64;
        let is_null: Vec<[bool; 8]> = ids()
            .map(|id| {
                let is_empty = (empty_from..empty_from + 120).contains(&id);
                std::array::from_fn(|column| (is_empty && column % 2 == 0) || chance.one_in(nulls))
            })
            .collect();
        let value = |column: usize, row: usize| !is_null[row][column];
        let rows = place.len();
        let n = (0..rows).map(|row| value(0, row).then(|| place[row] / 10 + chance.below(3) as i64)).collect::<Int64Array>();
        let k = (0..rows).map(|row| (!file.is_old && value(1, row)).then(|| chance.below(5) as i32)).collect::<Int32Array>();
        let x = (0..rows).map(|row| {
            let special = chance.one_in(6).then(|| *chance.of(&DOUBLES));
            value(2, row).then(|| special.unwrap_or(place[row] as f64 / 8.0))
        });
        let x = x.collect::<Float64Array>();
        let s = (0..rows).map(|row| value(3, row).then(|| word(&mut chance, place[row]))).collect::<StringArray>();
        let d = (0..rows).map(|row| value(4, row).then(|| FIRST_DAY + (place[row] / 5) as i32)).collect::<Date32Array>();
        let m = (0..rows).map(|row| value(5, row).then(|| i128::from(chance.below(100_000)) - 50_000 + i128::from(place[row])));
        let m = m.collect::<Decimal128Array>().with_precision_and_scale(12, 2).expect("it fits");
        let ts = (0..rows).map(|row| value(6, row).then(|| (i64::from(FIRST_DAY) * 24 + place[row]) * 3_600_000_000));
        let ts = ts.collect::<TimestampMicrosecondArray>();
        let b = (0..rows).map(|row| value(7, row).then(|| chance.one_in(2))).collect::<BooleanArray>();
        let city = (0..rows).map(|row| value(0, row).then(|| chance.of(&["Ulm", "Bern", "Graz", ""]).to_string()));
        let city = city.collect::<StringArray>();
        let zip = (0..rows).map(|row| value(3, row).then(|| place[row] % 97)).collect::<Int64Array>();
        let fields = Fields::from(vec![Field::new("city", DataType::Utf8, true), Field::new("zip", DataType::Int64, true)]);
        let present = NullBuffer::from((0..rows).map(|row| value(5, row)).collect::<Vec<_>>());
        let p = StructArray::new(fields, vec![Arc::new(city), Arc::new(zip)], Some(present));
        let length = if self.is_fat { 12 } else { 0 };
        let fat = (0..rows).map(|_| (0..length).map(|_| format!("{:016x}", chance.next())).collect::<String>());
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(ids()))),
            ("n", Arc::new(n)),
            ("k", Arc::new(k)),
            ("x", Arc::new(x)),
            ("s", Arc::new(s)),
            ("d", Arc::new(d)),
            ("m", Arc::new(m)),
            ("ts", Arc::new(ts)),
            ("b", Arc::new(b)),
            ("p", Arc::new(p)),
            ("f", Arc::new(StringArray::from_iter_values(fat))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .expect("the columns fit")
    }
}

/// Words of few letters, so that they repeat, and long ones that begin alike, so that statistics are cut short.
fn word(chance: &mut Chance, place: i64) -> String {
    match chance.below(4) {
        0 => String::new(),
        1 => format!("{}{}", "long".repeat(20), chance.below(30)),
        2 => format!("w{:04}", place / 7),
        _ => chance.of(&["a", "b", "ab", "Zug", "é", "~~", "100%"]).to_string(),
    }
}

/// The same rows in the schema that files had before.
fn older(batch: &RecordBatch) -> Result<RecordBatch, Failed> {
    let mut columns = Vec::new();
    let mut fields = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        match field.name().as_str() {
            "k" => {}
            "n" => {
                fields.push(Field::new("n", DataType::Int32, true));
                columns.push(arrow::compute::cast(column, &DataType::Int32)?);
            }
            _ => {
                fields.push(field.as_ref().clone());
                columns.push(Arc::clone(column));
            }
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}
