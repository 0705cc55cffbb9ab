//! Statements run against a metastore in memory and a store that is a list of keys.

mod lake;
mod shown;

use lake::Lake;

use crate::{error::ErrorKind, session::SessionOptions};

const TABLE: &str = "CREATE EXTERNAL TABLE logs (a int COMMENT 'first', s struct<x:array<int>>) \
                     PARTITIONED BY (dt string, h int) STORED AS PARQUET LOCATION 's3://b/logs'";

#[tokio::test]
async fn databases_come_change_and_go() {
    let lake = Lake::new().await;
    lake.run("CREATE DATABASE Sales COMMENT 'c' LOCATION 's3://b/sales' WITH DBPROPERTIES ('k'='1', 'l'='2')").await;
    lake.run("CREATE SCHEMA IF NOT EXISTS sales").await;
    lake.run("ALTER DATABASE sales SET DBPROPERTIES ('k'='3')").await;
    let database = lake.metastore.database("sales").await.unwrap();
    assert_eq!((database.comment.as_deref(), database.location.as_deref()), (Some("c"), Some("s3://b/sales/")));
    assert_eq!(database.properties.into_iter().collect::<Vec<_>>(), [("k".into(), "3".into()), ("l".into(), "2".into())]);
    assert_eq!(lake.run("SHOW DATABASES LIKE 'sal*|x'").await, ["sales"]);
    assert_eq!(lake.error("CREATE DATABASE sales").await.kind(), ErrorKind::AlreadyExists);

    lake.run("USE Sales").await;
    lake.run(TABLE).await;
    assert_eq!(lake.error("DROP DATABASE sales").await.kind(), ErrorKind::Invalid);
    lake.run("DROP DATABASE sales CASCADE").await;
    lake.run("DROP DATABASE IF EXISTS sales").await;
    assert_eq!(lake.error("DROP DATABASE sales").await.kind(), ErrorKind::NotFound);
    assert_eq!(lake.error("USE sales").await.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_table_is_recorded_as_glue_records_it() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run(&TABLE.replace("TABLE logs", "TABLE IF NOT EXISTS LOGS")).await;
    assert_eq!(lake.error(TABLE).await.kind(), ErrorKind::AlreadyExists);
    let table = lake.table("logs").await;
    assert_eq!(table.storage.location, "s3://b/logs/");
    assert_eq!(table.storage.input_format, "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat");
    assert_eq!(table.storage.serde.library, "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe");
    assert_eq!(table.properties["EXTERNAL"], "TRUE");
    assert_eq!(table.properties["transient_lastDdlTime"], "1704067200");

    lake.run(
        "CREATE EXTERNAL TABLE csv (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' LOCATION '/data/csv' \
         TBLPROPERTIES ('skip.header.line.count'='1', 'EXTERNAL'='FALSE')",
    )
    .await;
    let csv = lake.table("csv").await;
    assert_eq!(csv.storage.location, "file:///data/csv/");
    assert_eq!(csv.storage.input_format, "org.apache.hadoop.mapred.TextInputFormat");
    let serde: Vec<_> = csv.storage.serde.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(serde, [("escape.delim", "\\"), ("field.delim", ","), ("serialization.format", ",")]);
    assert_eq!(csv.properties["EXTERNAL"], "TRUE");

    for (text, kind, message) in [
        ("CREATE EXTERNAL TABLE x (a int)", ErrorKind::Invalid, "no LOCATION"),
        ("CREATE EXTERNAL TABLE x (a int) LOCATION 's3://b/*'", ErrorKind::Invalid, "pattern"),
        ("CREATE EXTERNAL TABLE x (a int, A string) LOCATION 's3://b/'", ErrorKind::Invalid, "two columns"),
        ("CREATE EXTERNAL TABLE x (a int) PARTITIONED BY (a int) LOCATION 's3://b/'", ErrorKind::Invalid, "also another column"),
        ("CREATE EXTERNAL TABLE nodb.x (a int) LOCATION 's3://b/'", ErrorKind::NotFound, "nodb"),
        (
            "CREATE EXTERNAL TABLE x (a int) ROW FORMAT DELIMITED STORED AS ORC LOCATION 's3://b/'",
            ErrorKind::Invalid,
            "STORED AS ORC",
        ),
        (
            "CREATE EXTERNAL TABLE x (abc int) CLUSTERED BY (abd) INTO 2 BUCKETS LOCATION 's3://b/'",
            ErrorKind::NotFound,
            "\"abd\"",
        ),
        (
            "CREATE EXTERNAL TABLE x (a int) LOCATION 's3://b/' TBLPROPERTIES ('table_type'='ICEBERG')",
            ErrorKind::Unsupported,
            "Iceberg",
        ),
    ] {
        let error = lake.error(text).await;
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn partitions_are_added_renamed_and_dropped() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run(
        "ALTER TABLE logs ADD PARTITION (dt='2024-01-01', h=7) PARTITION (h='08', dt=date '2024-01-02') LOCATION 's3://o/x'",
    )
    .await;
    assert_eq!(lake.run("SHOW PARTITIONS logs").await, ["dt=2024-01-01/h=7", "dt=2024-01-02/h=08"]);
    assert_eq!(lake.run("SHOW PARTITIONS logs PARTITION (h='08')").await, ["dt=2024-01-02/h=08"]);
    let again = "ALTER TABLE logs ADD PARTITION (dt='2024-01-01', h=7) PARTITION (dt='2024-01-03', h=1)";
    assert_eq!(lake.error(again).await.kind(), ErrorKind::AlreadyExists);
    assert_eq!(lake.run("SHOW PARTITIONS logs").await.len(), 2, "nothing of a failed statement stays");
    lake.run(&again.replace("ADD", "ADD IF NOT EXISTS")).await;
    assert_eq!(lake.run("SHOW PARTITIONS logs").await.len(), 3);

    lake.run("ALTER TABLE logs PARTITION (dt='2024-01-03', h=1) RENAME TO PARTITION (dt='2024-01-04', h=1)").await;
    lake.run("ALTER TABLE logs DROP PARTITION (dt='2024-01-01', h=7), PARTITION (dt='2024-01-02', h='08')").await;
    assert_eq!(lake.run("SHOW PARTITIONS logs").await, ["dt=2024-01-04/h=1"]);
    lake.run("ALTER TABLE logs ADD PARTITION (dt='__HIVE_DEFAULT_PARTITION__', h=1)").await;
    let values = vec![None, Some("1".to_owned())];
    assert_eq!(lake.metastore.partitions(&lake.table("logs").await, &[values]).await.unwrap().len(), 1);

    for (text, kind, message) in [
        ("ALTER TABLE logs ADD PARTITION (dt='x')", ErrorKind::Invalid, "no value for \"h\""),
        ("ALTER TABLE logs ADD PARTITION (dt='x', hh=1)", ErrorKind::Invalid, "no partition key \"hh\""),
        ("ALTER TABLE logs ADD PARTITION (dt='x', h='one')", ErrorKind::Invalid, "one"),
        ("ALTER TABLE logs DROP PARTITION (dt='x', h=1)", ErrorKind::NotFound, "dt=x/h=1"),
        ("ALTER TABLE logs PARTITION (dt='x', h=1) SET LOCATION 's3://b/'", ErrorKind::NotFound, "dt=x/h=1"),
        ("ALTER TABLE nologs ADD PARTITION (dt='x', h=1)", ErrorKind::NotFound, "nologs"),
    ] {
        let error = lake.error(text).await;
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    lake.run("ALTER TABLE logs DROP IF EXISTS PARTITION (dt='x', h=1)").await;
}

#[tokio::test]
async fn columns_change_for_tables_and_for_partitions() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run("ALTER TABLE logs ADD PARTITION (dt='d', h=1)").await;
    lake.run("ALTER TABLE logs PARTITION (dt='d', h=1) REPLACE COLUMNS (z int)").await;
    lake.run("ALTER TABLE logs ADD COLUMNS (b date)").await;
    lake.run("ALTER TABLE logs CHANGE a id bigint AFTER b").await;
    assert_eq!(
        lake.run("DESCRIBE logs").await[..3],
        ["s|struct<x:array<int>>|", "b|date|", "id|bigint|first"],
        "a comment that is not given stays"
    );
    assert_eq!(lake.run("DESCRIBE logs PARTITION (dt='d', h=1)").await[0], "z|int|");
    lake.run("ALTER TABLE logs CHANGE COLUMN id id bigint COMMENT 'key' FIRST").await;
    assert_eq!(lake.run("DESCRIBE logs").await[0], "id|bigint|key");
    lake.run("ALTER TABLE logs REPLACE COLUMNS (only string)").await;
    assert_eq!(lake.run("SHOW COLUMNS IN logs").await, ["only", "dt", "h"]);
    for (text, kind) in [
        ("ALTER TABLE logs ADD COLUMNS (dt int)", ErrorKind::AlreadyExists),
        ("ALTER TABLE logs ADD COLUMNS (x int, X int)", ErrorKind::AlreadyExists),
        ("ALTER TABLE logs CHANGE dt day string", ErrorKind::Invalid),
        ("ALTER TABLE logs CHANGE onli b string", ErrorKind::NotFound),
        ("ALTER TABLE logs CHANGE only b string AFTER c", ErrorKind::NotFound),
    ] {
        assert_eq!(lake.error(text).await.kind(), kind, "{text}");
    }
}

#[tokio::test]
async fn locations_and_properties_change() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run("ALTER TABLE logs ADD PARTITION (dt='d', h=1)").await;
    lake.run("ALTER TABLE logs SET LOCATION 's3://c/logs'").await;
    let table = lake.table("logs").await;
    assert_eq!(table.storage.location, "s3://c/logs/");
    let index = lake.metastore.partition_index(&table).await.unwrap();
    assert_eq!(index.location(0, &table.root()), "s3://b/logs/dt=d/h=1/", "a partition stays where its files are");
    lake.run("ALTER TABLE logs SET TBLPROPERTIES ('k'='v', 'EXTERNAL'='FALSE', 'comment'='new')").await;
    assert_eq!(lake.run("SHOW TBLPROPERTIES logs ('k')").await, ["k|v"]);
    assert_eq!(lake.run("SHOW TBLPROPERTIES logs ('EXTERNAL')").await, ["EXTERNAL|TRUE"]);
    assert_eq!(lake.table("logs").await.comment.as_deref(), Some("new"));
    lake.run("ALTER TABLE logs UNSET TBLPROPERTIES ('k')").await;
    assert_eq!(lake.error("ALTER TABLE logs UNSET TBLPROPERTIES ('k')").await.kind(), ErrorKind::NotFound);
    lake.run("ALTER TABLE logs UNSET TBLPROPERTIES IF EXISTS ('k')").await;
    assert_eq!(lake.run("SHOW TBLPROPERTIES logs ('k')").await, ["Table default.logs does not have property: k|NULL"]);
}

#[tokio::test]
async fn views_replace_views_and_nothing_else() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run("CREATE VIEW v AS SELECT Alpha, beta FROM logs").await;
    let first = lake.table("v").await;
    assert_eq!(first.view_text.as_deref(), Some("SELECT Alpha, beta FROM logs"));
    assert_eq!(first.view_database.as_deref(), Some("default"));
    assert_eq!(lake.run("SHOW COLUMNS FROM v").await, ["alpha", "beta"]);
    assert_eq!(lake.error("CREATE VIEW v AS SELECT a FROM logs").await.kind(), ErrorKind::AlreadyExists);
    lake.run("CREATE OR REPLACE VIEW v (X, y) COMMENT 'two' AS SELECT Alpha, beta FROM logs").await;
    assert_eq!(lake.table("v").await.id, first.id);
    assert_eq!(lake.run("SHOW COLUMNS FROM v").await, ["x", "y"]);
    assert_eq!(lake.run("SHOW VIEWS").await, ["v"]);
    assert_eq!(lake.run("SHOW TABLES").await, ["logs", "v"]);

    for (text, kind) in [
        ("CREATE OR REPLACE VIEW logs AS SELECT 1 AS a", ErrorKind::AlreadyExists),
        ("CREATE OR REPLACE VIEW v AS SELECT a FROM default.v", ErrorKind::Invalid),
        ("CREATE VIEW w (a) AS SELECT Alpha, beta FROM logs", ErrorKind::Invalid),
        ("CREATE VIEW w AS SELECT a, A FROM logs", ErrorKind::Invalid),
        ("DROP TABLE v", ErrorKind::Invalid),
        ("DROP VIEW logs", ErrorKind::Invalid),
        ("ALTER TABLE v SET LOCATION 's3://b/'", ErrorKind::Invalid),
        ("SHOW CREATE TABLE v", ErrorKind::Invalid),
        ("SHOW CREATE VIEW logs", ErrorKind::Invalid),
        ("DROP VIEW w", ErrorKind::NotFound),
    ] {
        assert_eq!(lake.error(text).await.kind(), kind, "{text}");
    }
    lake.run("DROP VIEW v").await;
    lake.run("DROP VIEW IF EXISTS v").await;
    lake.run("DROP TABLE `default.logs`").await;
    assert!(lake.run("SHOW TABLES").await.is_empty());
}

