//! Rows in, files and definitions out, in local folders: all of them, or none.

mod conversion;
mod managed;
mod text;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array},
    datatypes::{DataType, Schema, TimeUnit},
    util::pretty::pretty_format_batches,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use glaux_catalog::TableName;
use parquet::{arrow::arrow_reader::ParquetRecordBatchReaderBuilder, basic::Type as PhysicalType};
use tempfile::TempDir;

use super::*;
use crate::{
    Engine, EngineOptions, Error, ErrorKind, Session, SessionOptions,
    error::Result,
    lifecycle::{Failure, QueryState},
    sql::StatementKind,
};

struct Lake {
    engine: Engine,
    session: Session,
    folder: TempDir,
}

impl Lake {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = EngineOptions { data_dir: folder.path().join("data"), ..EngineOptions::default() };
        let engine = Engine::open(options).await.unwrap();
        Self { engine, session: Session::new(SessionOptions::default()), folder }
    }

    /// Lines of the result, `|` between the values.
    async fn sql(&self, sql: &str) -> Vec<String> {
        let query = self.engine.submit(&self.session, &sql.replace("{lake}", &self.url(""))).await;
        let batches: Vec<_> = query.unwrap().try_collect().await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let rows = table.lines().skip(3).filter(|line| !line.starts_with('+'));
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
    }

    fn url(&self, below: &str) -> String {
        format!("{}/{below}", self.folder.path().join("lake").display())
    }

    async fn ingest(&self, target: IngestTarget, batches: Vec<RecordBatch>) -> Result<IngestSummary, Failure> {
        self.engine.ingest(&self.session, target, stream::iter(batches.into_iter().map(Ok))).await
    }

    /// All files of the lake and the warehouse by their paths below the folder, hidden ones too.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut waiting: Vec<PathBuf> = vec![self.folder.path().join("lake"), self.folder.path().join("data/warehouse")];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                } else {
                    files.push(path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    async fn exists(&self, table: &str) -> bool {
        self.engine.metastore().table(&TableName::new("default", table)).await.is_ok()
    }
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap()
}

fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn texts<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn target(table: &str, schema: &Schema, if_not_exists: IfNotExists, if_exists: IfExists) -> IngestTarget {
    IngestTarget {
        database: None,
        table: table.to_owned(),
        if_not_exists,
        if_exists,
        location: None,
        partitioned_by: Vec::new(),
        schema: Arc::new(schema.clone()),
    }
}

fn create(table: &str, rows: &RecordBatch) -> IngestTarget {
    target(table, &rows.schema(), IfNotExists::Create, IfExists::Fail)
}

fn append(table: &str, rows: &RecordBatch) -> IngestTarget {
    target(table, &rows.schema(), IfNotExists::Fail, IfExists::Append)
}

/// An error that names something.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Failure>, kind: ErrorKind, names: &str) {
    let failure = outcome.unwrap_err();
    assert_eq!(failure.error.kind(), kind, "{:?}", failure.error);
    assert!(format!("{:?}", failure.error).contains(names), "{:?} does not name {names}", failure.error);
    assert!(failure.error.hint().is_some() || kind == ErrorKind::Internal, "{:?}", failure.error);
    assert_eq!((failure.report.state, failure.report.bill.billed_bytes), (QueryState::Failed, 0));
}

