//! What the metadata commands answer, against the schemas that the protocol writes down.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use arrow::{
    array::{AsArray, cast::as_string_array},
    datatypes::{DataType, Field, Schema},
};
use arrow_flight::{IpcMessage, sql::CommandStatementQuery};
use bytes::Bytes;
use chrono::DateTime;
use glaux_catalog::{
    HiveType, TableName,
    metastore::{Definitions, MemoryMetastore},
    model::{Column, SerDe, StorageDescriptor, Table, TableType},
};
use glaux_engine::{Engine, EngineOptions, Parts, Session, SessionOptions};

use super::{type_name::key, *};

struct Fixture {
    _dir: tempfile::TempDir,
    engine: Engine,
    session: Session,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_parts(Parts::default()).await
    }

    async fn with_parts(parts: Parts) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = EngineOptions { data_dir: dir.path().join("data"), ..EngineOptions::default() };
        let engine = Engine::open_with(options, parts).await.unwrap();
        Self { _dir: dir, engine, session: Session::new(SessionOptions::default()) }
    }

    async fn with_tables() -> Self {
        let this = Self::new().await;
        for statement in [
            "CREATE DATABASE sales",
            "CREATE DATABASE empty",
            "CREATE EXTERNAL TABLE sales.order_lines (id bigint COMMENT 'the key', price decimal(10,2), tags array<string>) \
             PARTITIONED BY (day date COMMENT 'of the order') STORED AS PARQUET LOCATION 's3://lake/order_lines/'",
            "CREATE EXTERNAL TABLE sales.orderxlines (name varchar(20)) STORED AS PARQUET LOCATION 's3://lake/other/'",
            "CREATE EXTERNAL TABLE notes (text string, at timestamp) STORED AS PARQUET LOCATION 's3://lake/notes/'",
            "CREATE VIEW sales.prices AS SELECT 1 AS one, 'a' AS letter",
        ] {
            let query = this.engine.submit(&this.session, statement).await;
            assert!(query.is_ok(), "{statement}: {:?}", query.err());
        }
        this
    }

    async fn answer(&self, command: impl Into<MetadataCommand>) -> RecordBatch {
        let command = command.into();
        let batch = answer(&command, &self.engine.browse(&self.session), &ServerLimits::default()).await.unwrap();
        assert_eq!(batch.schema(), schema(&command));
        batch
    }

    /// Tables as `database.table kind`.
    async fn tables(&self, command: CommandGetTables) -> Vec<String> {
        let batch = self.answer(command).await;
        let column = |at: usize| as_string_array(batch.column(at)).clone();
        let (catalogs, databases, tables, kinds) = (column(0), column(1), column(2), column(3));
        assert!(catalogs.iter().all(|name| name == Some("awsdatacatalog")));
        (0..batch.num_rows()).map(|row| format!("{}.{} {}", databases.value(row), tables.value(row), kinds.value(row))).collect()
    }

    /// The schema of one table.
    async fn table_schema(&self, database: &str, table: &str) -> Schema {
        let exactly = |name: &str| name.replace('_', r"\_");
        let command = CommandGetTables { include_schema: true, ..named(&exactly(database), &exactly(table)) };
        let batch = self.answer(command).await;
        assert_eq!(batch.num_rows(), 1);
        decode(batch.column(4).as_binary::<i32>().value(0))
    }
}

impl From<CommandGetTables> for MetadataCommand {
    fn from(command: CommandGetTables) -> Self {
        Self::Tables(command)
    }
}

fn decode(message: &[u8]) -> Schema {
    Schema::try_from(IpcMessage(Bytes::copy_from_slice(message))).unwrap()
}

fn everything() -> CommandGetTables {
    CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: None,
        table_name_filter_pattern: None,
        table_types: Vec::new(),
        include_schema: false,
    }
}

fn named(database: &str, table: &str) -> CommandGetTables {
    CommandGetTables {
        db_schema_filter_pattern: Some(database.to_owned()),
        table_name_filter_pattern: Some(table.to_owned()),
        ..everything()
    }
}

fn of_types(types: &[&str]) -> CommandGetTables {
    CommandGetTables { table_types: types.iter().map(|&name| name.to_owned()).collect(), ..everything() }
}

#[tokio::test]
async fn databases_and_the_system_s_schemas_are_listed() {
    let fixture = Fixture::with_tables().await;
    let command = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
    let batch = fixture.answer(MetadataCommand::DbSchemas(command)).await;
    let names: Vec<_> = as_string_array(batch.column(1)).iter().flatten().collect();
    assert_eq!(names, ["default", "empty", "information_schema", "sales", "system"]);
    let catalogs = fixture.answer(MetadataCommand::Catalogs(CommandGetCatalogs {})).await;
    assert_eq!(as_string_array(catalogs.column(0)).value(0), "awsdatacatalog");
    assert_eq!(fixture.answer(MetadataCommand::TableTypes(CommandGetTableTypes {})).await.num_rows(), 3);
}

