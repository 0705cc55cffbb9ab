//! Statements with parameters, and what is known of a statement before it runs.

use std::{sync::Arc, time::Duration};

use arrow::{
    array::{ArrayRef, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array, NullArray, RecordBatch, StringArray},
    datatypes::{DataType, Int32Type},
};
use futures::TryStreamExt;
use glaux_engine::{
    ErrorKind, Role, Session, SessionOptions,
    query::{Failure, Parameters, PlannedQuery, QueryState},
};
use glaux_tests::{PATIENCE, instance::Instance, lake::Lake, runner::render};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("planned/parameters_go_by_position", || crate::block_on(parameters_go_by_position())),
        Trial::test("planned/parameters_take_the_types_of_their_places", || crate::block_on(parameters_take_types())),
        Trial::test("planned/what_is_around_parameters_tells_their_types", || crate::block_on(what_is_around_tells_types())),
        Trial::test("planned/parameters_prune", || crate::block_on(parameters_prune())),
        Trial::test("planned/wrong_parameters_are_refused", || crate::block_on(wrong_parameters_are_refused())),
        Trial::test("planned/planning_reads_and_changes_nothing", || crate::block_on(planning_reads_and_changes_nothing())),
        Trial::test("planned/the_described_schema_is_the_results", || crate::block_on(the_described_schema_is_the_results())),
        Trial::test("planned/rights_are_looked_up_again", || crate::block_on(rights_are_looked_up_again())),
        Trial::test("planned/slow_readers_leave_their_places", || crate::block_on(slow_readers_leave_their_places())),
        Trial::test("planned/a_join_that_computes_stops", || crate::block_on(a_join_that_computes_stops())),
    ]
}

async fn instance() -> Instance {
    let instance = Instance::start(Lake::in_folder()).await;
    for (day, n) in [("2025-01-01", 1), ("2025-01-02", 2), ("2025-01-03", 3)] {
        let rows = format!("SELECT CAST({n} AS INTEGER) AS n, 'w{n}' AS word, DATE '{day}' AS d, {n}.5E0 AS f");
        instance.write(&format!("t/day={day}/a.parquet"), &rows).await;
    }
    let table = "CREATE EXTERNAL TABLE t (n INT, word STRING, d DATE, f DOUBLE) PARTITIONED BY (day DATE) STORED AS PARQUET \
                 LOCATION '{lake}/t/'";
    instance.run(table).await;
    instance.run("MSCK REPAIR TABLE t").await;
    instance
}