#[tokio::test]
async fn a_table_is_created_from_its_rows() {
    let lake = Lake::open().await;
    let rows = batch([
        ("Id", integers([1, 2])),
        ("big", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_123_000, -1_000]))),
        ("name", texts([Some("é"), None])),
    ]);
    let summary = lake.ingest(create("Events", &rows), vec![rows.clone(), rows.slice(0, 0), rows.slice(1, 1)]).await.unwrap();
    assert_eq!((summary.rows, summary.files), (3, 1));
    let id = summary.report.query_id;
    let file = format!("data/warehouse/default/events-{id}/{id}-00000.parquet");
    assert_eq!(lake.files(), [file.as_str()]);
    let path = lake.folder.path().join(&file);
    assert_eq!(fs::metadata(&path).unwrap().len(), summary.bytes);
    assert_eq!(
        lake.sql("SELECT * FROM events ORDER BY id, name").await,
        ["1|18446744073709551615|2023-11-14T22:13:20.123|é", "2||1969-12-31T23:59:59.999|", "2||1969-12-31T23:59:59.999|"]
    );
    assert_eq!(lake.sql("SHOW COLUMNS IN events").await, ["id", "big", "at", "name"]);
    assert!(lake.sql("SHOW CREATE TABLE events").await.join("\n").contains("decimal(20,0)"));

    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert!(metadata.key_value_metadata().is_none(), "the schema in Arrow's words is not written");
    let at = metadata.schema_descr().column(2);
    assert_eq!(at.physical_type(), PhysicalType::INT64);
    let logical = format!("{:?}", at.logical_type_ref());
    assert!(logical.contains("MICROS") && logical.contains("false"), "{logical}");
    let group = reader.metadata().row_group(0);
    let has_pages = group.columns().iter().all(|c| c.column_index_offset().is_some() && c.offset_index_offset().is_some());
    assert!(has_pages, "the page index is written");
    assert!(format!("{:?}", group.column(0).compression()).starts_with("ZSTD"));
}

#[tokio::test]
async fn it_is_a_query_like_others_and_free() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1]))]);
    let summary = lake.ingest(create("t", &rows), vec![rows.clone()]).await.unwrap();
    let usage = summary.report.usage;
    assert_eq!((summary.report.state, summary.report.bill.billed_bytes, usage.rows), (QueryState::Succeeded, 0, 1));
    assert!(usage.requests.put > 0);
    assert_eq!(usage.data_scanned_bytes, 0);
    let record = lake.engine.history().get(summary.report.query_id).await.unwrap();
    assert_eq!((record.statement.as_str(), record.statement_type), ("INGEST INTO default.t", Some(StatementKind::Dml)));
    assert_eq!((record.user.as_str(), record.state), ("glaux", QueryState::Succeeded));

    refused(lake.ingest(create("t", &rows), vec![rows.clone()]).await, ErrorKind::AlreadyExists, "default.t");
    let nothing = lake.ingest(append("t", &rows), Vec::new()).await.unwrap();
    assert_eq!((nothing.rows, nothing.files, lake.files().len()), (0, 0, 1));
}

#[tokio::test]
async fn columns_are_matched_by_name_and_types_by_value() {
    let lake = Lake::open().await;
    lake.sql("CREATE EXTERNAL TABLE t (id INT, name VARCHAR(3), score DOUBLE, day DATE) STORED AS PARQUET LOCATION '{lake}t/'")
        .await;
    let rows = batch([("SCORE", Arc::new(Int32Array::from(vec![7, 8])) as ArrayRef), ("Id", integers([1, 2]))]);
    assert_eq!(lake.ingest(append("t", &rows), vec![rows.clone()]).await.unwrap().rows, 2);
    assert_eq!(lake.sql("SELECT * FROM t ORDER BY id").await, ["1||7.0|", "2||8.0|"]);
    let before = lake.files();

    let unknown = batch([("id", integers([1])), ("scores", integers([1])), ("Extra", integers([1]))]);
    refused(lake.ingest(append("t", &unknown), vec![unknown.clone()]).await, ErrorKind::Invalid, "\"scores\", \"Extra\"");
    let twice = batch([("id", integers([1])), ("ID", integers([1]))]);
    refused(lake.ingest(append("t", &twice), vec![twice.clone()]).await, ErrorKind::Invalid, "\"id\" and \"ID\"");
    let large = batch([("id", integers([1, 3_000_000_000]))]);
    refused(
        lake.ingest(append("t", &large), vec![large.clone()]).await,
        ErrorKind::Invalid,
        "\"id\" does not fit its type \"int\": 3000000000",
    );
    let long = batch([("name", texts([Some("ééé"), Some("four")]))]);
    refused(lake.ingest(append("t", &long), vec![long.clone()]).await, ErrorKind::Invalid, "\"name\"");
    let other = batch([("id", texts([Some("1")]))]);
    refused(lake.ingest(append("t", &other), vec![other.clone()]).await, ErrorKind::Invalid, "\"id\" is Utf8");
    // Batches are held to the schema that was announced.
    refused(lake.ingest(append("t", &rows), vec![rows.clone(), other]).await, ErrorKind::Invalid, "announced");
    assert_eq!(lake.files(), before);
}

