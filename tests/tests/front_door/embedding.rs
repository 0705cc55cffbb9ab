//! The engine as a program embeds it: queries with values, registered batches, functions and stores, and grants for sessions of others.

use std::sync::Arc;

use futures::TryStreamExt;
use glaux_engine::{
    arrow::{
        array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt64Array},
        datatypes::DataType,
    },
    datafusion::{
        common::cast::as_int64_array,
        logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
    },
    object_store::{ObjectStoreExt, memory::InMemory, path::Path},
    prelude::*,
    query::QueryState,
};
use glaux_tests::runner::render;
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "embedding";
        three_lines_to_a_result,
        values_of_rust_are_parameters,
        a_stream_ends_with_its_bill,
        a_data_directory_is_opened_by_its_path,
        an_engine_in_memory_leaves_nothing,
        registered_batches_are_tables,
        registered_batches_shadow_no_table,
        what_cannot_be_registered_is_refused,
        grants_hold_for_sessions_of_users,
        functions_are_registered,
        a_store_of_ones_own_is_metered,
        errors_have_kinds_and_hints,
    ]
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| render::rows(batch).expect("values can be shown"));
    rows.map(|row| row.join("|")).collect()
}

async fn answer(engine: &Engine, sql: &str) -> Result<Vec<String>> {
    engine.query(sql).collect().await.map(|batches| lines(&batches))
}

/// The exchange rates of two currencies.
fn rates() -> RecordBatch {
    let currency: ArrayRef = Arc::new(StringArray::from(vec!["EUR", "GBP"]));
    let rate: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
    RecordBatch::try_from_iter([("Currency", currency), ("rate", rate)]).expect("the columns fit")
}

async fn three_lines_to_a_result() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    let query = engine.query("SELECT n, n * n AS square FROM (VALUES 1, 2, 3) AS t (n) WHERE n >= ? ORDER BY n").bind(2).await?;
    assert_eq!(lines(&query.collect().await?), ["2|4", "3|9"]);
    Ok(())
}

async fn values_of_rust_are_parameters() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    let none: Option<i32> = None;
    let query = engine
        .query("SELECT ?, ?, ?, ?, CAST(? AS integer), ?, ?, ?")
        .bind(3_000_000_000_i64)
        .bind("hello")
        .bind(1.25)
        .bind(true)
        .bind(none)
        .bind(chrono::NaiveDate::from_ymd_opt(2025, 6, 15).ok_or("no such day")?)
        .bind(Some(7))
        .bind(String::from("four"));
    assert_eq!(lines(&query.collect().await?), ["3000000000|hello|1.25|true|NULL|2025-06-15|7|four"]);

    let few = engine.query("SELECT ?, ?").bind(1).await.expect_err("a value is missing");
    assert_eq!(few.kind(), ErrorKind::Invalid);
    assert_eq!(answer(&engine, "SELECT 1").await?, ["1"]);
    let of_type_null = engine.query("SELECT coalesce(?, 'none') AS x").bind(Value::NULL).collect().await?;
    assert_eq!(lines(&of_type_null), ["none"]);
    Ok(())
}

async fn a_stream_ends_with_its_bill() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    let planned = engine.query("SELECT n FROM (VALUES 1, 2, 3) AS t (n)").plan().await?;
    assert_eq!(planned.estimate().map(|estimate| estimate.bytes), Some(0));
    let mut rows = planned.run().await?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows();
    }
    let report = rows.report();
    assert_eq!((count, report.state, report.usage.rows, report.bill.billed_bytes), (3, QueryState::Succeeded, 3, 0));
    let recorded = format!("SELECT state FROM system.queries WHERE query_id = '{}'", report.query_id);
    assert_eq!(answer(&engine, &recorded).await?, ["SUCCEEDED"]);
    Ok(())
}

async fn a_data_directory_is_opened_by_its_path() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    for _ in 0..2 {
        let engine = Engine::open(folder.path()).await?;
        engine.query("CREATE DATABASE IF NOT EXISTS shop").collect().await?;
        engine.query("USE shop").collect().await?;
        assert_eq!(engine.session().database(), "shop");
    }
    let engine = Engine::open(folder.path().join("")).await?;
    assert_eq!(answer(&engine, "SHOW DATABASES LIKE 'shop'").await?, ["shop"]);
    assert_eq!(engine.session().database(), "default", "a session ends with its engine");
    Ok(())
}

async fn an_engine_in_memory_leaves_nothing() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    let folder = engine.options().data_dir.clone();
    let clone = engine.clone();
    drop(engine);
    assert!(folder.exists(), "a clone is the same engine");
    assert_eq!(answer(&Engine::in_memory().await?, "SHOW TABLES").await?, Vec::<String>::new());
    drop(clone);
    assert!(!folder.exists());
    Ok(())
}

