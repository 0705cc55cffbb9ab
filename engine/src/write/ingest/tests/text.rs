//! Rows taken into tables of delimited text.

use std::{fs, sync::Arc};

use arrow::array::{ArrayRef, Int32Array, TimestampMicrosecondArray};
use futures::TryStreamExt;

use super::{ErrorKind, Lake, append, batch, integers, refused, texts, then};

const OPEN_CSV: &str = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'";

fn times(micros: &[i64]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros.to_vec()))
}

#[tokio::test]
async fn lines_go_to_the_directories_of_their_partitions() {
    let lake = Lake::open().await;
    lake.sql(
        "CREATE EXTERNAL TABLE t (id BIGINT, name STRING, seen TIMESTAMP) PARTITIONED BY (k INT)
         ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' STORED AS TEXTFILE LOCATION '{lake}t/'
         TBLPROPERTIES ('skip.header.line.count' = '1', 'write.compression' = 'NONE')",
    )
    .await;
    let rows = batch([
        ("name", texts([Some("a,b"), None, Some("")])),
        ("k", integers([1, 1, 2])),
        ("seen", times(&[1_700_000_000_123_000, 0, -1])),
        ("id", integers([1, 2, 3])),
    ]);
    let summary = lake.ingest(append("t", &rows), vec![rows.clone()]).await.unwrap();
    let file = |k: usize| format!("lake/t/k={k}/{}-00000", summary.report.query_id);
    assert_eq!(lake.files(), [file(1), file(2)]);
    let text = |k: usize| fs::read_to_string(lake.folder.path().join(file(k))).unwrap();
    assert_eq!(text(1), "id,name,seen\n1,a\\,b,2023-11-14 22:13:20.123\n2,\\N,1970-01-01 00:00:00\n");
    assert_eq!(text(2), "id,name,seen\n3,,1969-12-31 23:59:59.999999\n");
    assert_eq!(summary.bytes, (text(1).len() + text(2).len()) as u64);
    lake.ingest(append("t", &rows), vec![rows.slice(1, 1), rows.slice(2, 1)]).await.unwrap();
    let counted = lake.sql("SELECT id, name IS NULL, count(*) FROM t GROUP BY 1, 2 ORDER BY 1").await;
    assert_eq!(counted, ["1|false|1", "2|true|2", "3|false|2"]);
    assert_eq!(lake.sql("SELECT name FROM t WHERE k = 1 AND id = 1").await, ["a,b"]);
}

#[tokio::test]
async fn csv_is_quoted_and_compressed() {
    let lake = Lake::open().await;
    lake.sql(&format!("CREATE EXTERNAL TABLE t (a STRING, n INT) {OPEN_CSV} STORED AS TEXTFILE LOCATION '{{lake}}t/'")).await;
    let numbers = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let rows = batch([("a", texts([Some("x,\"y\"\\"), None, Some("é")])), ("n", numbers)]);
    lake.ingest(append("t", &rows), vec![rows.clone()]).await.unwrap();
    let [file] = lake.files().try_into().unwrap();
    assert!(file.ends_with("-00000.csv.gz"), "{file}");
    assert_eq!(lake.sql("SELECT n, a FROM t ORDER BY 1").await, ["1|x,\"y\"\\", "2|", "3|é"]);
}

#[tokio::test]
async fn rows_that_would_not_be_read_back_leave_nothing() {
    let lake = Lake::open().await;
    let rows = batch([("a", texts([Some("fine"), Some("x,y")])), ("n", integers([1, 2]))]);
    for (name, layout, kind, names) in [
        ("plain", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','".to_owned(), ErrorKind::Invalid, "\"a\""),
        ("headed", "TBLPROPERTIES ('skip.header.line.count' = '2')".to_owned(), ErrorKind::Unsupported, "skip.header.line.count"),
        ("footed", "TBLPROPERTIES ('skip.footer.line.count' = '1')".to_owned(), ErrorKind::Unsupported, "skip.footer.line.count"),
        ("snappy", "TBLPROPERTIES ('write.compression' = 'SNAPPY')".to_owned(), ErrorKind::Unsupported, "write.compression"),
    ] {
        let (before, after) = if layout.starts_with("ROW") { (layout.as_str(), "") } else { ("", layout.as_str()) };
        let table = format!("CREATE EXTERNAL TABLE {name} (a STRING, n BIGINT) {before} LOCATION '{{lake}}{name}/' {after}");
        lake.sql(&table).await;
        refused(lake.ingest(append(name, &rows), vec![rows.clone()]).await, kind, names);
        assert_eq!(lake.files(), [""; 0], "{name}");
    }
    let small = format!("CREATE EXTERNAL TABLE small (a STRING, n SMALLINT) {OPEN_CSV} STORED AS TEXTFILE");
    lake.sql(&format!("{small} LOCATION '{{lake}}small/'")).await;
    refused(lake.ingest(append("small", &rows), vec![rows.clone()]).await, ErrorKind::Unsupported, "smallint");
}

#[tokio::test]
async fn a_table_whose_layout_changes_meanwhile_takes_nothing() {
    let lake = Lake::open().await;
    lake.sql("CREATE EXTERNAL TABLE t (a STRING) LOCATION '{lake}t/'").await;
    let rows = batch([("a", texts([Some("x")]))]);
    let (engine, session) = (lake.engine.clone(), lake.session.clone());
    let changing = then(&rows, async move {
        let query = engine.submit(&session, "ALTER TABLE t SET TBLPROPERTIES ('field.delim' = ',')").await.unwrap();
        query.try_collect::<Vec<_>>().await.unwrap();
        None
    });
    refused(lake.engine.ingest(&lake.session, append("t", &rows), changing).await, ErrorKind::Conflict, "altered");
    assert_eq!(lake.files(), [""; 0]);
}
