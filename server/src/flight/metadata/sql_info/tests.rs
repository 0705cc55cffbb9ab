//! The facts about the server, their codes and the types that clients cast them to.

use std::collections::BTreeSet;

use arrow::{
    array::{Array, AsArray, UnionArray},
    datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema, UInt32Type, UnionFields, UnionMode},
};
use glaux_engine::{Engine, EngineOptions, Session, SessionOptions};

use super::*;

const STRING: i8 = 0;
const BOOL: i8 = 1;
const INT64: i8 = 2;
const INT32: i8 = 3;
const STRINGS: i8 = 4;
const MAP: i8 = 5;

fn all() -> RecordBatch {
    batch(&[], &ServerLimits::default()).unwrap()
}

fn codes(batch: &RecordBatch) -> Vec<u32> {
    batch.column(0).as_primitive::<UInt32Type>().values().to_vec()
}

/// The child type and the value of a code.
fn value(batch: &RecordBatch, code: SqlInfo) -> (i8, Arc<dyn Array>) {
    let row = codes(batch).iter().position(|&found| found == code as u32).unwrap();
    let union: &UnionArray = batch.column(1).as_union();
    (union.type_id(row), union.value(row))
}

fn int64(batch: &RecordBatch, code: SqlInfo) -> i64 {
    value(batch, code).1.as_primitive::<Int64Type>().value(0)
}

fn int32(batch: &RecordBatch, code: SqlInfo) -> i32 {
    value(batch, code).1.as_primitive::<Int32Type>().value(0)
}

fn string(batch: &RecordBatch, code: SqlInfo) -> String {
    value(batch, code).1.as_string::<i32>().value(0).to_owned()
}

fn boolean(batch: &RecordBatch, code: SqlInfo) -> bool {
    value(batch, code).1.as_boolean().value(0)
}

#[test]
fn the_schema_is_the_protocol_s() {
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    let entry = Fields::from(vec![Field::new("keys", DataType::Int32, false), Field::new("values", list(DataType::Int32), true)]);
    let map = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false);
    let children = UnionFields::from_fields(vec![
        Field::new("string_value", DataType::Utf8, false),
        Field::new("bool_value", DataType::Boolean, false),
        Field::new("bigint_value", DataType::Int64, false),
        Field::new("int32_bitmask", DataType::Int32, false),
        Field::new("string_list", list(DataType::Utf8), true),
        Field::new("int32_to_int32_list_map", map, true),
    ]);
    let expected = Schema::new(vec![
        Field::new("info_name", DataType::UInt32, false),
        Field::new("value", DataType::Union(children, UnionMode::Dense), false),
    ]);
    assert_eq!(*schema(), expected);
    assert_eq!(*all().schema(), expected);
}

#[test]
fn every_published_code_is_there_and_no_other() {
    let substrait_versions = [6, 7];
    let published = (0..=11).chain(100..=101).chain(500..=576).filter(|code| !substrait_versions.contains(code));
    assert_eq!(codes(&all()), published.collect::<Vec<u32>>());
}

#[test]
fn values_have_the_types_that_drivers_cast_to() {
    let strings = [0, 1, 2, 504, 513, 514, 529, 530, 531];
    let int32s = [8, 100, 101, 522, 525, 526, 528, 533, 534, 535, 538, 540, 564, 567, 568, 569, 570, 571];
    // The maxima, and what ODBC reads as 64 bits.
    let int64s: BTreeSet<u32> = (541..=562).filter(|&code| code != 556).chain([503, 505, 507]).collect();
    let lists = [508, 509, 510, 511, 512];
    let all = all();
    let union: &UnionArray = all.column(1).as_union();
    for (row, code) in codes(&all).into_iter().enumerate() {
        let expected = match code {
            code if strings.contains(&code) => STRING,
            code if int32s.contains(&code) => INT32,
            code if int64s.contains(&code) => INT64,
            code if lists.contains(&code) => STRINGS,
            517 => MAP,
            _ => BOOL,
        };
        assert_eq!(union.type_id(row), expected, "code {code}");
    }
}

#[test]
fn codes_select_and_unknown_ones_are_left_out() {
    let limits = ServerLimits::default();
    assert_eq!(codes(&batch(&[504, 0, 3, 2, 504], &limits).unwrap()), [0, 2, 3, 504]);
    assert_eq!(codes(&batch(&[8, 12_345, 102], &limits).unwrap()), [8]);
    let none = batch(&[999], &limits).unwrap();
    assert_eq!((none.num_rows(), none.schema()), (0, schema()));
    let selected = batch(&[504], &limits).unwrap();
    assert_eq!(string(&selected, SqlInfo::SqlIdentifierQuoteChar), "\"");
}

