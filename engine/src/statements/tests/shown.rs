//! Tests of what SHOW and DESCRIBE print.

use super::{TABLE, lake::Lake};
use crate::{
    sql::{self, Statement},
    statements,
};

#[tokio::test]
async fn a_shown_table_can_be_made_again() {
    let lake = Lake::new().await;
    lake.run("CREATE DATABASE d").await;
    for text in [
        TABLE,
        "CREATE EXTERNAL TABLE csv (`a b` string COMMENT 'it\\'s\\ntwo') COMMENT 'all' CLUSTERED BY (`a b`) INTO 4 BUCKETS \
         ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\001' NULL DEFINED AS '\\\\N' LOCATION 's3://b/csv/' \
         TBLPROPERTIES ('x'='1', 'comment'='all')",
        "CREATE EXTERNAL TABLE re (a string) ROW FORMAT SERDE 'org.x.RegexSerDe' WITH SERDEPROPERTIES ('input.regex'='(\\\\d+)') \
         LOCATION 's3://b/re/'",
    ] {
        lake.run(text).await;
        let Statement::CreateTable(create) = sql::parse(text).unwrap() else { panic!("{text}") };
        let name = create.table.table;
        let shown = lake.run(&format!("SHOW CREATE TABLE {name}")).await.join("\n");
        let before = lake.table(&name).await;
        lake.run(&format!("DROP TABLE {name}")).await;
        lake.run(&shown).await;
        let mut after = lake.table(&name).await;
        (after.id, after.version) = (before.id, before.version);
        after.properties.extend(before.properties.get("comment").map(|text| ("comment".to_owned(), text.clone())));
        assert_eq!(after, before, "{shown}");
    }
    assert_eq!(
        lake.run("SHOW CREATE TABLE logs").await[..4],
        [
            "CREATE EXTERNAL TABLE `default`.`logs`(",
            "  `a` int COMMENT 'first',",
            "  `s` struct<x:array<int>>)",
            "PARTITIONED BY ("
        ]
    );
}

#[tokio::test]
async fn a_shown_view_can_be_made_again() {
    let lake = Lake::new().await;
    lake.run("CREATE VIEW v (x) COMMENT 'it''s' AS\n  SELECT Alpha FROM t").await;
    let shown = lake.run("SHOW CREATE VIEW v").await;
    assert_eq!(shown, ["CREATE VIEW \"default\".\"v\" (\"x\") COMMENT 'it''s' AS", "SELECT Alpha FROM t"]);
    lake.run("DROP VIEW v").await;
    lake.run(&shown.join("\n")).await;
    assert_eq!(lake.run("DESCRIBE v").await, ["x|int|"]);
}

#[tokio::test]
async fn describe_has_hives_layout() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    assert_eq!(
        lake.run("DESCRIBE logs").await,
        [
            "a|int|first",
            "s|struct<x:array<int>>|",
            "dt|string|",
            "h|int|",
            "||",
            "# Partition Information||",
            "# col_name|data_type|comment",
            "||",
            "dt|string|",
            "h|int|",
        ]
    );
    assert_eq!(lake.run("DESCRIBE logs a").await, ["a|int|first"]);
    assert_eq!(lake.run("DESCRIBE logs s.x.'$elem$'").await, ["$elem$|int|"]);
    assert!(lake.error("DESCRIBE logs s.y").await.hint().unwrap().contains("\"x\""));
    assert!(lake.error("DESCRIBE logs b").await.hint().unwrap().contains("\"a\""));

    let formatted = lake.run("DESCRIBE FORMATTED logs").await;
    for line in [
        "# Detailed Table Information||",
        "Location:|s3://b/logs/|",
        "CreateTime:|Mon Jan 01 00:00:00 UTC 2024|",
        "|EXTERNAL|TRUE",
    ] {
        assert!(formatted.iter().any(|row| row == line), "{line}\n{formatted:#?}");
    }
    lake.run("ALTER TABLE logs ADD PARTITION (dt='d', h=1)").await;
    let partition = lake.run("DESCRIBE EXTENDED logs PARTITION (dt='d', h=1)").await;
    assert!(partition.last().unwrap().contains("location:s3://b/logs/dt=d/h=1/"), "{partition:#?}");
}

#[tokio::test]
async fn a_result_has_the_schema_that_was_told_before() {
    let lake = Lake::new().await;
    lake.run(TABLE).await;
    for text in [
        "SHOW DATABASES",
        "SHOW TABLES 'none'",
        "SHOW VIEWS",
        "SHOW COLUMNS IN logs",
        "SHOW PARTITIONS logs",
        "SHOW TBLPROPERTIES logs",
        "SHOW CREATE TABLE logs",
        "DESCRIBE logs",
        "SHOW SESSION",
        "MSCK REPAIR TABLE logs",
        "CREATE DATABASE x",
        "DROP DATABASE x",
    ] {
        let schema = statements::schema(&sql::parse(text).unwrap());
        let batch = lake.batch(text).await.unwrap();
        assert_eq!(batch.schema(), schema, "{text}");
        assert_eq!(schema.fields().is_empty(), text.ends_with('x'), "{text}");
    }
    assert_eq!(lake.batch("SHOW TABLES 'none'").await.unwrap().num_rows(), 0);
}