#[tokio::test]
async fn rows_find_their_partitions() {
    let lake = Lake::open().await;
    lake.sql("CREATE EXTERNAL TABLE t (id BIGINT) PARTITIONED BY (day DATE, place STRING) STORED AS PARQUET LOCATION '{lake}t/'")
        .await;
    lake.sql("ALTER TABLE t ADD PARTITION (day = '2024-01-01', place = 'own') LOCATION '{lake}elsewhere/'").await;
    let day = |days: [Option<i32>; 4]| Arc::new(arrow::array::Date32Array::from(days.to_vec())) as ArrayRef;
    let rows = batch([
        ("place", texts([Some("own"), Some("a/b=c%"), None, Some("own")])),
        ("id", integers([1, 2, 3, 4])),
        ("day", day([Some(19_723), Some(19_723), None, Some(19_723)])),
    ]);
    let summary = lake.ingest(append("t", &rows), vec![rows.clone(), rows.clone()]).await.unwrap();
    assert_eq!((summary.rows, summary.files), (8, 3));
    let name = format!("{}-00000.parquet", summary.report.query_id);
    assert_eq!(
        lake.files(),
        [
            format!("lake/elsewhere/{name}"),
            format!("lake/t/day=2024-01-01/place=a%2Fb%3Dc%25/{name}"),
            format!("lake/t/day=__HIVE_DEFAULT_PARTITION__/place=__HIVE_DEFAULT_PARTITION__/{name}"),
        ]
    );
    let counted = lake.sql("SELECT day, place, count(*), sum(id) FROM t GROUP BY 1, 2 ORDER BY 4").await;
    assert_eq!(counted, ["2024-01-01|a/b=c%|2|4", "||2|6", "2024-01-01|own|4|10"]);
    assert_eq!(lake.sql("SHOW PARTITIONS t").await.len(), 3);

    // Again: nothing is new to the catalog, and no file replaces another.
    let version = lake.engine.metastore().table(&TableName::new("default", "t")).await.unwrap().version;
    lake.ingest(append("t", &rows), vec![rows.clone()]).await.unwrap();
    assert_eq!(lake.files().len(), 6);
    assert_eq!(lake.engine.metastore().table(&TableName::new("default", "t")).await.unwrap().version, version);
    assert_eq!(lake.sql("SELECT count(*) FROM t").await, ["12"]);

    let empty = batch([("id", integers([1])), ("place", texts([Some("")]))]);
    refused(lake.ingest(append("t", &empty), vec![empty.clone()]).await, ErrorKind::Invalid, "\"place\"");
    assert_eq!(lake.files().len(), 6);
}