#[test]
fn facts_are_those_of_the_dialect() {
    let all = all();
    assert_eq!(string(&all, SqlInfo::FlightSqlServerName), "Glaux");
    assert_eq!(string(&all, SqlInfo::FlightSqlServerVersion), env!("CARGO_PKG_VERSION"));
    assert_eq!(string(&all, SqlInfo::SqlSearchStringEscape), "\\");
    assert_eq!(int64(&all, SqlInfo::SqlIdentifierCase), 3);
    assert_eq!(int64(&all, SqlInfo::SqlQuotedIdentifierCase), 3);
    assert_eq!(int64(&all, SqlInfo::SqlNullOrdering), 3);
    assert_eq!(int64(&all, SqlInfo::SqlDefaultTransactionIsolation), 0);
    assert_eq!(int64(&all, SqlInfo::SqlMaxTableNameLength), 255);
    assert_eq!(int32(&all, SqlInfo::FlightSqlServerTransaction), 0);
    assert_eq!(int32(&all, SqlInfo::SqlSupportedGroupBy), 0b11);
    assert_eq!(int32(&all, SqlInfo::SqlOuterJoinsSupportLevel), 0b110);
    assert_eq!(int32(&all, SqlInfo::SqlSupportedSubqueries), 0b1111);
    assert_eq!(int32(&all, SqlInfo::SqlSupportedUnions), 0b11);
    assert_eq!(int32(&all, SqlInfo::SqlSupportedResultSetTypes), 0b10);
    assert_eq!(int32(&all, SqlInfo::SqlSupportedTransactionsIsolationLevels), 0b1);
    assert!(boolean(&all, SqlInfo::FlightSqlServerCancel) && boolean(&all, SqlInfo::FlightSqlServerBulkIngestion));
    assert!(!boolean(&all, SqlInfo::FlightSqlServerReadOnly) && !boolean(&all, SqlInfo::FlightSqlServerSubstrait));
    assert!(!boolean(&all, SqlInfo::SqlTransactionsSupported) && !boolean(&all, SqlInfo::SqlSupportsNonNullableColumns));
}

#[test]
fn limits_are_the_server_s() {
    let limits = ServerLimits {
        statement_idle: Some(Duration::from_secs(600)),
        connections: Some(1000),
        statements: Some(64),
        statement_bytes: Some(1 << 20),
    };
    let batch = batch(&[], &limits).unwrap();
    assert_eq!(int32(&batch, SqlInfo::FlightSqlServerStatementTimeout), 600_000);
    assert_eq!(int64(&batch, SqlInfo::SqlMaxConnections), 1000);
    assert_eq!(int64(&batch, SqlInfo::SqlMaxStatements), 64);
    assert_eq!(int64(&batch, SqlInfo::SqlMaxStatementLength), 1 << 20);
    assert_eq!(int32(&all(), SqlInfo::FlightSqlServerStatementTimeout), 0);
}

#[test]
fn lists_of_words_are_sorted_and_say_nothing_twice() {
    for words in vocabulary::FUNCTIONS.into_iter().chain([vocabulary::KEYWORDS]) {
        assert!(words.is_sorted() && words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
    }
}

async fn engine() -> (tempfile::TempDir, Engine, Session) {
    let dir = tempfile::tempdir().unwrap();
    let options = EngineOptions { data_dir: dir.path().to_owned(), ..EngineOptions::default() };
    (dir, Engine::open(options).await.unwrap(), Session::new(SessionOptions::default()))
}

#[tokio::test]
async fn every_function_is_one_that_the_engine_knows() {
    let (_dir, engine, session) = engine().await;
    let unknown = engine.describe(&session, "SELECT no_such_function()").await.unwrap_err();
    assert!(unknown.message().contains("unknown function"), "{unknown}");
    for name in vocabulary::FUNCTIONS.into_iter().flatten() {
        let call = match *name {
            "EXTRACT" => "EXTRACT(YEAR FROM current_date)".to_owned(),
            name => format!("{name}()"),
        };
        if let Err(error) = engine.describe(&session, &format!("SELECT {call}")).await {
            assert!(!error.message().contains("unknown function"), "{error}");
        }
    }
}

#[tokio::test]
async fn every_conversion_is_one_that_cast_makes() {
    let (_dir, engine, session) = engine().await;
    let name = |code: i32| match SqlSupportsConvert::try_from(code).unwrap() {
        SqlSupportsConvert::SqlConvertBigint => "bigint",
        SqlSupportsConvert::SqlConvertBit => "boolean",
        SqlSupportsConvert::SqlConvertChar => "char(10)",
        SqlSupportsConvert::SqlConvertDate => "date",
        SqlSupportsConvert::SqlConvertDecimal | SqlSupportsConvert::SqlConvertNumeric => "decimal(10,2)",
        SqlSupportsConvert::SqlConvertFloat => "double",
        SqlSupportsConvert::SqlConvertInteger => "integer",
        SqlSupportsConvert::SqlConvertReal => "real",
        SqlSupportsConvert::SqlConvertSmallint => "smallint",
        SqlSupportsConvert::SqlConvertTime => "time",
        SqlSupportsConvert::SqlConvertTimestamp => "timestamp",
        SqlSupportsConvert::SqlConvertTinyint => "tinyint",
        SqlSupportsConvert::SqlConvertVarchar => "varchar",
        other => panic!("{other:?}"),
    };
    let conversions = conversions();
    assert_eq!(conversions.len(), 14);
    for (from, targets) in conversions {
        for to in targets {
            let (from, to) = (name(from), name(to));
            let sql = format!("SELECT CAST(x AS {to}) FROM (SELECT CAST(NULL AS {from}) AS x)");
            assert!(engine.describe(&session, &sql).await.is_ok(), "{sql}");
        }
    }
}
