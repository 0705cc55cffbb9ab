//! Tests of the system tables, through DataFusion's own planner.

#![expect(clippy::disallowed_methods, reason = "the tables are tried by themselves, below everything that resolves and bills")]

use std::sync::{Mutex, PoisonError};

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::{
    catalog::{MemorySchemaProvider, SchemaProvider},
    prelude::SessionContext,
};
use glaux_catalog::{
    HiveType, TableName,
    metastore::{Definitions, MemoryMetastore, PartitionChange},
    model::{Column, Database, Partition, Properties, SerDe, StorageDescriptor, TableType},
    partition::PartitionIndex,
};

use super::*;
use crate::{
    accounting::{Meter, Requests, ScanMeter, Scanned, StoreUsage, TableUsage, Tariffs},
    clock::FixedClock,
    error::{Error, ErrorKind},
    failure::from_datafusion,
    lifecycle::{Ending, History, QueryId, QueryManager, QueryRecord, QueryState},
    reserved::{INFORMATION_SCHEMA, SYSTEM, is_system_schema},
    session::SessionOptions,
    sql::StatementKind,
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

/// Lists two files in each partition, and remembers what it was asked for.
#[derive(Debug, Default)]
struct TwoFiles(Mutex<Vec<(String, Vec<usize>)>>);

#[async_trait]
impl FileLister for TwoFiles {
    async fn files(&self, table: &Table, index: &PartitionIndex, rows: &[usize]) -> Result<Vec<TableFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((table.name.to_string(), rows.to_vec()));
        let rows = if table.is_partitioned() { rows } else { &[0] };
        let root = table.root();
        let file = |partition: usize, name: &str| TableFile {
            path: match table.is_partitioned() {
                true => format!("{}{name}", index.location(partition, &root)),
                false => format!("{root}{name}"),
            },
            size: 7,
            modified_at: now(),
            partition,
        };
        Ok(rows.iter().flat_map(|row| [file(*row, "a"), file(*row, "b")]).collect())
    }
}

fn table(name: TableName, columns: Vec<Column>, partition_keys: Vec<Column>) -> Table {
    Table {
        storage: StorageDescriptor {
            columns,
            location: format!("s3://lake/{}", name.table),
            input_format: String::new(),
            output_format: String::new(),
            serde: SerDe::default(),
            bucket_columns: Vec::new(),
            bucket_count: None,
        },
        name,
        id: 0,
        version: 0,
        table_type: TableType::ExternalTable,
        partition_keys,
        comment: None,
        properties: Properties::new(),
        view_text: None,
        view_database: None,
        created_at: now(),
        updated_at: now(),
    }
}

struct Lake {
    deps: SystemContext,
    files: Arc<TwoFiles>,
    context: SessionContext,
}

/// Tables `default.orders` with three partitions, `default.flat` and `sales.orders` without, and a view `sales.v`.
async fn lake() -> Lake {
    let metastore = MemoryMetastore::new();
    let sales =
        Database { name: "sales".to_owned(), comment: None, location: None, properties: Properties::new(), created_at: now() };
    metastore.create_database(sales).await.unwrap();
    let id = Column { comment: Some("the key".to_owned()), ..Column::new("id", HiveType::BigInt) };
    let keys = vec![Column::new("year", HiveType::Int), Column::new("region", HiveType::String)];
    let orders = table(TableName::new("default", "orders"), vec![id.clone()], keys);
    let orders = metastore.create_table(orders).await.unwrap();
    let value = |text: &str| Some(text.to_owned());
    let mut elsewhere = Partition::new(vec![value("2024"), None], now());
    elsewhere.location = Some("s3://other/place".to_owned());
    let partitions = vec![
        Partition::new(vec![value("2023"), value("eu")], now()),
        Partition::new(vec![value("02024"), value("a/b")], now()),
        elsewhere,
    ];
    metastore.change_partitions(&orders, PartitionChange { add: partitions, ..Default::default() }).await.unwrap();
    for name in [TableName::new("default", "flat"), TableName::new("sales", "orders")] {
        metastore.create_table(table(name, vec![id.clone()], Vec::new())).await.unwrap();
    }
    let mut view = table(TableName::new("sales", "v"), vec![Column::new("x", HiveType::Varchar(3))], Vec::new());
    view.table_type = TableType::VirtualView;
    view.storage.location = String::new();
    view.view_text = Some("SELECT 'abc' AS x".to_owned());
    metastore.create_table(view).await.unwrap();

    let history = Arc::new(History::in_memory().unwrap());
    let queries = QueryManager::new(history, Tariffs::default(), 4, Arc::new(FixedClock(now())));
    let files = Arc::new(TwoFiles::default());
    let deps = SystemContext {
        metastore: Arc::new(metastore),
        queries: Arc::new(queries),
        only_user: None,
        files: Arc::clone(&files) as _,
    };
    let lake = Lake { deps, files, context: SessionContext::new() };
    lake.register();
    lake
}