#[tokio::test]
async fn a_partitioned_table_is_created_with_its_partitions() {
    let lake = Lake::open().await;
    lake.sql("CREATE DATABASE sales LOCATION '{lake}sales/'").await;
    let rows = batch([("Year", integers([2023, 2024])), ("id", integers([1, 2])), ("month", integers([1, 12]))]);
    let into = IngestTarget {
        database: Some("SALES".to_owned()),
        partitioned_by: vec!["YEAR".to_owned(), "month".to_owned()],
        ..create("orders", &rows)
    };
    let summary = lake.ingest(into.clone(), vec![rows.clone()]).await.unwrap();
    let id = summary.report.query_id;
    let file = |partition: &str| format!("lake/sales/orders-{id}/{partition}/{id}-00000.parquet");
    let expected = [file("year=2023/month=1"), file("year=2024/month=12")];
    assert_eq!(lake.files(), expected);
    assert_eq!(lake.sql("SELECT id, year, month FROM sales.orders WHERE year = 2024").await, ["2|2024|12"]);
    assert_eq!(lake.sql("SELECT count(*) FROM sales.orders").await, ["2"]);

    let appended = IngestTarget { if_exists: IfExists::Append, ..into.clone() };
    assert_eq!(lake.ingest(appended.clone(), vec![rows.clone()]).await.unwrap().rows, 2);
    let other = IngestTarget { partitioned_by: vec!["month".to_owned()], ..appended.clone() };
    refused(lake.ingest(other, vec![rows.clone()]).await, ErrorKind::Invalid, "year, month");
    let moved = IngestTarget { location: Some(lake.url("other/")), ..appended };
    refused(lake.ingest(moved, vec![rows]).await, ErrorKind::Invalid, "sales/orders");
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_a_row_is_asked_for() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1])), ("name", texts([None]))]);
    fs::create_dir_all(lake.url("full/deep")).unwrap();
    fs::write(lake.url("full/deep/x"), "x").unwrap();
    lake.sql("CREATE EXTERNAL TABLE orc (id INT) STORED AS ORC LOCATION '{lake}orc/'").await;
    lake.sql("CREATE EXTERNAL TABLE cut (id INT) CLUSTERED BY (id) INTO 4 BUCKETS STORED AS PARQUET LOCATION '{lake}cut/'").await;
    lake.sql("CREATE EXTERNAL TABLE there (id BIGINT, name STRING) STORED AS PARQUET LOCATION '{lake}there/'").await;
    lake.sql("CREATE VIEW v AS SELECT 1 AS id").await;
    let new = |table: &str| create(table, &rows);
    let by = |keys: &[&str]| IngestTarget { partitioned_by: keys.iter().map(|key| (*key).to_owned()).collect(), ..new("n") };
    let at = |location: &str| IngestTarget { location: Some(location.to_owned()), ..new("n") };
    let into = |database: &str| IngestTarget { database: Some(database.to_owned()), ..new("n") };
    let with = |columns: [(&str, DataType); 2]| {
        let fields = columns.map(|(name, data_type)| arrow::datatypes::Field::new(name, data_type, true));
        target("n", &Schema::new(fields.to_vec()), IfNotExists::Create, IfExists::Fail)
    };
    let replace = target("there", &rows.schema(), IfNotExists::Create, IfExists::Replace);
    for (target, kind, names) in [
        (target("n", &rows.schema(), IfNotExists::Unspecified, IfExists::Append), ErrorKind::Invalid, "default.n"),
        (target("n", &rows.schema(), IfNotExists::Create, IfExists::Unspecified), ErrorKind::Invalid, "default.n"),
        (append("missing", &rows), ErrorKind::NotFound, "missing"),
        (into("nowhere"), ErrorKind::NotFound, "nowhere"),
        (into("information_schema"), ErrorKind::Invalid, "information_schema"),
        (new("there"), ErrorKind::AlreadyExists, "there"),
        (replace, ErrorKind::Unsupported, "DROP TABLE"),
        (append("v", &rows), ErrorKind::Invalid, "view"),
        (append("orc", &rows), ErrorKind::Unsupported, "OrcSerde"),
        (append("cut", &rows), ErrorKind::Unsupported, "buckets"),
        (new("a/b"), ErrorKind::Invalid, "a/b"),
        (new("there "), ErrorKind::Invalid, "\"there \" begins or ends with whitespace"),
        (append("there ", &rows), ErrorKind::Invalid, "\"there \" begins or ends with whitespace"),
        (into(" default"), ErrorKind::NotFound, " default"),
        (with([("a", DataType::Int32), ("b ", DataType::Int32)]), ErrorKind::Invalid, "\"b \" begins or ends with whitespace"),
        (at(&lake.url("full/")), ErrorKind::Invalid, "full/deep/x"),
        (at("https://host/t/"), ErrorKind::Unsupported, "https://host/t/"),
        (at("s3://bucket/*/"), ErrorKind::Invalid, "pattern"),
        (by(&["nam"]), ErrorKind::Invalid, "\"name\""),
        (by(&["id", "ID"]), ErrorKind::Invalid, "twice"),
        (by(&["id", "name"]), ErrorKind::Invalid, "besides"),
        (with([("a", DataType::Int32), ("A", DataType::Int32)]), ErrorKind::Invalid, "\"a\" and \"A\""),
        (with([("a", DataType::Int32), ("t", DataType::Time64(TimeUnit::Microsecond))]), ErrorKind::Unsupported, "\"t\""),
        (
            with([("a", DataType::Int32), ("z", DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into())))]),
            ErrorKind::Unsupported,
            "\"z\"",
        ),
    ] {
        let asked = stream::once(async { unreachable!("a row is asked for") });
        refused(lake.engine.ingest(&lake.session, target, asked).await, kind, names);
    }
    assert_eq!(lake.files(), ["lake/full/deep/x"]);
}