#[tokio::test]
async fn tables_are_filtered_by_patterns_and_sorted() {
    let fixture = Fixture::with_tables().await;
    let ours = ["default.notes TABLE", "sales.order_lines TABLE", "sales.orderxlines TABLE", "sales.prices VIEW"];
    let all = fixture.tables(everything()).await;
    assert!(all.is_sorted(), "{all:?}");
    let (system, rest): (Vec<_>, Vec<_>) = all.iter().partition(|row| row.ends_with(" SYSTEM TABLE"));
    assert_eq!(rest, ours);
    assert_eq!(system.len(), 13);
    assert!(system.contains(&&"system.queries SYSTEM TABLE".to_owned()));
    assert_eq!(fixture.tables(named("SALES", "ORDER_LINES")).await, ours[1..3]);
    assert_eq!(fixture.tables(named("sales", r"order\_lines")).await, ours[1..2]);
    assert_eq!(fixture.tables(named("%", "%s")).await.iter().filter(|row| row.ends_with("s TABLE")).count(), 3);
    assert!(fixture.tables(named("sales", "order%_")).await.len() == 2);
    assert!(fixture.tables(named("", "%")).await.is_empty());
    assert!(fixture.tables(named("empty", "%")).await.is_empty());
}

#[tokio::test]
async fn tables_are_filtered_by_catalog_and_type() {
    let fixture = Fixture::with_tables().await;
    let of_catalog = |name: &str| CommandGetTables { catalog: Some(name.to_owned()), ..everything() };
    assert_eq!(fixture.tables(of_catalog("awsdatacatalog")).await.len(), 17);
    assert!(fixture.tables(of_catalog("")).await.is_empty());
    assert!(fixture.tables(of_catalog("other")).await.is_empty());
    assert_eq!(fixture.tables(of_types(&["VIEW"])).await, ["sales.prices VIEW"]);
    assert_eq!(fixture.tables(of_types(&["BASE TABLE"])).await.len(), 3);
    assert_eq!(fixture.tables(of_types(&["BASE TABLE", "TABLE", "SYSTEM TABLE"])).await.len(), 16);
    assert!(fixture.tables(of_types(&["view"])).await.is_empty());
}

#[tokio::test]
async fn a_table_s_schema_has_its_columns_and_keys_with_what_they_are() {
    let fixture = Fixture::with_tables().await;
    let schema = fixture.table_schema("sales", "order_lines").await;
    let types: Vec<_> = schema.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    assert_eq!(
        types,
        [("id", DataType::Int64), ("price", DataType::Decimal128(10, 2)), ("tags", list), ("day", DataType::Date32)]
    );
    assert!(schema.fields().iter().all(|field| field.is_nullable()));
    let of = |column: &str, key: &str| schema.field_with_name(column).unwrap().metadata().get(key).cloned().unwrap_or_default();
    assert_eq!([of("id", key::TYPE_NAME), of("id", key::REMARKS)], ["bigint", "the key"]);
    assert_eq!([of("price", key::PRECISION), of("price", key::SCALE)], ["10", "2"]);
    assert_eq!([of("tags", key::TYPE_NAME), of("tags", key::REMARKS)], ["array(varchar)", ""]);
    assert_eq!([of("day", key::TABLE_NAME), of("day", key::REMARKS)], ["order_lines", "of the order"]);
    let other = fixture.table_schema("sales", "orderxlines").await;
    assert_eq!(other.field(0).metadata().get(key::TYPE_NAME).map(String::as_str), Some("varchar(20)"));
}

