//! The tables that the server is asked for, in a folder that goes with the bench.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::SchemaRef,
};
use glaux_tests::{
    instance::Instance,
    lake::{Lake, WriteOptions},
};

use super::Result;

/// Partitions of the table of points.
pub(super) const PARTITIONS: i64 = 100;

/// Rows a partition.
const POINTS: i64 = 1_000;

/// Partitions of `many`, of a million rows each.
const SAME_FILE: usize = 2_000;

/// Rows a file of the large table.
const FILE_ROWS: usize = 1_000_000;

/// A lake and a data directory without tables.
pub(super) async fn empty() -> Instance {
    Instance::start(Lake::in_folder()).await
}

fn write(instance: &Instance, path: &str, columns: Vec<(&str, ArrayRef)>) -> Result<SchemaRef> {
    let batch = RecordBatch::try_from_iter(columns)?;
    let options: WriteOptions = "codec=snappy".parse()?;
    instance.lake.write(path, &batch.schema(), std::slice::from_ref(&batch), &options)?;
    Ok(batch.schema())
}

/// `points`: small partitions `d` of one file each.
pub(super) async fn points(instance: &Instance) -> Result<()> {
    for partition in 0..PARTITIONS {
        let n = Int64Array::from_iter_values(0..POINTS);
        let s = StringArray::from_iter_values((0..POINTS).map(|n| format!("point {n} of {partition}")));
        write(instance, &format!("points/d={partition}/a.parquet"), vec![("n", Arc::new(n) as ArrayRef), ("s", Arc::new(s))])?;
    }
    let columns = "(n BIGINT, s STRING) PARTITIONED BY (d INT)";
    instance.run(&format!("CREATE EXTERNAL TABLE points {columns} STORED AS PARQUET LOCATION '{{lake}}/points/'")).await;
    instance.run("MSCK REPAIR TABLE points").await;
    Ok(())
}

/// A query for one row of `points`.
pub(super) fn point(at: usize) -> String {
    format!("SELECT s FROM points WHERE d = {} AND n = {}", at as i64 % PARTITIONS, at as i64 * 7 % POINTS)
}

/// `events`: so many rows of four numbers and two strings.
pub(super) async fn events(instance: &Instance, rows: usize) -> Result<()> {
    for (file, start) in (0..rows).step_by(FILE_ROWS).enumerate() {
        let at = || (start..rows.min(start + FILE_ROWS)).map(|at| at as i64);
        // Scattered and the same in every run.
        let mixed = |at: i64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()) >> 20;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(at()))),
            ("amount", Arc::new(Int64Array::from_iter_values(at().map(mixed)))),
            ("kind", Arc::new(Int32Array::from_iter_values(at().map(|at| (mixed(at) % 1_000) as i32)))),
            ("price", Arc::new(Float64Array::from_iter_values(at().map(|at| (mixed(at) % 1_000_000) as f64 / 100.0)))),
            (
                "city",
                Arc::new(StringArray::from_iter_values(at().map(|at| format!("city number {}", mixed(at).rem_euclid(5_000))))),
            ),
            ("note", Arc::new(StringArray::from_iter_values(at().map(|at| format!("{:016x}", mixed(at)))))),
        ];
        write(instance, &format!("events/{file}.parquet"), columns)?;
    }
    let columns = "(id BIGINT, amount BIGINT, kind INT, price DOUBLE, city STRING, note STRING)";
    instance.run(&format!("CREATE EXTERNAL TABLE events {columns} STORED AS PARQUET LOCATION '{{lake}}/events/'")).await;
    Ok(())
}

/// A query for all of `events`.
pub(super) const EVENTS: &str = "SELECT id, amount, kind, price, city, note FROM events";

/// `numbers`: as many rows as make a query over all their pairs endless; and `many`, with partitions that are all the same file, so that a
/// plain scan is long.
pub(super) async fn numbers(instance: &Instance) -> Result<()> {
    let n = Int64Array::from_iter_values(0..1_000_000);
    write(instance, "numbers/a.parquet", vec![("n", Arc::new(n) as ArrayRef)])?;
    instance.run("CREATE EXTERNAL TABLE numbers (n BIGINT) STORED AS PARQUET LOCATION '{lake}/numbers/'").await;
    instance.run("CREATE EXTERNAL TABLE many (n BIGINT) PARTITIONED BY (d INT) STORED AS PARQUET LOCATION '{lake}/many/'").await;
    let partitions: Vec<_> = (0..SAME_FILE).map(|d| format!("PARTITION (d = {d}) LOCATION '{{lake}}/numbers/'")).collect();
    instance.run(&format!("ALTER TABLE many ADD {}", partitions.join(" "))).await;
    Ok(())
}

/// A query that reads for long and gives one row.
pub(super) const SCANS: &str = "SELECT sum(n * d % 7) AS total FROM many";

/// A query that gives one row from pairs without end, which it makes of few that it reads.
pub(super) const JOINS: &str = "SELECT sum(a.n * b.n % 7) AS total FROM numbers a CROSS JOIN numbers b";

/// A query whose rows do not end.
pub(super) const STREAMS: &str = "SELECT a.n AS a, b.n AS b FROM numbers a CROSS JOIN numbers b";
