//! Pruning never loses a row: random predicates over a partitioned table and over the same rows in one file agree.

mod sets;

use std::fmt::Write;

use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = sets::trials();
    // Their predicates are chosen anew in each.
    trials.extend((0..5).map(|part| Trial::test(format!("pruning/never_loses_a_row_{part}"), never_loses_a_row)));
    trials
}

/// The partitions: `y INT, s STRING, d DATE`, some NULL, two of them with equal typed values.
const PARTITIONS: [(&str, &str, &str, &str); 9] = [
    ("2023", "a", "2023-01-01", "y=2023/s=a/d=2023-01-01"),
    ("2023", "b", "2023-12-31", "y=2023/s=b/d=2023-12-31"),
    ("2024", "a", "2024-02-29", "y=2024/s=a/d=2024-02-29"),
    ("2024", "a b", "2024-06-15", "y=2024/s=a b/d=2024-06-15"),
    ("2024", "x:y", "2025-06-15", "y=2024/s=x%3Ay/d=2025-06-15"),
    ("2025", "a", "2025-06-14", "y=2025/s=a/d=2025-06-14"),
    ("2025", "a", "2025-06-14", "y=02025/s=a/d=2025-06-14"),
    ("NULL", "b", "NULL", "y=__HIVE_DEFAULT_PARTITION__/s=b/d=__HIVE_DEFAULT_PARTITION__"),
    ("7", "NULL", "1970-01-01", "y=7/s=__HIVE_DEFAULT_PARTITION__/d=1970-01-01"),
];

fn literal(text: &str, kind: &str) -> String {
    match (text, kind) {
        ("NULL", _) => format!("CAST(NULL AS {kind})"),
        (text, "VARCHAR") => format!("'{text}'"),
        (text, "DATE") => format!("DATE '{text}'"),
        (text, _) => format!("CAST({text} AS {kind})"),
    }
}

fn atom() -> impl Strategy<Value = String> {
    let comparison = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    let year = prop::sample::select(vec!["2023", "2024", "2025", "7", "0", "NULL"]);
    let text = prop::sample::select(vec!["'a'", "'b'", "'a b'", "'x:y'", "'zz'", "NULL"]);
    let date = prop::sample::select(vec!["DATE '2023-12-31'", "DATE '2024-06-15'", "CURRENT_DATE", "DATE '1970-01-01'"]);
    let n = 0..40_i32;
    prop_oneof![
        (comparison.clone(), year.clone()).prop_map(|(op, y)| format!("y {op} {y}")),
        (comparison.clone(), year.clone()).prop_map(|(op, y)| format!("{y} {op} y")),
        (comparison.clone(), text.clone()).prop_map(|(op, s)| format!("s {op} {s}")),
        (comparison.clone(), date.clone()).prop_map(|(op, d)| format!("d {op} {d}")),
        (comparison.clone(), n.clone()).prop_map(|(op, n)| format!("n {op} {n}")),
        (year.clone(), year.clone()).prop_map(|(low, high)| format!("y BETWEEN {low} AND {high}")),
        prop::collection::vec(year, 1..4).prop_map(|years| format!("y IN ({})", years.join(", "))),
        prop::collection::vec(text, 1..4).prop_map(|texts| format!("s NOT IN ({})", texts.join(", "))),
        prop::sample::select(vec!["a%", "%b", "_", "%:%", "%"]).prop_map(|pattern| format!("s LIKE '{pattern}'")),
        prop::sample::select(vec!["y", "s", "d", "n"]).prop_map(|column| format!("{column} IS NULL")),
        prop::sample::select(vec!["y", "s", "d"]).prop_map(|column| format!("{column} IS NOT NULL")),
        n.clone().prop_map(|n| format!("y + n > 2023 + {n}")),
        Just("EXTRACT(YEAR FROM d) = y".to_owned()),
        Just("upper(s) = 'A'".to_owned()),
        Just("CAST(y AS VARCHAR) LIKE '202%'".to_owned()),
        Just("coalesce(y, 2024) = 2024".to_owned()),
        Just("CASE WHEN s = 'a' THEN y ELSE n END > 20".to_owned()),
        Just("s = 'a' IS NOT TRUE".to_owned()),
    ]
}

fn predicate() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" AND "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|part| format!("NOT ({part})")),
        ]
    })
}

fn never_loses_a_row() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let instance = runtime.block_on(lake());
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&predicate(), |predicate| {
        let rows = |table: &str| {
            let sql = format!("SELECT n, y, s, d FROM {table} WHERE {predicate} ORDER BY n, y, s, d");
            runtime.block_on(instance.try_run(&sql)).map(|outcome| outcome.lines()).map_err(|failure| failure.error.to_string())
        };
        let (pruned, whole) = (rows("parts"), rows("whole"));
        prop_assert!(whole.is_ok(), "{:?}", whole);
        prop_assert_eq!(pruned, whole);
        Ok(())
    });
    outcome.map_err(|error| Failed::from(error.to_string()))
}

/// `parts`, partitioned, and `whole`, the same rows in one file.
async fn lake() -> Instance {
    let instance = Instance::start(Lake::in_folder()).await;
    let mut whole = String::from("SELECT * FROM (VALUES ");
    for (at, (y, s, d, directory)) in PARTITIONS.iter().enumerate() {
        let mut rows = String::from("SELECT * FROM (VALUES ");
        for row in 0..4 {
            let n = if row == 3 { "CAST(NULL AS BIGINT)".to_owned() } else { format!("CAST({} AS BIGINT)", at * 4 + row) };
            let separator = if row == 0 { "" } else { ", " };
            let _ = write!(rows, "{separator}({n})");
            let separator = if at + row == 0 { "" } else { ", " };
            let _ = write!(whole, "{separator}({n}, {}, {}, {})", literal(y, "INT"), literal(s, "VARCHAR"), literal(d, "DATE"));
        }
        instance.write(&format!("parts/{directory}/a.parquet"), &format!("{rows}) AS v (n)")).await;
    }
    instance.write("whole/a.parquet", &format!("{whole}) AS v (n, y, s, d)")).await;
    instance.run("CREATE EXTERNAL TABLE parts (n BIGINT) PARTITIONED BY (y INT, s STRING, d DATE) STORED AS PARQUET LOCATION '{lake}/parts/'").await;
    instance
        .run("CREATE EXTERNAL TABLE whole (n BIGINT, y INT, s STRING, d DATE) STORED AS PARQUET LOCATION '{lake}/whole/'")
        .await;
    instance.run("MSCK REPAIR TABLE parts").await;
    instance
}