impl Lake {
    /// Puts the system tables in their schemas, in place of those that are there.
    fn register(&self) {
        for schema in [SYSTEM, INFORMATION_SCHEMA] {
            let tables = MemorySchemaProvider::new();
            for name in table_names(schema) {
                tables.register_table(name.to_owned(), provider(schema, name, &self.deps).unwrap()).unwrap();
            }
            self.context.catalog("datafusion").unwrap().register_schema(schema, Arc::new(tables)).unwrap();
        }
    }

    async fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let frame = self.context.sql(sql).await.map_err(from_datafusion)?;
        frame.collect().await.map_err(from_datafusion)
    }

    /// The rows as text, cells between bars.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let batches = self.batches(sql).await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let rows = text.lines().skip(3).filter(|line| line.starts_with('|'));
        let cells = |row: &str| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|");
        rows.map(cells).collect()
    }
}

#[tokio::test]
async fn partitions_are_shown_raw_and_by_location() {
    let lake = lake().await;
    let rows = lake.rows("SELECT * FROM system.partitions ORDER BY partition").await;
    assert_eq!(
        rows,
        [
            r#"default|orders|year=02024/region=a%2Fb|["02024","a/b"]|s3://lake/orders/year=02024/region=a%2Fb/|2023-11-14T22:13:20"#,
            r#"default|orders|year=2023/region=eu|["2023","eu"]|s3://lake/orders/year=2023/region=eu/|2023-11-14T22:13:20"#,
            r#"default|orders|year=2024/region=__HIVE_DEFAULT_PARTITION__|["2024",null]|s3://other/place/|2023-11-14T22:13:20"#,
        ]
    );
    let one = lake
        .rows(r#"SELECT "values" FROM system.partitions WHERE "table" = 'orders' AND partition = 'year=2023/region=eu'"#)
        .await;
    assert_eq!(one, [r#"["2023","eu"]"#]);
    let none = lake.rows(r#"SELECT * FROM system.partitions WHERE "database" = 'sales' OR "table" IN ('flat', 'none')"#).await;
    assert!(none.is_empty());
    assert_eq!(lake.rows("SELECT count(*) FROM system.partitions").await, ["3"]);
}

#[tokio::test]
async fn a_tables_own_partitions_have_typed_columns() {
    let lake = lake().await;
    let orders = lake.deps.metastore.table(&TableName::new("default", "orders")).await.unwrap();
    lake.context.register_table("p", partitions_of(orders, &lake.deps).unwrap()).unwrap();
    let rows = lake.rows("SELECT year + 1, region FROM p WHERE year >= 2024 ORDER BY region NULLS LAST").await;
    assert_eq!(rows, ["2025|a/b", "2025|"]);
    let flat = lake.deps.metastore.table(&TableName::new("default", "flat")).await.unwrap();
    assert_eq!(partitions_of(flat, &lake.deps).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn files_are_listed_only_of_tables_that_are_named() {
    let lake = lake().await;
    for sql in ["SELECT * FROM system.files", r#"SELECT * FROM system.files WHERE "table" <> 'x'"#] {
        let error = lake.batches(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}");
        assert!(error.hint().unwrap().contains("WHERE"));
    }
    let sql =
        r#"SELECT * FROM system.files WHERE "table" = 'orders' AND "database" = 'default' AND partition = 'year=2023/region=eu'"#;
    assert_eq!(
        lake.rows(sql).await,
        [
            "default|orders|year=2023/region=eu|s3://lake/orders/year=2023/region=eu/a|7|2023-11-14T22:13:20",
            "default|orders|year=2023/region=eu|s3://lake/orders/year=2023/region=eu/b|7|2023-11-14T22:13:20",
        ]
    );
    assert_eq!(*lake.files.0.lock().unwrap(), [("default.orders".to_owned(), vec![1])]);
    let rows = lake.rows(
        r#"SELECT "database", partition, sum(size) FROM system.files WHERE "table" = 'orders' GROUP BY 1, 2 ORDER BY 1, 2"#,
    );
    assert_eq!(rows.await[2..], ["default|year=2024/region=__HIVE_DEFAULT_PARTITION__|14", "sales||14"]);
    assert!(lake.rows(r#"SELECT * FROM system.files WHERE "table" = 'v'"#).await.is_empty(), "a view has no files");
}

#[tokio::test]
async fn explaining_lists_nothing() {
    let lake = lake().await;
    lake.rows(r#"EXPLAIN SELECT * FROM system.files WHERE "table" = 'orders'"#).await;
    assert!(lake.files.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_information_schema_shows_the_catalog_itself_and_system() {
    let lake = lake().await;
    let rows = lake.rows("SELECT * FROM information_schema.schemata").await;
    assert_eq!(rows, ["default", "information_schema", "sales", "system"].map(|name| format!("awsdatacatalog|{name}")));
    let rows = lake
        .rows("SELECT * FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'system') ORDER BY 2, 3")
        .await;
    let expected = ["default|flat|BASE TABLE", "default|orders|BASE TABLE", "sales|orders|BASE TABLE", "sales|v|VIEW"];
    assert_eq!(rows, expected.map(|row| format!("awsdatacatalog|{row}")));
    let own = lake.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'information_schema'").await;
    assert_eq!(own, table_names(INFORMATION_SCHEMA));
    let system = lake.rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'system'").await;
    assert_eq!(system, table_names(SYSTEM).iter().map(|name| format!("{name}|BASE TABLE")).collect::<Vec<_>>());
    assert_eq!(lake.rows("SELECT * FROM information_schema.views").await, ["awsdatacatalog|sales|v|SELECT 'abc' AS x"]);
    assert!(lake.rows("SELECT * FROM information_schema.tables WHERE table_catalog = 'other'").await.is_empty());

    let rows = lake
        .rows(
            "SELECT column_name, ordinal_position, column_default, is_nullable, data_type, comment, extra_info
             FROM information_schema.columns WHERE table_schema = 'default' AND table_name = 'orders' ORDER BY 2",
        )
        .await;
    assert_eq!(rows, ["id|1||YES|bigint|the key|", "year|2||YES|integer||partition key", "region|3||YES|varchar||partition key"]);
    let types =
        lake.rows("SELECT DISTINCT data_type FROM information_schema.columns WHERE table_name = 'columns' ORDER BY 1").await;
    assert_eq!(types, ["bigint", "varchar"]);
}

#[tokio::test]
async fn queries_show_what_has_ended_and_what_runs() {
    let lake = lake().await;
    let session = SessionOptions { user: "ada".to_owned(), ..SessionOptions::default() };
    let begin = |sql| {
        let guard = lake.deps.queries.receive(session.clone(), sql).unwrap();
        guard.classify(StatementKind::Dml, true);
        guard.planned().start()
    };
    let scan = |meter: &Arc<Meter>, bytes| ScanMeter::new(Arc::clone(meter)).file("a").consume(&(0..bytes));
    let done = begin("SELECT 1");
    scan(done.meter(), 10_000_001);
    let done_id = done.id();
    done.succeed().await;
    begin("SELECT 2").fail(Error::invalid("no")).await;
    let runs = begin("SELECT 3");
    scan(runs.meter(), 5);

    let rows =
        lake.rows("SELECT statement, state, data_scanned_bytes, billed_bytes, cost_usd FROM system.queries ORDER BY 1").await;
    assert_eq!(
        rows,
        [
            "SELECT 1|SUCCEEDED|10000001|11000000|0.000055000000000000",
            "SELECT 2|FAILED|0|0|0.000000000000000000",
            "SELECT 3|RUNNING|5|10000000|0.000050000000000000",
        ]
    );
    let of = async |filter: &str| lake.rows(&format!("SELECT statement FROM system.queries WHERE {filter} ORDER BY 1")).await;
    assert_eq!(of("state = 'FAILED'").await, ["SELECT 2"]);
    assert_eq!(of("state IN ('FAILED', 'RUNNING')").await, ["SELECT 2", "SELECT 3"]);
    assert_eq!(of(&format!("query_id = '{done_id}'")).await, ["SELECT 1"]);
    assert!(of("query_id = 'nonsense'").await.is_empty());
    assert!(of("\"user\" = 'grace'").await.is_empty());
    assert!(of("submitted_at > TIMESTAMP '2023-11-14 22:13:20'").await.is_empty());
    assert_eq!(of("submitted_at >= TIMESTAMP '2023-11-14 22:13:20'").await.len(), 3);

    let usage = lake.rows("SELECT * FROM system.usage WHERE day >= DATE '2023-11-14'").await;
    let (cost, nothing) = ("0.000055000000000000", "0.000000000000000000");
    let expected = format!("2023-11-14|ada|primary|default|2|10000001|11000000|{cost}|0|0|{cost}|{nothing}|{nothing}");
    assert_eq!(usage, [expected]);
    assert!(lake.rows("SELECT * FROM system.usage WHERE day > DATE '2023-11-14'").await.is_empty());
    drop(runs);
}

#[tokio::test]
async fn queries_are_shown_by_table_and_store_and_to_their_user_alone() {
    let mut lake = lake().await;
    let figures = |table: &str, data_scanned_bytes| TableUsage {
        table: TableName::new("default", table),
        data_scanned_bytes,
        metadata_bytes: 2,
        partitions: Scanned { scanned: 1, total: None },
        files: Scanned { scanned: 3, total: Some(4) },
        row_groups: Scanned { scanned: 5, total: Some(6) },
        has_partition_keys: true,
        is_partition_filtered: table == "orders",
    };
    for (user, bytes) in [("ada", 10), ("bob", 20)] {
        let requests = Requests { get: bytes, list: 1, ..Requests::default() };
        let record = QueryRecord {
            user: user.to_owned(),
            workgroup: "bi".to_owned(),
            state: QueryState::Succeeded,
            ended_at: Some(now()),
            ending: Some(Ending::Succeeded),
            tables: vec![figures("flat", 0), figures("orders", bytes)],
            stores: vec![StoreUsage { store: "s3://lake".to_owned(), requests, fetched_bytes: 7 }],
            ..QueryRecord::received(QueryId::next(), now())
        };
        lake.deps.queries.history().end(record).await.unwrap();
    }
    let tables = "SELECT \"user\", table_name, data_scanned_bytes, partitions_total, files_total, is_partition_filtered
        FROM system.query_tables ORDER BY 1, 2";
    let expected = [
        "ada|default.flat|0||4|false",
        "ada|default.orders|10||4|true",
        "bob|default.flat|0||4|false",
        "bob|default.orders|20||4|true",
    ];
    assert_eq!(lake.rows(tables).await, expected);
    let stores = "SELECT \"user\", store, requests_get, requests_list, fetched_bytes FROM system.query_stores ORDER BY 1";
    assert_eq!(lake.rows(stores).await, ["ada|s3://lake|10|1|7", "bob|s3://lake|20|1|7"]);
    let joined =
        "SELECT q.ending, sum(t.data_scanned_bytes) FROM system.queries q JOIN system.query_tables t ON t.query_id = q.query_id
        WHERE t.table_name = 'default.orders' AND t.data_scanned_bytes > 5 GROUP BY 1";
    assert_eq!(lake.rows(joined).await, ["succeeded|30"]);
    let sums = "SELECT * FROM system.table_usage WHERE table_name = 'default.orders'";
    assert_eq!(lake.rows(sums).await, ["2023-11-14|ada|bi|default.orders|1|10|2", "2023-11-14|bob|bi|default.orders|1|20|2"]);

    lake.deps.only_user = Some("bob".to_owned());
    lake.register();
    assert_eq!(lake.rows(tables).await, expected[2..]);
    assert_eq!(lake.rows(stores).await, ["bob|s3://lake|20|1|7"]);
    assert_eq!(lake.rows(sums).await, ["2023-11-14|bob|bi|default.orders|1|20|2"]);
    assert!(lake.rows("SELECT * FROM system.query_tables WHERE \"user\" = 'ada'").await.is_empty());
}

#[tokio::test]
async fn names_outside_are_no_system_tables() {
    let lake = lake().await;
    assert!(provider("default", "queries", &lake.deps).is_none());
    assert!(provider(SYSTEM, "nothing", &lake.deps).is_none());
    assert!(is_system_schema("system") && !is_system_schema("default"));
    assert_eq!(table_names("default"), Vec::<&str>::new());
}