#[tokio::test]
async fn repair_adds_what_is_missing_and_drops_nothing() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    lake.run("ALTER TABLE logs ADD PARTITION (dt='gone', h=1) PARTITION (dt='2024-01-01', h=7)").await;
    lake.put(&["logs/dt=2024-01-01/h=7/a", "logs/dt=2024-01-02/h=8/a", "logs/dt=2024-01-02/h=9/a", "logs/other/h=1/a"]);
    let told = lake.run("MSCK REPAIR TABLE logs").await;
    assert_eq!(
        told[..4],
        [
            "Partitions not in metastore:\tlogs:dt=2024-01-02/h=8\tlogs:dt=2024-01-02/h=9",
            "Partitions missing from filesystem:\tlogs:dt=gone/h=1",
            "Repair: Added partition to metastore logs:dt=2024-01-02/h=8",
            "Repair: Added partition to metastore logs:dt=2024-01-02/h=9",
        ]
    );
    assert!(told[4].starts_with("Ignored: logs:other"), "{told:?}");
    let partitions = ["dt=2024-01-01/h=7", "dt=2024-01-02/h=8", "dt=2024-01-02/h=9", "dt=gone/h=1"];
    assert_eq!(lake.run("SHOW PARTITIONS logs").await, partitions);
    assert_eq!(lake.run("MSCK REPAIR TABLE logs").await.len(), 2, "nothing more to add");
}

