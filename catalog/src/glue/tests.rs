//! Tests of Glue's JSON: what is read is written back, and what is not supported is rejected.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

fn documents(text: &str) -> Documents {
    let mut documents = Documents::default();
    documents.read(text.as_bytes()).unwrap();
    documents
}

fn orders() -> Value {
    json!({
        "Name": "orders",
        "DatabaseName": "sales",
        "Description": "all orders",
        "Owner": "hadoop",
        "CreateTime": "2024-05-01T12:00:00+02:00",
        "UpdateTime": 1_714_600_000.5,
        "Retention": 7,
        "StorageDescriptor": {
            "Columns": [
                {"Name": "id", "Type": "bigint", "Comment": "the key", "Parameters": {"iceberg.field.id": "1"}},
                {"Name": "items", "Type": "array<struct<sku:string,n:int>>"}
            ],
            "Location": "s3://lake/orders/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "Compressed": true,
            "NumberOfBuckets": 4,
            "SerdeInfo": {
                "Name": "a name",
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"}
            },
            "BucketColumns": ["id"],
            "SortColumns": [{"Column": "id", "SortOrder": 1}],
            "Parameters": {"recordCount": "12"},
            "SkewedInfo": {"SkewedColumnNames": ["id"], "SkewedColumnValues": ["7"], "SkewedColumnValueLocationMaps": {}},
            "StoredAsSubDirectories": false
        },
        "PartitionKeys": [{"Name": "dt", "Type": "date", "Comment": "the day", "Parameters": {"p": "q"}}],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "projection.enabled": "false"},
        "CreatedBy": "arn:aws:iam::1:user/ada",
        "IsRegisteredWithLakeFormation": false,
        "CatalogId": "1234",
        "VersionId": "3"
    })
}

#[test]
fn a_table_comes_back_with_all_fields_of_glue() {
    let document = documents(&json!({"TableList": [orders()]}).to_string());
    let read = table(document.tables[0].clone(), now()).unwrap();
    assert_eq!(read.name.to_string(), "sales.orders");
    assert_eq!(read.storage.columns[1].hive_type.to_string(), "array<struct<sku:string,n:int>>");
    assert_eq!((read.storage.bucket_count, read.comment.as_deref()), (Some(4), Some("all orders")));
    assert_eq!(read.created_at.to_rfc3339(), "2024-05-01T10:00:00+00:00");
    let written = serde_json::to_value(write_table(&read).unwrap()).unwrap();
    let mut expected = orders();
    expected["CreateTime"] = json!("2024-05-01T10:00:00+00:00");
    expected["UpdateTime"] = json!("2024-05-01T21:46:40.500+00:00");
    // A field without information is not written.
    expected.as_object_mut().unwrap().remove("IsRegisteredWithLakeFormation");
    assert_eq!(written, expected);
    // And a second time, from what was written.
    let again = documents(&json!({"Table": written}).to_string());
    assert_eq!(table(again.tables[0].clone(), now()).unwrap(), read);
}

#[test]
fn partitions_share_what_they_have_of_their_table() {
    let mut of_table = orders();
    of_table["StorageDescriptor"]["Columns"] = json!([{"Name": "id", "Type": "bigint"}]);
    let mut storage = of_table["StorageDescriptor"].clone();
    storage["Location"] = json!("s3://lake/orders/dt=2024-05-01/");
    storage["Parameters"] = json!({"recordCount": "5"});
    let mut other = storage.clone();
    other["Location"] = json!("s3://elsewhere/x/");
    let mut evolved = other.clone();
    evolved["Columns"] = json!([{"Name": "id", "Type": "int"}]);
    let partition_of = |value: &str, storage: &Value| {
        json!({
            "Values": [value], "DatabaseName": "sales", "TableName": "orders", "CreationTime": 1_714_600_000,
            "StorageDescriptor": storage, "Parameters": {"k": "v"}, "CatalogId": "1234", "LastAccessTime": 5
        })
    };
    let written = [
        partition_of("2024-05-01", &storage),
        partition_of("2024-05-02", &other),
        partition_of("__HIVE_DEFAULT_PARTITION__", &evolved),
    ];
    let document = documents(&format!("{}\n{}", json!({"Table": of_table}), json!({"Partitions": written})));
    let table = table(document.tables[0].clone(), now()).unwrap();
    let (first, second) = (&document.partitions[0].1, &document.partitions[1].1);
    assert!(std::sync::Arc::ptr_eq(first, second), "the same descriptor is held once");
    let read: Vec<_> = document.partitions.iter().map(|(glue, shared)| partition(&table, glue, shared, now()).unwrap()).collect();
    assert_eq!(read[0].columns, None);
    assert_eq!(read[1].location.as_deref(), Some("s3://elsewhere/x/"));
    assert_eq!(read[2].values, [None]);
    assert_eq!(read[2].columns.as_ref().unwrap()[0].hive_type.to_string(), "int");
    for (read, written) in read.iter().zip(written) {
        let mut expected = written;
        expected["CreationTime"] = json!("2024-05-01T21:46:40+00:00");
        assert_eq!(serde_json::to_value(write_partition(&table, read).unwrap()).unwrap(), expected);
    }
}

