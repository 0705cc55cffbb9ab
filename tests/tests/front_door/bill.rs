//! The bill equals an independent count from the files' footers, whoever wrote them; and what the endpoint's log says.

use std::{fs, path::Path};

use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Each fixture with its table's columns; those that files of several row groups, pages and filters make are among them.
const FIXTURES: [(&str, &str); 6] = [
    (
        "pyarrow",
        "n BIGINT, word STRING, price DECIMAL(10,2), at TIMESTAMP, day DATE, tags ARRAY<STRING>, place STRUCT<city:STRING, \
         zip:BIGINT, geo:STRUCT<lat:DOUBLE, lon:DOUBLE>>, counts MAP<STRING, INT>",
    ),
    (
        "duckdb",
        "n BIGINT, word STRING, price DECIMAL(10,2), day DATE, tags ARRAY<STRING>, place STRUCT<city:STRING, zip:BIGINT, \
         geo:STRUCT<lat:DOUBLE, lon:DOUBLE>>",
    ),
    (
        "spark",
        "n BIGINT, word STRING, price DECIMAL(10,2), at TIMESTAMP, day DATE, tags ARRAY<STRING>, place STRUCT<city:STRING, zip:BIGINT>",
    ),
    (
        "spark_legacy",
        "n BIGINT, word STRING, price DECIMAL(10,2), at TIMESTAMP, day DATE, tags ARRAY<STRING>, place STRUCT<city:STRING, zip:BIGINT>",
    ),
    ("int96", "n BIGINT, at TIMESTAMP"),
    ("mixed_case", "n BIGINT, word STRING, place STRUCT<city:STRING, zip:BIGINT, geo:STRUCT<lat:DOUBLE, lon:DOUBLE>>"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = FIXTURES
        .iter()
        .map(|(fixture, columns)| {
            Trial::test(format!("bill/equals_the_footers_of_{fixture}"), move || {
                crate::block_on(equals_the_footers(fixture, columns))
            })
        })
        .collect();
    trials.push(Trial::test("bill/equals_the_endpoints_log", || crate::block_on(equals_the_endpoints_log())));
    trials
}

/// The compressed bytes of the leaves whose path has that beginning, by the footer alone.
fn from_footer(file: &Path, path: &str) -> Result<u64, Failed> {
    let reader = SerializedFileReader::new(fs::File::open(file)?)?;
    let mut bytes = 0;
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let leaf = column.column_path().string().to_lowercase();
            if leaf == path || leaf.starts_with(&format!("{path}.")) {
                bytes += u64::try_from(column.compressed_size())?;
            }
        }
    }
    Ok(bytes)
}

async fn equals_the_footers(fixture: &str, columns: &str) -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{fixture}.parquet"));
    instance.lake.put("t/a.parquet", fs::read(&file)?);
    instance.run(&format!("CREATE EXTERNAL TABLE t ({columns}) STORED AS PARQUET LOCATION '{{lake}}/t/'")).await;
    let mut paths = vec![("n", "n")];
    for (select, path) in [
        ("word", "word"),
        ("price", "price"),
        ("at", "at"),
        ("day", "day"),
        ("tags", "tags"),
        ("place", "place"),
        ("place.zip", "place.zip"),
        ("place.geo.lon", "place.geo.lon"),
        ("counts", "counts"),
    ] {
        let is_column = columns.starts_with(&format!("{path} ")) || columns.contains(&format!(", {path} "));
        let is_field = path.rsplit_once('.').is_some_and(|(_, field)| columns.contains(&format!("{field}:")));
        if is_column || is_field {
            paths.push((select, path));
        }
    }
    for (select, path) in paths {
        let outcome = instance.run(&format!("SELECT {select} AS c FROM t")).await;
        let (counted, expected) = (outcome.report.usage.data_scanned_bytes, from_footer(&file, path)?);
        if counted != expected || expected == 0 {
            return Err(format!("SELECT {select}: counted {counted}, the footer says {expected}").into());
        }
        if outcome.report.usage.rows != 1000 {
            return Err(format!("SELECT {select} gave {} rows", outcome.report.usage.rows).into());
        }
    }
    Ok(())
}

async fn equals_the_endpoints_log() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pyarrow.parquet");
    for partition in 0..20 {
        instance.lake.put(&format!("t/p={partition}/a.parquet"), fs::read(&file)?);
    }
    instance
        .run("CREATE EXTERNAL TABLE t (n BIGINT, word STRING, day DATE) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'")
        .await;
    let Lake::S3(endpoint) = &instance.lake else { return Err("the lake is on S3".into()) };
    for sql in [
        "MSCK REPAIR TABLE t",
        "SELECT sum(n) AS total FROM t",
        "SELECT word FROM t WHERE p < 7 AND n = 321",
        "SELECT count(*) AS rows FROM t WHERE p IN (3, 5)",
        "SELECT a.n FROM t a JOIN t b ON a.n = b.n WHERE a.p = 1 AND b.p = 2 AND a.day = DATE '2024-02-01'",
        "SELECT n, word FROM t ORDER BY n DESC LIMIT 3",
    ] {
        drop(endpoint.take_log());
        let usage = instance.run(sql).await.report.usage;
        let log = endpoint.take_log();
        let gets: Vec<_> = log.iter().filter(|request| request.method == "GET" && request.prefix.is_none()).collect();
        let bytes: u64 = gets.iter().map(|request| request.bytes_sent).sum();
        let lists = log.iter().filter(|request| request.prefix.is_some()).count() as u64;
        let counted = (usage.fetched_bytes, usage.requests.get, usage.requests.list, usage.requests.total());
        let logged = (bytes, gets.len() as u64, lists, log.len() as u64);
        if counted != logged {
            return Err(format!("{sql}: counted {counted:?}, the log says {logged:?}").into());
        }
    }
    Ok(())
}
