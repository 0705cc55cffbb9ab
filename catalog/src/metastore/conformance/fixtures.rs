//! What the tests share: definitions, partitions, and a check of errors.

use std::fmt::Debug;

use chrono::{DateTime, Utc};

use crate::{
    error::{ErrorKind, Result},
    hive_type::HiveType,
    ident::TableName,
    metastore::PartitionChange,
    model::{Column, Database, Partition, PartitionValues, Properties, SerDe, StorageDescriptor, Table, TableType},
};

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(1_700_000_000_123_456_789)
}

pub(super) fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        comment: Some("a comment".to_owned()),
        location: Some("s3://bucket/db/".to_owned()),
        properties: Properties::from([("k".to_owned(), "v".to_owned())]),
        created_at: time(),
    }
}

pub(super) fn table(database: &str, name: &str, keys: &[(&str, HiveType)]) -> Table {
    Table {
        name: TableName { database: database.to_owned(), table: name.to_owned() },
        id: 77,
        version: 88,
        table_type: TableType::ExternalTable,
        storage: StorageDescriptor {
            columns: vec![Column::new("id", HiveType::BigInt), Column::new("price", HiveType::Decimal(10, 2))],
            location: "s3://bucket/t".to_owned(),
            input_format: "in".to_owned(),
            output_format: "out".to_owned(),
            serde: SerDe { library: "org.example.SerDe".to_owned(), properties: Properties::new() },
            bucket_columns: Vec::new(),
            bucket_count: None,
        },
        partition_keys: keys.iter().map(|(name, hive_type)| Column::new(*name, hive_type.clone())).collect(),
        comment: None,
        properties: Properties::from([("classification".to_owned(), "parquet".to_owned())]),
        view_text: None,
        view_database: None,
        created_at: time(),
        updated_at: time(),
    }
}

pub(super) fn view(database: &str, name: &str) -> Table {
    let mut view = table(database, name, &[]);
    view.table_type = TableType::VirtualView;
    view.storage.location = String::new();
    view.view_text = Some("SELECT 1".to_owned());
    view.view_database = Some("default".to_owned());
    view
}

pub(super) fn values(raw: &[&str]) -> PartitionValues {
    raw.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect()
}

pub(super) fn partition(raw: &[&str]) -> Partition {
    Partition::new(values(raw), time())
}

pub(super) fn add(raw: &[&[&str]]) -> PartitionChange {
    PartitionChange { add: raw.iter().map(|raw| partition(raw)).collect(), ..PartitionChange::default() }
}

/// Checks that something failed with an error of this kind whose text contains `part`.
#[track_caller]
pub(super) fn refused<T: Debug>(outcome: Result<T>, kind: ErrorKind, part: &str) {
    match outcome {
        Ok(value) => assert_eq!(format!("{value:?}"), format!("an error of kind {kind} about {part}")),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(format!("{error:?}").contains(part), "{part} is not in: {error:?}");
        }
    }
}