async fn registered_batches_are_tables() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    engine.register_batches("rates", vec![rates(), rates()]).await?;
    let joined = "SELECT p.what, p.price * r.rate FROM (VALUES ('tea', 'GBP', 2e0), ('cake', 'EUR', 4e0)) AS p (what, currency, price) \
                  JOIN (SELECT DISTINCT * FROM RATES) r ON r.currency = p.currency ORDER BY 1";
    let (batches, report) = engine.query(joined).await?.collect_with_report().await?;
    assert_eq!(lines(&batches), ["cake|6.0", "tea|5.0"]);
    assert_eq!((report.usage.data_scanned_bytes, report.usage.requests.total(), report.bill.billed_bytes), (0, 0, 0));
    assert_eq!(answer(&engine, "SELECT count(*) FROM default.rates").await?, ["4"]);

    // A plain name belongs to the current database, and a name may name its database.
    engine.query("CREATE DATABASE shop").collect().await?;
    engine.register_batches("shop.rates", vec![rates().slice(0, 1)]).await?;
    assert_eq!(answer(&engine, "SELECT currency FROM shop.rates").await?, ["EUR"]);
    engine.query("CREATE VIEW shop.v AS SELECT sum(rate) AS total FROM rates").collect().await?;
    assert_eq!(answer(&engine, "SELECT total FROM shop.v").await?, ["8.0"]);

    engine.deregister_table("rates")?;
    let gone = answer(&engine, "SELECT * FROM rates").await.expect_err("the table is gone");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(engine.deregister_table("rates").expect_err("it is gone").kind(), ErrorKind::NotFound);

    // Large enough to wait for a slot, and in several batches.
    let numbers = |from: i64| {
        let n: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 10_000));
        RecordBatch::try_from_iter([("n", n)]).expect("the column fits")
    };
    engine.register_batches("numbers", (0..10).map(|at| numbers(at * 10_000)).collect()).await?;
    assert_eq!(answer(&engine, "SELECT count(*), sum(n) FROM numbers WHERE n >= 50000").await?, ["50000|3749975000"]);
    Ok(())
}

async fn registered_batches_shadow_no_table() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    engine.query("CREATE VIEW known AS SELECT 1 AS one").collect().await?;
    let exists = engine.register_batches("known", vec![rates()]).await.expect_err("the catalog has it");
    assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
    engine.register_batches("rates", vec![rates()]).await?;
    let twice = engine.register_batches("RATES", vec![rates()]).await.expect_err("it is registered");
    assert_eq!(twice.kind(), ErrorKind::AlreadyExists);

    // Another process may create one of that name at any time.
    engine.query("CREATE VIEW rates AS SELECT 1 AS one").collect().await?;
    let both = answer(&engine, "SELECT * FROM rates").await.expect_err("there are two");
    assert_eq!(both.kind(), ErrorKind::AlreadyExists);
    engine.deregister_table("rates")?;
    assert_eq!(answer(&engine, "SELECT * FROM rates").await?, ["1"]);
    Ok(())
}

async fn what_cannot_be_registered_is_refused() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    let one = |name: &str, column: ArrayRef| RecordBatch::try_from_iter([(name, column)]).expect("the column fits");
    let text = || Arc::new(StringArray::from(vec!["x"])) as ArrayRef;
    let twice = RecordBatch::try_from_iter([("A", text()), ("a", text())])?;
    let large = one("n", Arc::new(UInt64Array::from(vec![u64::MAX])));
    for (name, batches, kind) in [
        ("t", vec![], ErrorKind::Invalid),
        ("t", vec![twice], ErrorKind::Invalid),
        ("t", vec![one("a", text()), one("b", text())], ErrorKind::Invalid),
        ("t", vec![large], ErrorKind::Invalid),
        ("a.b.c", vec![rates()], ErrorKind::Invalid),
        ("t$partitions", vec![rates()], ErrorKind::Invalid),
        ("system.t", vec![rates()], ErrorKind::Invalid),
        ("nowhere.t", vec![rates()], ErrorKind::NotFound),
    ] {
        let error = engine.register_batches(name, batches).await.expect_err(name);
        assert_eq!(error.kind(), kind, "{name}: {error}");
    }
    engine.register_batches("t", vec![rates()]).await?;
    let hidden = answer(&engine, "SELECT \"$path\" FROM t").await.expect_err("it has no files");
    assert_eq!(hidden.kind(), ErrorKind::Invalid);
    Ok(())
}