fn values(columns: Vec<ArrayRef>) -> Parameters {
    // The names are those that clients give, and mean nothing.
    let named = columns.into_iter().enumerate().map(|(at, column)| (at.to_string(), column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).expect("a row of values");
    Parameters::from_batches(&[batch]).expect("values")
}

fn numbers(values: impl IntoIterator<Item = i64>) -> Vec<ArrayRef> {
    values.into_iter().map(|value| Arc::new(Int64Array::from(vec![value])) as ArrayRef).collect()
}

async fn rights_are_looked_up_again() -> Result<(), Failed> {
    let instance = instance().await;
    instance.run("CREATE DATABASE shop").await;
    instance.run("CREATE VIEW shop.v AS SELECT n FROM default.t").await;
    let ada = || Session::new(SessionOptions { user: "ada".to_owned(), role: Role::User, ..SessionOptions::default() });
    let session = ada();
    let statements = [
        "SELECT n FROM t",
        "SELECT count(*) AS c FROM shop.v",
        "SELECT 1 AS one FROM t WHERE n > 100",
        "SELECT * FROM \"t$partitions\"",
        "EXPLAIN SELECT n FROM t",
        "EXPLAIN ANALYZE SELECT n FROM t",
    ];
    let plan = async |sql: &str| instance.engine.plan(&session, sql, &Parameters::default()).await;
    let mut planned = Vec::new();
    for sql in statements {
        planned.push((sql, plan(sql).await?));
    }
    let names = plan("SELECT table_name FROM information_schema.tables WHERE table_name = 't'").await?;
    instance.run("DENY ALL ON t TO USER ada").await;
    for (sql, planned) in planned {
        planned.check_access().await.expect_err(sql);
        let refused = planned.run().await.expect_err(sql).error;
        assert_eq!(refused.kind(), ErrorKind::Denied, "{sql}: {refused:?}");
    }
    assert_eq!(lines(names).await?, Vec::<String>::new(), "what is listed is what is open when it is listed");
    instance.run("REVOKE ALL ON t FROM USER ada").await;
    let again = plan("SELECT count(*) AS c FROM t").await?;
    assert_eq!(lines(again).await?, ["3"]);
    // Whoever was an administrator when it was planned.
    let (session, user) = (ada(), ada());
    session.identify("ada", &[], Role::Administrator, None);
    let planned = instance.engine.plan(&session, "SELECT \"user\" FROM system.queries", &Parameters::default()).await?;
    planned.asked_by(&user);
    assert_eq!(planned.run().await.expect_err("no administrator").error.kind(), ErrorKind::Denied);
    Ok(())
}

async fn lines(planned: PlannedQuery) -> Result<Vec<String>, Failure> {
    let batches: Vec<RecordBatch> = planned.run().await?.try_collect().await.expect("the rows come");
    Ok(batches.iter().flat_map(|batch| render::rows(batch).expect("rows")).map(|row| row.join("|")).collect())
}

async fn answer(instance: &Instance, sql: &str, parameters: Parameters) -> Result<Vec<String>, Failure> {
    lines(instance.engine.plan(&instance.session, sql, &parameters).await?).await
}

async fn parameters_go_by_position() -> Result<(), Failed> {
    let instance = instance().await;
    let sql =
        "WITH c AS (SELECT ? AS a) SELECT a, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM c WHERE ? = 13 ORDER BY 1 OFFSET ? LIMIT ?";
    let got = answer(&instance, sql, values(numbers((1..=13).chain([0, 5])))).await?;
    assert_eq!(got, ["1|2|3|4|5|6|7|8|9|10|11|12"]);
    let got = answer(&instance, "SELECT $2, $11, $1, $1", values(numbers(1..=11))).await?;
    assert_eq!(got, ["2|11|1|1"]);
    // What looks like a parameter and is text or a name.
    let got = answer(&instance, "SELECT '?', \"?\" -- ?\n FROM (SELECT 1 AS \"?\") WHERE 7 = ?", values(numbers([7]))).await?;
    assert_eq!(got, ["?|1"]);
    Ok(())
}

async fn parameters_take_types() -> Result<(), Failed> {
    let instance = instance().await;
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    for (predicate, value, rows) in [
        ("n = ?", numbers([2]).remove(0), 1),
        ("n < ?", numbers([3_000_000_000]).remove(0), 3),
        ("n > ?", Arc::new(Float64Array::from(vec![1.5])), 2),
        ("n = ?", Arc::new(Int32Array::from(vec![3])), 1),
        ("d = ?", Arc::new(Date32Array::from(vec![20_090])), 1),
        ("d >= ?", text("2025-01-02"), 2),
        ("day = ?", text("2025-01-02"), 1),
        ("word LIKE ?", text("w%"), 3),
        ("word IN (?, 'w3')", text("w1"), 2),
        ("f BETWEEN ? AND 3", Arc::new(Float64Array::from(vec![1.0])), 2),
        ("word = ?", Arc::new(["w1"].into_iter().collect::<DictionaryArray<Int32Type>>()), 1),
        // NULL is equal to nothing, of whatever type it comes.
        ("n = ?", Arc::new(NullArray::new(1)), 0),
        ("n = ?", Arc::new(Int64Array::from(vec![None::<i64>])), 0),
        ("word = ?", Arc::new(StringArray::from(vec![None::<&str>])), 0),
        ("coalesce(?, n) = n", Arc::new(NullArray::new(1)), 3),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE {predicate}");
        let got = answer(&instance, &sql, values(vec![Arc::clone(&value)])).await?;
        assert_eq!(got, [rows.to_string()], "{predicate} with {value:?}");
    }
    let sql = "SELECT ?, n + ?, CAST(? AS BIGINT) FROM t WHERE d > ? AND word = ? LIMIT ?";
    let described = instance.engine.describe(&instance.session, sql).await?;
    let types: Vec<_> = described.parameters.fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Null, DataType::Int64, DataType::Int64, DataType::Date32, DataType::Utf8, DataType::Int64]);
    assert!(described.parameters.fields().iter().all(|field| field.is_nullable()));
    Ok(())
}