#[test]
fn views_of_athena_are_read_and_those_of_hive_are_rejected() {
    let sql = "SELECT id FROM orders -- it's";
    let encoded = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        json!({"originalSql": sql, "catalog": "awsdatacatalog", "schema": "sales", "owner": "ada", "runAsInvoker": false,
               "columns": [{"name": "id", "type": "bigint"}]})
        .to_string(),
    );
    let of_view = |text: String| {
        json!({
            "Name": "v", "DatabaseName": "reports", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": text,
            "ViewExpandedText": "/* Presto View */", "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}], "Location": ""}
        })
    };
    let document = documents(&of_view(format!("/* Presto View: {encoded} */")).to_string());
    let view = table(document.tables[0].clone(), now()).unwrap();
    assert_eq!((view.view_text.as_deref(), view.view_database.as_deref()), (Some(sql), Some("sales")));
    assert_eq!(view.comment, None);
    let written = write_table(&view).unwrap();
    assert_eq!(table(written.clone(), now()).unwrap(), view);
    let text = written.view_original_text.unwrap();
    let inner = view::read(&text).unwrap();
    assert_eq!(inner.rest["owner"], json!("ada"));
    assert_eq!(inner.columns[0].trino_type, "bigint");

    let hive = documents(&of_view("SELECT * FROM t LATERAL VIEW explode(a) b".to_owned()).to_string());
    assert_eq!(table(hive.tables[0].clone(), now()).unwrap_err().kind(), ErrorKind::Unsupported);
    let broken = documents(&of_view("/* Presto View: %%% */".to_owned()).to_string());
    assert_eq!(table(broken.tables[0].clone(), now()).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn what_only_looks_like_a_table_is_rejected() {
    for (change, what) in [
        (json!({"Parameters": {"table_type": "ICEBERG"}}), "an Iceberg table"),
        (json!({"Parameters": {"spark.sql.sources.provider": "delta"}}), "a Delta table"),
        (json!({"StorageDescriptor": {"InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat"}}), "a Hudi table"),
        (json!({"TargetTable": {"CatalogId": "1", "DatabaseName": "a", "Name": "b"}}), "a link to a table"),
        (
            json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "uniontype<int>"}]}}),
            "column \"a\": type \"uniontype<int>\"",
        ),
        (json!({"CreateTime": "yesterday"}), "\"yesterday\" is not a time"),
    ] {
        let mut of_table = orders();
        of_table.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let document = documents(&of_table.to_string());
        let error = table(document.tables[0].clone(), now()).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn documents_come_in_every_form_that_tools_print() {
    let text = format!(
        "{}\n{}{}\n{}",
        json!({"DatabaseList": [{"Name": "a"}], "NextToken": "more", "ResponseMetadata": {}}),
        json!({"Database": {"Name": "b", "CreateTime": 0.0}}),
        json!({"Name": "c", "LocationUri": "s3://c/"}),
        orders(),
    );
    let read = documents(&text);
    assert_eq!(read.databases.iter().map(|database| database.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!((read.tables.len(), read.cut_off), (1, 1));
    let database = database(read.databases[2].clone(), now()).unwrap();
    assert_eq!((database.location.as_deref(), database.created_at), (Some("s3://c/"), now()));
    for (text, message) in [
        ("", "the file is empty"),
        ("{\"TableList\": [", "document 1 is not a Glue document: EOF"),
        ("{\"Tables\": []}", "document 1 is not a database"),
        ("{\"TableList\": [], \"Surprise\": 1}", "an unknown field \"Surprise\""),
        ("[1]", "document 1 is not a Glue document"),
        ("{\"TableList\": [{\"DatabaseName\": \"a\"}]}", "missing field `Name`"),
    ] {
        let error = Documents::default().read(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}