async fn grants_hold_for_sessions_of_users() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    engine.query("CREATE DATABASE shop").collect().await?;
    engine.query("CREATE VIEW v AS SELECT 1 AS one").collect().await?;
    engine.register_batches("shop.rates", vec![rates()]).await?;
    let ada = Session::for_user("ada");
    let asked = async |sql: &str| engine.query(sql).session(&ada).collect().await.map(|batches| lines(&batches));

    assert_eq!(asked("SELECT count(*) FROM shop.rates").await?, ["2"]);
    for changes in ["CREATE DATABASE own", "DROP VIEW v", "GRANT ALL ON CATALOG TO USER ada"] {
        assert_eq!(asked(changes).await.expect_err(changes).kind(), ErrorKind::Denied);
    }
    let planned = engine.query("SELECT count(*) FROM shop.rates").session(&ada).plan().await?;
    engine.query("DENY ALL ON SCHEMA shop TO USER ada").collect().await?;
    engine.query("DENY ALL ON v TO USER ada").collect().await?;
    for denied in ["SELECT count(*) FROM shop.rates", "SELECT * FROM v"] {
        assert_eq!(asked(denied).await.expect_err(denied).kind(), ErrorKind::Denied);
    }
    let refused: Error = planned.run().await.expect_err("access is checked again").into();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    assert_eq!(
        answer(&engine, "SELECT count(*) FROM shop.rates").await?,
        ["2"],
        "the program's own session is an administrator's"
    );
    assert_eq!(asked("SELECT DISTINCT \"user\" FROM system.queries").await?, ["ada"], "users see their own queries");
    Ok(())
}

/// A function that doubles.
fn doubling(name: &str) -> ScalarUDF {
    let double = Arc::new(|arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let doubled: Int64Array = as_int64_array(&columns[0])?.iter().map(|value| value.map(|value| value * 2)).collect();
        Ok(ColumnarValue::Array(Arc::new(doubled)))
    });
    create_udf(name, vec![DataType::Int64], DataType::Int64, Volatility::Immutable, double)
}

async fn functions_are_registered() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    engine.register_udf(doubling("doubled"))?;
    assert_eq!(answer(&engine, "SELECT Doubled(n) FROM (VALUES 1, 2, NULL) AS t (n)").await?.len(), 3);
    assert_eq!(answer(&engine, "SELECT sum(doubled(n)) FROM (VALUES 1, 2, NULL) AS t (n)").await?, ["6"]);
    assert!(engine.function_names().iter().any(|name| name == "doubled"));
    for (name, kind) in [("doubled", ErrorKind::AlreadyExists), ("sum", ErrorKind::AlreadyExists), ("Twice", ErrorKind::Invalid)]
    {
        assert_eq!(engine.register_udf(doubling(name)).expect_err(name).kind(), kind, "{name}");
    }
    Ok(())
}

async fn a_store_of_ones_own_is_metered() -> Result<(), Failed> {
    let (first, second) = ("north,4.5\nsouth,17.0\n", "north,3.0\n");
    let store = InMemory::new();
    store.put(&Path::from("readings/day=2025-01-01/a.csv"), first.into()).await?;
    store.put(&Path::from("readings/day=2025-01-02/a.csv"), second.into()).await?;
    let engine = Engine::in_memory().await?;
    let store = Arc::new(store);
    engine.register_object_store("s3://sensors", Arc::clone(&store) as _)?;
    for (url, kind) in [
        ("s3://sensors", ErrorKind::AlreadyExists),
        ("s3://sensors/readings", ErrorKind::Invalid),
        ("/tmp", ErrorKind::Invalid),
        ("memory://sensors", ErrorKind::Unsupported),
    ] {
        let refused = engine.register_object_store(url, Arc::clone(&store) as _).expect_err(url);
        assert_eq!(refused.kind(), kind, "{url}");
    }
    let table = "CREATE EXTERNAL TABLE readings (sensor STRING, celsius DOUBLE) PARTITIONED BY (day DATE) \
                 ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE LOCATION 's3://sensors/readings/'";
    engine.query(table).collect().await?;
    engine.query("MSCK REPAIR TABLE readings").collect().await?;
    for (filter, rows, bytes, gets) in [
        ("day = DATE '2025-01-01'", "2|21.5", first.len(), 1),
        ("day > DATE '2024-12-31'", "3|24.5", first.len() + second.len(), 2),
        ("day = DATE '2025-01-03'", "0|NULL", 0, 0),
    ] {
        let sql = format!("SELECT count(*), sum(celsius) FROM readings WHERE {filter}");
        let (batches, report) = engine.query(&sql).await?.collect_with_report().await?;
        let usage = report.usage;
        assert_eq!(lines(&batches), [rows], "{filter}");
        assert_eq!(usage.data_scanned_bytes, bytes as u64, "{filter}");
        assert!(usage.fetched_bytes >= usage.data_scanned_bytes, "{filter}: {usage:?}");
        assert_eq!((usage.requests.get, usage.requests.list > 0), (gets, gets > 0), "{filter}");
    }
    Ok(())
}

async fn errors_have_kinds_and_hints() -> Result<(), Failed> {
    let engine = Engine::in_memory().await?;
    for (sql, kind) in
        [("SELECT * FROM nowhere", ErrorKind::NotFound), ("SELEC 1", ErrorKind::Syntax), ("SELECT 1 WHERE", ErrorKind::Syntax)]
    {
        let error: Error = engine.query(sql).await.expect_err(sql);
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(!error.message().is_empty());
    }
    let hint = engine.query("SELECT * FROM nowhere").await.expect_err("there is none");
    assert!(hint.hint().is_some_and(|hint| hint.contains("SHOW TABLES")), "{hint:?}");
    Ok(())
}