#[tokio::test]
async fn the_session_is_set_and_shown() {
    let lake = Lake::new().await;
    lake.run("SET SESSION max_scan = 10").await;
    lake.run("SET TIME ZONE 'Europe/Berlin'").await;
    let shown = lake.run("SHOW SESSION").await;
    assert!(shown.iter().any(|setting| setting.starts_with("max_scan|10||")), "{shown:?}");
    lake.run("RESET SESSION time_zone").await;
    assert_eq!(lake.session.options().time_zone, "UTC");
    assert_eq!(lake.error("SET SESSION nope = 1").await.kind(), ErrorKind::NotFound);
    assert_eq!(lake.error("SELECT 1").await.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_workgroup_in_which_queries_run_is_not_dropped() {
    let lake = Lake::new().await;
    lake.run("CREATE WORKGROUP bi").await;
    lake.run("CREATE WORKGROUP other").await;
    let ada = SessionOptions { user: "ada".to_owned(), workgroup: "bi".to_owned(), ..SessionOptions::default() };
    let waiting = lake.engine().queries().receive(ada, "SELECT 1").unwrap();
    for text in ["DROP WORKGROUP bi", "DROP WORKGROUP IF EXISTS bi"] {
        let error = lake.error(text).await;
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.message().contains("1 query runs or waits in it") && error.message().contains("user \"ada\""), "{error}");
    }
    lake.run("DROP WORKGROUP other").await;
    assert_eq!(lake.run("SHOW WORKGROUPS").await, ["bi|ENABLED|NULL", "primary|ENABLED|NULL"]);
    drop(waiting);
    lake.run("DROP WORKGROUP bi").await;
    assert_eq!(lake.run("SHOW WORKGROUPS").await, ["primary|ENABLED|NULL"]);
}