/// The kinds of types that Trino's DESCRIBE INPUT tells, and where it does not, those of the values that fit.
async fn what_is_around_tells_types() -> Result<(), Failed> {
    use DataType::{Boolean, Date32, Float64, Int64, Null, Utf8};

    let instance = instance().await;
    for (sql, expected) in [
        ("SELECT coalesce(?, n), coalesce(n, ?), coalesce(?, ?, word) FROM t", vec![Int64, Int64, Utf8, Utf8]),
        ("SELECT CASE WHEN n > ? THEN ? ELSE 'no' END FROM t", vec![Int64, Utf8]),
        ("SELECT CASE n WHEN ? THEN ? WHEN 2 THEN d END, CASE WHEN ? THEN 1 END FROM t", vec![Int64, Date32, Boolean]),
        ("SELECT greatest(?, n), least(f, ?), nullif(word, ?) FROM t", vec![Int64, Float64, Utf8]),
        ("SELECT substr(word, ?, ?), round(f, ?) FROM t", vec![Int64; 3]),
        ("SELECT lower(?), upper(?), replace(word, ?, ?), strpos(word, ?) FROM t", vec![Utf8; 5]),
        ("SELECT word || ?, ? || ?, concat(?, word) FROM t", vec![Utf8; 4]),
        ("SELECT sqrt(?) FROM t WHERE word LIKE ? AND ? LIKE word", vec![Float64, Utf8, Utf8]),
        ("SELECT 1 FROM t WHERE n IN (?, ?) AND ? IN (1, 2) AND ? IN (d, ?)", vec![Int64, Int64, Int64, Date32, Date32]),
        ("SELECT 1 FROM t WHERE ? BETWEEN n AND 3 AND ? BETWEEN ? AND d", vec![Int64, Date32, Date32]),
        ("SELECT 1 FROM t WHERE ? AND NOT ? OR n = ? + 1", vec![Boolean, Boolean, Int64]),
        ("SELECT 1 FROM t WHERE ?", vec![Boolean]),
        ("SELECT ARRAY[n, ?] FROM t GROUP BY n HAVING sum(n) > ? LIMIT ?", vec![Int64; 3]),
        ("EXPLAIN SELECT n FROM t WHERE d < ? AND lower(?) = word", vec![Date32, Utf8]),
        ("EXPLAIN ANALYZE SELECT n FROM t WHERE n < ?", vec![Int64]),
        ("EXPLAIN (TYPE LOGICAL) SELECT ?", vec![Null]),
        // Nothing tells, or values of several kinds fit.
        ("SELECT ?, ? = ?, abs(?), date_trunc('day', ?) FROM t", vec![Null; 5]),
    ] {
        let described = instance.engine.describe(&instance.session, sql).await.map_err(|error| format!("{sql}: {error}"))?;
        let types: Vec<_> = described.parameters.fields().iter().map(|field| field.data_type().clone()).collect();
        assert_eq!(types, expected, "{sql}");
    }
    let explained = instance.engine.describe(&instance.session, "EXPLAIN SELECT n FROM t WHERE n < ?").await?;
    assert_eq!(explained.schema.field(0).name(), "Query Plan");
    // Values of other types than the place's are what they are, as everywhere.
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    for (sql, value, expected) in [
        ("SELECT coalesce(?, n) AS x FROM t WHERE n = 1", numbers([7]).remove(0), "7"),
        ("SELECT coalesce(?, n) AS x FROM t WHERE n = 1", numbers([3_000_000_000]).remove(0), "3000000000"),
        ("SELECT substr(word, ?) AS x FROM t WHERE n = 1", numbers([2]).remove(0), "1"),
        ("SELECT lower(?) AS x", text("ABC"), "abc"),
        ("SELECT CASE WHEN n = 1 THEN ? ELSE 'no' END AS x FROM t WHERE n = 1", text("yes"), "yes"),
    ] {
        assert_eq!(answer(&instance, sql, values(vec![value])).await?, [expected], "{sql}");
    }
    Ok(())
}

async fn parameters_prune() -> Result<(), Failed> {
    let instance = instance().await;
    for value in [Arc::new(Date32Array::from(vec![20_090])) as ArrayRef, Arc::new(StringArray::from(vec!["2025-01-02"]))] {
        let planned = instance.engine.plan(&instance.session, "SELECT n FROM t WHERE day = ?", &values(vec![value])).await?;
        assert_eq!(planned.estimate().map(|estimate| estimate.files), Some(1));
        let canceller = planned.canceller();
        assert_eq!(lines(planned).await?, ["2"]);
        let usage = canceller.report().usage;
        assert_eq!((usage.partitions.scanned, usage.partitions.total), (1, Some(3)));
    }
    Ok(())
}

async fn wrong_parameters_are_refused() -> Result<(), Failed> {
    let instance = instance().await;
    for (sql, given, kind) in [
        ("SELECT ?", 0, ErrorKind::Invalid),
        ("SELECT ?", 2, ErrorKind::Invalid),
        ("SELECT 1", 1, ErrorKind::Invalid),
        ("SHOW TABLES", 1, ErrorKind::Invalid),
        ("SELECT ?, $1", 1, ErrorKind::Syntax),
        ("SELECT $0", 1, ErrorKind::Syntax),
        ("SELECT $name", 1, ErrorKind::Syntax),
        ("SELECT $99999", 1, ErrorKind::Syntax),
        ("CREATE VIEW v AS SELECT ? AS x", 1, ErrorKind::Invalid),
    ] {
        let failure = instance.engine.plan(&instance.session, sql, &values_or_none(given)).await.expect_err(sql);
        assert_eq!(failure.error.kind(), kind, "{sql}: {}", failure.error);
        assert_eq!(failure.report.state, QueryState::Failed, "{sql}");
    }
    Ok(())
}