/// Rows, and then something happens.
fn then<'a>(
    rows: &RecordBatch,
    after: impl Future<Output = Option<Result<RecordBatch>>> + Send + 'a,
) -> impl Stream<Item = Result<RecordBatch>> + Send + 'a {
    let rows = rows.clone();
    stream::iter([Ok(rows)]).chain(stream::once(after).filter_map(std::future::ready))
}

#[tokio::test]
async fn a_stream_that_fails_leaves_nothing() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers(0..1000)), ("k", integers((0..1000).map(|id| id % 200)))]);
    let into = IngestTarget { partitioned_by: vec!["k".to_owned()], ..create("t", &rows) };
    let folder = lake.folder.path().to_owned();
    let failing = then(&rows, async move {
        let seen = hidden_and_visible(&folder.join("data/warehouse/default"));
        assert!(seen.0 > 0 && seen.1 == 0, "files wait under hidden names: {seen:?}");
        Some(Err(Error::new(ErrorKind::Unavailable, "the rows' source is gone").with_hint("Retry")))
    });
    refused(lake.engine.ingest(&lake.session, into, failing).await, ErrorKind::Unavailable, "source is gone");
    assert_eq!(lake.files(), [""; 0]);
    assert!(!lake.exists("t").await);
}

/// Files below a folder whose names begin with a dot, and others.
fn hidden_and_visible(folder: &Path) -> (usize, usize) {
    let mut seen = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let below = hidden_and_visible(&path);
            seen = (seen.0 + below.0, seen.1 + below.1);
        } else if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            seen.0 += 1;
        } else {
            seen.1 += 1;
        }
    }
    seen
}

#[tokio::test]
async fn a_dropped_future_leaves_nothing() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers(0..1000)), ("k", integers((0..1000).map(|id| id % 200)))]);
    let into = IngestTarget { partitioned_by: vec!["k".to_owned()], ..create("t", &rows) };
    let (arrived, mut waits) = tokio::sync::mpsc::channel::<()>(1);
    let endless = then(&rows, async move {
        arrived.send(()).await.unwrap();
        std::future::pending().await
    });
    {
        let ingest = std::pin::pin!(lake.engine.ingest(&lake.session, into, endless));
        tokio::select! {
            _ = ingest => unreachable!("it waits for rows"),
            _ = waits.recv() => {}
        }
        assert!(!lake.files().is_empty());
    }
    while !lake.engine.queries().list_running().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(lake.files(), [""; 0]);
    assert!(!lake.exists("t").await);
    lake.engine.history().flush().await.unwrap();
    let last = lake.engine.history().list(crate::lifecycle::QueryFilter::default()).await.unwrap();
    assert_eq!((last[0].statement.as_str(), last[0].state), ("INGEST INTO default.t", QueryState::Cancelled));
}

