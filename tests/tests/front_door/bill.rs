//! The bill equals an independent count from the files' footers, whoever wrote them; and what the endpoint's log says, part by part.

use std::{fs, path::Path};

use futures::TryStreamExt;
use glaux_engine::accounting::{RequestKind, Requests, Usd};
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
    trials.push(Trial::test("bill/stores_and_tables_sum_to_the_query", || crate::block_on(stores_and_tables_sum_to_the_query())));
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

/// A table on S3 and one on this machine, billed with S3's prices.
async fn stores_and_tables_sum_to_the_query() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let here = format!("file://{}", folder.path().display());
    let instance = Instance::start_with(Lake::on_s3().await, |options| {
        "athena+s3".clone_into(&mut options.tariff);
        options.locations.allowed.push(here.clone());
    })
    .await;
    let file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pyarrow.parquet"))?;
    for partition in 0..5 {
        instance.lake.put(&format!("t/p={partition}/a.parquet"), file.clone());
    }
    fs::create_dir(folder.path().join("u"))?;
    fs::write(folder.path().join("u/a.parquet"), &file)?;
    let table = |name: &str, keys: &str, root: &str| {
        let columns = "n BIGINT, word STRING, day DATE";
        format!("CREATE EXTERNAL TABLE {name} ({columns}) {keys} STORED AS PARQUET LOCATION '{root}/{name}/'")
    };
    instance.run(&table("t", "PARTITIONED BY (p INT)", "{lake}")).await;
    instance.run(&table("u", "", &here)).await;
    instance.run("MSCK REPAIR TABLE t").await;
    let Lake::S3(endpoint) = &instance.lake else { return Err("the lake is on S3".into()) };
    // Each table with whether it has partition keys, and whether every scan of it is filtered by one.
    for (sql, tables) in [
        ("SELECT sum(n) AS s FROM t", [("default.t", true, false)].as_slice()),
        ("SELECT word FROM t WHERE p < 2 AND n = 321", &[("default.t", true, true)]),
        (
            "SELECT count(*) AS c FROM t JOIN u ON t.n = u.n WHERE t.p = 1",
            &[("default.t", true, true), ("default.u", false, false)],
        ),
        ("SELECT count(*) AS c FROM t a JOIN t b ON a.n = b.n WHERE a.p = 1", &[("default.t", true, false)]),
    ] {
        drop(endpoint.take_log());
        let mut query = instance.engine.submit(&instance.session, sql).await.map_err(|failure| failure.error)?;
        while query.try_next().await?.is_some() {}
        let (report, detail, log) = (query.report(), query.detail(), endpoint.take_log());
        let usage = report.usage;
        assert_eq!(detail.total, usage, "{sql}");
        let requests = detail.stores.iter().fold(Requests::default(), |sum, store| sum + store.requests);
        let fetched: u64 = detail.stores.iter().map(|store| store.fetched_bytes).sum();
        assert_eq!((requests, fetched), (usage.requests, usage.fetched_bytes), "{sql}");
        let scanned: u64 = detail.tables.iter().map(|table| table.data_scanned_bytes).sum();
        let metadata: u64 = detail.tables.iter().map(|table| table.metadata_bytes).sum();
        assert_eq!((scanned, metadata), (usage.data_scanned_bytes, usage.metadata_bytes), "{sql}");
        let names: Vec<String> = detail.tables.iter().map(|table| table.table.to_string()).collect();
        let found = names.iter().zip(&detail.tables);
        let found = found.map(|(name, table)| (name.as_str(), table.has_partition_keys, table.is_partition_filtered));
        assert_eq!(found.collect::<Vec<_>>(), tables, "{sql}");

        let on_s3 = detail.stores.iter().find(|store| store.store == "s3://lake").ok_or("nothing was asked of S3")?;
        let count = |kind| log.iter().filter(|request| request.kind == kind).count() as u64;
        let (reads, lists) = (count(RequestKind::Get) + count(RequestKind::Head), count(RequestKind::List));
        let sent: u64 = log.iter().filter(|request| request.kind == RequestKind::Get).map(|request| request.bytes_sent).sum();
        let Requests { get, head, list, .. } = on_s3.requests;
        assert_eq!((get + head, list, on_s3.requests.total()), (reads, lists, log.len() as u64), "{sql}");
        assert_eq!(on_s3.fetched_bytes, sent, "{sql}");
        // 0.0004 USD and 0.005 USD for 1,000 of them; what is read on this machine is free.
        let price = u128::from(reads) * 400_000_000_000 + u128::from(lists) * 5_000_000_000_000;
        assert_eq!((report.bill.requests, report.bill.transfer), (Usd::from_atto(price), Usd::ZERO), "{sql}");
        assert_eq!((report.bill.billed_bytes, report.bill.scan.to_string()), (10_000_000, "0.00005".to_owned()), "{sql}");
    }
    let Err(failure) = instance.try_run("SELECT n / (n - n) AS x FROM t").await else { return Err("it fails".into()) };
    assert!(failure.report.usage.requests.total() > 0);
    assert!(failure.report.bill.total().is_zero(), "of a query that fails everything is free");
    Ok(())
}