fn values_or_none(count: i64) -> Parameters {
    if count == 0 { Parameters::default() } else { values(numbers(1..=count)) }
}

async fn planning_reads_and_changes_nothing() -> Result<(), Failed> {
    let instance = instance().await;
    let none = Parameters::default();
    let planned = instance.engine.plan(&instance.session, "SELECT sum(n) FROM t", &none).await?;
    let report = planned.report();
    assert_eq!((report.state, report.usage.data_scanned_bytes), (QueryState::Queued, 0));
    let estimate = planned.estimate().expect("a scan has an estimate");
    assert_eq!(estimate.files, 3);
    let canceller = planned.canceller();
    assert_eq!(lines(planned).await?, ["6"]);
    assert!(canceller.report().usage.data_scanned_bytes <= estimate.bytes);

    let dropped = instance.engine.plan(&instance.session, "DROP TABLE t", &none).await?;
    assert!(!dropped.is_query());
    let id = dropped.id();
    drop(dropped);
    assert_eq!(instance.run("SHOW TABLES").await.lines(), ["t"]);
    assert_eq!(instance.engine.history().get(id).await?.state, QueryState::Cancelled);

    instance.engine.describe(&instance.session, "DROP TABLE t").await?;
    assert_eq!(instance.run("SHOW TABLES").await.lines(), ["t"]);
    Ok(())
}

/// One schema, whether a statement is described, planned or run, and whatever the planner can prove of its columns.
async fn the_described_schema_is_the_results() -> Result<(), Failed> {
    let instance = instance().await;
    for sql in [
        "SELECT * FROM t",
        "SELECT count(*), min(n), max(d), avg(f), sum(n) FROM t",
        "SELECT 1, 'a', NULL, DATE '2025-01-01', 1.5, \"$path\" FROM t",
        "SELECT word, count(*) OVER (PARTITION BY d) FROM t ORDER BY 1",
        "SELECT n FROM t WHERE false",
        "SELECT array[n], map(array['a'], array[n]), row(n, word) FROM t",
        "SELECT n FROM t UNION ALL SELECT f FROM t",
        "SHOW TABLES",
        "SHOW QUERIES",
        "DESCRIBE t",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "SET SESSION timeout = '1h'",
        "SELECT * FROM system.queries",
        "SELECT * FROM information_schema.columns",
    ] {
        let described = instance.engine.describe(&instance.session, sql).await?;
        let planned = instance.engine.plan(&instance.session, sql, &Parameters::default()).await?;
        assert_eq!(planned.schema(), described.schema, "{sql}");
        assert_eq!(planned.is_query(), described.is_query, "{sql}");
        let query = planned.run().await?;
        assert_eq!(query.schema(), described.schema, "{sql}");
        let batches: Vec<RecordBatch> = query.try_collect().await?;
        assert!(batches.iter().all(|batch| batch.schema() == described.schema), "{sql}");
        assert!(described.schema.fields().iter().all(|field| field.is_nullable()), "{sql}");
    }
    Ok(())
}

async fn slow_readers_leave_their_places() -> Result<(), Failed> {
    let instance = instance().await;
    let long = "SELECT a.n FROM t a, t b, t c, t d, t e, t f, t g, t h, t i";
    let mut slow = Vec::new();
    for _ in 0..instance.engine.options().max_concurrent_queries {
        slow.push(instance.engine.submit(&instance.session, long).await?);
    }
    // Ends only because those before it are not waited for.
    assert_eq!(instance.run("SELECT sum(n * 1) AS s FROM t").await.lines(), ["6"]);
    for query in &mut slow {
        assert!(query.try_next().await?.is_some(), "a slow reader goes on where it was");
    }
    Ok(())
}

/// A cancelled query's work ends, not its record alone.
async fn a_join_that_computes_stops() -> Result<(), Failed> {
    let instance = instance().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    // 3 to the 20th rows into one: hours of work.
    let tables: Vec<_> = ('a'..='t').map(|name| format!("t {name}")).collect();
    let long = format!("SELECT sum(a.n * t.n % 7) FROM {}", tables.join(", "));
    let mut query = instance.engine.submit(&instance.session, &long).await?;
    assert!(tokio::time::timeout(Duration::from_millis(500), query.try_next()).await.is_err(), "it takes long");
    drop(query);
    let gone = async {
        while tasks() > before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.map_err(|_| "its work goes on")?;
    Ok(())
}