#[tokio::test]
async fn schemas_are_what_select_gives() {
    let fixture = Fixture::with_tables().await;
    let tables = [
        ("sales", "order_lines"),
        ("default", "notes"),
        ("sales", "prices"),
        ("system", "queries"),
        ("system", "usage"),
        ("information_schema", "columns"),
    ];
    for (database, table) in tables {
        let browsed = fixture.table_schema(database, table).await;
        let sql = format!("SELECT * FROM {database}.{table}");
        let described = fixture.engine.describe(&fixture.session, &sql).await.unwrap().schema;
        let columns = |schema: &Schema| {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        assert_eq!(columns(&browsed), columns(&described), "{database}.{table}");
        assert!(!browsed.fields().is_empty());
    }
}

#[tokio::test]
async fn key_commands_answer_with_an_empty_batch_under_exact_schemas() {
    let fixture = Fixture::new().await;
    let (catalog, db_schema, table) = (None, None, "t".to_owned());
    let primary = CommandGetPrimaryKeys { catalog: catalog.clone(), db_schema: db_schema.clone(), table: table.clone() };
    let exported = CommandGetExportedKeys { catalog: catalog.clone(), db_schema: db_schema.clone(), table: table.clone() };
    let imported = CommandGetImportedKeys { catalog, db_schema, table };
    let cross = CommandGetCrossReference { pk_table: "a".to_owned(), fk_table: "b".to_owned(), ..Default::default() };
    let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    let primary_schema = Schema::new(vec![
        text("catalog_name", true),
        text("db_schema_name", true),
        text("table_name", false),
        text("column_name", false),
        text("key_name", true),
        Field::new("key_sequence", DataType::Int32, false),
    ]);
    let foreign_schema = Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    for (command, expected) in [
        (MetadataCommand::PrimaryKeys(primary), &primary_schema),
        (MetadataCommand::ExportedKeys(exported), &foreign_schema),
        (MetadataCommand::ImportedKeys(imported), &foreign_schema),
        (MetadataCommand::CrossReference(cross), &foreign_schema),
    ] {
        let batch = fixture.answer(command).await;
        assert_eq!((batch.schema().as_ref(), batch.num_rows()), (expected, 0));
    }
}

#[tokio::test]
async fn facts_and_types_are_answered() {
    let fixture = Fixture::new().await;
    let all = fixture.answer(MetadataCommand::SqlInfo(CommandGetSqlInfo { info: Vec::new() })).await;
    assert!(all.num_rows() > 80);
    let one = fixture.answer(MetadataCommand::SqlInfo(CommandGetSqlInfo { info: vec![8, 77] })).await;
    assert_eq!(one.num_rows(), 1);
    let types = fixture.answer(MetadataCommand::XdbcTypeInfo(CommandGetXdbcTypeInfo { data_type: Some(12) })).await;
    assert_eq!(as_string_array(types.column(0)).value(0), "varchar");
}

#[test]
fn commands_are_told_from_statements() {
    let tables = Command::CommandGetTables(everything());
    assert_eq!(MetadataCommand::from_command(tables), Some(MetadataCommand::Tables(everything())));
    let keys = Command::CommandGetCrossReference(CommandGetCrossReference::default());
    assert!(matches!(MetadataCommand::from_command(keys), Some(MetadataCommand::CrossReference(_))));
    let query = CommandStatementQuery { query: "SELECT 1".to_owned(), transaction_id: None };
    assert_eq!(MetadataCommand::from_command(Command::CommandStatementQuery(query)), None);
}

/// A definition with twelve columns of several types, and a partition key.
fn definition(database: &str, table: String) -> Table {
    let types = ["bigint", "string", "decimal(12,2)", "timestamp", "boolean", "double"];
    let column = |at: usize| Column {
        comment: Some(format!("column {at}")),
        ..Column::new(format!("column_{at}"), types[at % types.len()].parse::<HiveType>().unwrap())
    };
    let storage = StorageDescriptor {
        columns: (0..12).map(column).collect(),
        location: format!("s3://lake/{table}/"),
        input_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat".to_owned(),
        output_format: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat".to_owned(),
        serde: SerDe::default(),
        bucket_columns: Vec::new(),
        bucket_count: None,
    };
    Table {
        name: TableName::new(database, table),
        id: 0,
        version: 0,
        table_type: TableType::ExternalTable,
        storage,
        partition_keys: vec![Column::new("day", HiveType::Date)],
        comment: None,
        properties: BTreeMap::default(),
        view_text: None,
        view_database: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn ten_thousand_tables_come_in_one_batch() {
    let metastore = Arc::new(MemoryMetastore::new());
    for at in 0..10_000 {
        metastore.create_table(definition("default", format!("table_{at:05}"))).await.unwrap();
    }
    let parts = Parts { metastore: Some(metastore), ..Parts::default() };
    let fixture = Fixture::with_parts(parts).await;
    let command = CommandGetTables { include_schema: true, ..of_types(&["TABLE"]) };
    let started = Instant::now();
    let batch = fixture.answer(command).await;
    eprintln!("10,000 tables with schemas: {:?}, {} bytes", started.elapsed(), batch.get_array_memory_size());
    assert_eq!(batch.num_rows(), 10_000);
    let (names, schemas) = (as_string_array(batch.column(2)), batch.column(4).as_binary::<i32>());
    for at in [0, 4_999, 9_999] {
        assert_eq!(names.value(at), format!("table_{at:05}"));
        let schema = decode(schemas.value(at));
        assert_eq!(schema.fields().len(), 13);
        assert_eq!(schema.field(12).metadata().get(key::TABLE_NAME).map(String::as_str), Some(names.value(at)));
    }
    let few = CommandGetTables { include_schema: true, ..named("default", r"table\_0123_") };
    assert_eq!(fixture.answer(few).await.num_rows(), 10);
}
