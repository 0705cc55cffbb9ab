//! `EXPLAIN (TYPE IO)`: the documents are those of a Trino (`answers.jsonl`, which `record.py` records), but for the planner's estimates.

use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time!["quote"; documents_are_trinos]
}

/// The same tables and rows as in `record.py`.
async fn instance() -> Instance {
    let instance = Instance::start(Lake::in_folder()).await;
    instance
        .run(
            "CREATE EXTERNAL TABLE t (id INT, name STRING, price DECIMAL(10,2), day DATE) \
             PARTITIONED BY (year INT, region STRING) STORED AS PARQUET LOCATION '{lake}/t/'",
        )
        .await;
    for (place, row) in [
        ("year=2024/region=eu", "1 AS id, 'a' AS name, CAST(1.5 AS DECIMAL(10,2)) AS price, DATE '2024-01-01' AS day"),
        ("year=2024/region=us", "2 AS id, 'b' AS name, CAST(2.5 AS DECIMAL(10,2)) AS price, DATE '2024-01-02' AS day"),
        ("year=2025/region=eu", "3 AS id, 'c' AS name, CAST(3.5 AS DECIMAL(10,2)) AS price, DATE '2025-01-01' AS day"),
        ("year=2026/region=eu", "4 AS id, 'd' AS name, CAST(4.5 AS DECIMAL(10,2)) AS price, DATE '2025-01-02' AS day"),
    ] {
        instance.write(&format!("t/{place}/a.parquet"), &format!("SELECT {row}")).await;
    }
    instance.run("CREATE EXTERNAL TABLE flat (id BIGINT, name STRING, x DOUBLE) STORED AS PARQUET LOCATION '{lake}/flat/'").await;
    instance.write("flat/a.parquet", "SELECT id, name, x FROM (VALUES (1, 'a', 1e0), (2, 'b', 2e0)) AS v (id, name, x)").await;
    instance
        .run(
            "CREATE EXTERNAL TABLE n (id INT, b BOOLEAN, ts TIMESTAMP, big BIGINT, bin BINARY) PARTITIONED BY (p DATE) \
             STORED AS PARQUET LOCATION '{lake}/n/'",
        )
        .await;
    for (id, place) in [(1, "p=2024-01-01"), (2, "p=__HIVE_DEFAULT_PARTITION__")] {
        let row = "true AS b, TIMESTAMP '2024-01-01 00:00:00' AS ts, CAST(9 AS BIGINT) AS big, X'00' AS bin";
        instance.write(&format!("n/{place}/a.parquet"), &format!("SELECT {id} AS id, {row}")).await;
    }
    for table in ["t", "n"] {
        instance.run(&format!("MSCK REPAIR TABLE {table}")).await;
    }
    instance
}

async fn documents_are_trinos() -> Result<(), Failed> {
    let instance = instance().await;
    let mut wrong = Vec::new();
    for line in include_str!("io/answers.jsonl").lines() {
        let case: Value = serde_json::from_str(line)?;
        let sql = case["sql"].as_str().ok_or("a query")?.replace(['{', '}'], "");
        let answer = instance.run(&format!("EXPLAIN (TYPE IO, FORMAT JSON) {sql}")).await;
        let document = super::document(&answer)?;
        let (found, expected) = (inputs(&document), inputs(&case["document"]));
        if found != expected {
            wrong.push(format!("{sql}\n  {}\n  {}", found.join("\n  "), expected.join("\n  ")));
        }
        let names = |document: &Value| document["estimate"].as_object().map(|names| names.keys().cloned().collect::<Vec<_>>());
        assert_eq!(names(&document), names(&case["document"]), "{sql}");
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} differ:\n{}", wrong.len(), wrong.join("\n")).into()) }
}

/// The tables of a document, in any order, with what is known of their columns. Their catalog has another name here.
fn inputs(document: &Value) -> Vec<String> {
    let told = |input: &Value| {
        let mut columns: Vec<Value> = input["constraint"]["columnConstraints"].as_array().cloned().unwrap_or_default();
        columns.sort_by_key(|column| column["columnName"].to_string());
        format!("{} {} {}", input["table"]["schemaTable"], input["constraint"]["none"], Value::from(columns))
    };
    let mut inputs: Vec<String> = document["inputTableColumnInfos"].as_array().into_iter().flatten().map(told).collect();
    inputs.sort();
    inputs
}