#[tokio::test]
async fn time_is_limited_and_a_kill_obeyed() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1]))]);
    lake.session.set("timeout", "50ms").unwrap();
    let failure = lake.engine.ingest(&lake.session, create("t", &rows), then(&rows, std::future::pending())).await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::TimedOut, QueryState::Failed));
    assert_eq!(failure.report.bill.billed_bytes, 0);

    lake.session.reset("timeout").unwrap();
    let engine = lake.engine.clone();
    let killed = then(&rows, async move {
        let running = engine.queries().list_running();
        engine.queries().kill(running[0].query_id, "admin").await.unwrap();
        std::future::pending().await
    });
    let failure = lake.engine.ingest(&lake.session, create("t", &rows), killed).await.unwrap_err();
    assert!(failure.error.to_string().contains("admin"), "{failure}");
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Aborted, QueryState::Cancelled));
    assert_eq!(lake.files(), [""; 0]);
}

#[tokio::test]
async fn a_table_that_changes_meanwhile_takes_nothing() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1])), ("k", texts([Some("x")]))]);
    let table = "CREATE EXTERNAL TABLE t (id BIGINT) PARTITIONED BY (k STRING) STORED AS PARQUET LOCATION '{lake}t/'";
    for (meanwhile, names) in [
        (vec!["DROP TABLE t"], "dropped"),
        (vec!["DROP TABLE t", table], "dropped"),
        (vec!["ALTER TABLE t ADD COLUMNS (more INT)"], "altered"),
        (vec!["ALTER TABLE t SET LOCATION '{lake}other/'"], "altered"),
        (vec!["ALTER TABLE t ADD PARTITION (k = 'x') LOCATION '{lake}own/'"], "changed its partition"),
    ] {
        lake.sql("DROP TABLE IF EXISTS t").await;
        lake.sql(table).await;
        let (engine, session, url) = (lake.engine.clone(), lake.session.clone(), lake.url(""));
        let changing = then(&rows, async move {
            for sql in meanwhile {
                let query = engine.submit(&session, &sql.replace("{lake}", &url)).await.unwrap();
                query.try_collect::<Vec<_>>().await.unwrap();
            }
            None
        });
        refused(lake.engine.ingest(&lake.session, append("t", &rows), changing).await, ErrorKind::Conflict, names);
        assert_eq!(lake.files(), [""; 0], "{names}");
    }
    // Another one creates it first: that one stays as it is.
    let (engine, session, first) = (lake.engine.clone(), lake.session.clone(), rows.clone());
    let overtaken = then(&rows, async move {
        let into = create("new", &first);
        engine.ingest(&session, into, stream::iter([Ok(first)])).await.unwrap();
        None
    });
    refused(lake.engine.ingest(&lake.session, create("new", &rows), overtaken).await, ErrorKind::Conflict, "created");
    assert_eq!(lake.sql("SELECT count(*) FROM new").await, ["1"]);
    assert_eq!(lake.files().len(), 1);
}

#[tokio::test]
async fn ingests_of_the_same_partitions_do_not_disturb_each_other() {
    let lake = Lake::open().await;
    lake.sql("CREATE EXTERNAL TABLE t (id BIGINT) PARTITIONED BY (k BIGINT) STORED AS PARQUET LOCATION '{lake}t/'").await;
    let ingests = (0..4).map(|from| {
        let rows = batch([("id", integers(0..60)), ("k", integers((0..60).map(|id| id % 20 + from * 10)))]);
        lake.ingest(append("t", &rows), vec![rows.clone()])
    });
    let summaries = futures::future::try_join_all(ingests).await.unwrap();
    assert_eq!(summaries.iter().map(|summary| summary.files).sum::<u64>(), 80);
    let counted = lake.sql("SELECT k, count(*) AS c FROM t GROUP BY 1").await;
    let counted: BTreeMap<_, _> = counted.iter().map(|line| line.split_once('|').unwrap()).collect();
    assert_eq!(counted.len(), 50);
    assert_eq!((counted["5"], counted["15"]), ("3", "6"));
}
