//! Databases: names, the default database, and what is dropped with a database.

use std::sync::Arc;

use super::fixtures::{add, database, refused, table};
use crate::{error::ErrorKind, hive_type::HiveType, ident::TableName, metastore::Definitions};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Definitions>) {
    the_default_database_is_there(&*fresh()).await;
    databases_come_back_as_given(&*fresh()).await;
    missing_and_existing_are_refused(&*fresh()).await;
    dropping(&*fresh()).await;
}

async fn the_default_database_is_there(store: &dyn Definitions) {
    let all = store.databases().await.expect("databases");
    assert_eq!(all.iter().map(|database| database.name.as_str()).collect::<Vec<_>>(), ["default"]);
    assert!(store.table_names("DEFAULT").await.expect("tables").is_empty());
    refused(store.drop_database("Default", true).await, ErrorKind::Invalid, "\"default\" cannot be dropped");
}

async fn databases_come_back_as_given(store: &dyn Definitions) {
    store.create_database(database("Sales")).await.expect("create");
    store.create_database(database("audit")).await.expect("create");
    assert_eq!(store.database("SALES").await.expect("database"), database("sales"));
    let mut changed = database("SALES");
    changed.comment = None;
    changed.properties.clear();
    store.replace_database(changed).await.expect("replace");
    let found = store.database("sales").await.expect("database");
    assert_eq!((found.name.as_str(), found.comment, found.properties.len()), ("sales", None, 0));
    let names: Vec<String> = store.databases().await.expect("databases").into_iter().map(|database| database.name).collect();
    assert_eq!(names, ["audit", "default", "sales"]);
}

async fn missing_and_existing_are_refused(store: &dyn Definitions) {
    store.create_database(database("sales")).await.expect("create");
    refused(store.create_database(database("SALES")).await, ErrorKind::AlreadyExists, "\"sales\"");
    refused(store.create_database(database("")).await, ErrorKind::Invalid, "is empty");
    refused(store.create_database(database("a/b")).await, ErrorKind::Invalid, "a/b");
    refused(store.database("slaes").await, ErrorKind::NotFound, "The nearest name is \"sales\"");
    refused(store.database("elsewhere").await, ErrorKind::NotFound, "SHOW DATABASES");
    refused(store.replace_database(database("nowhere")).await, ErrorKind::NotFound, "\"nowhere\"");
    refused(store.table_names("sale").await, ErrorKind::NotFound, "\"sales\"");
    refused(store.tables("sale").await, ErrorKind::NotFound, "\"sales\"");
    refused(store.drop_database("sale", true).await, ErrorKind::NotFound, "\"sales\"");
}

async fn dropping(store: &dyn Definitions) {
    store.create_database(database("sales")).await.expect("create");
    store.create_database(database("sales_old")).await.expect("create");
    let kept = store.create_table(table("sales_old", "t", &[])).await.expect("create");
    let mut gone = Vec::new();
    for name in ["a", "b", "c", "d"] {
        gone.push(store.create_table(table("sales", name, &[("dt", HiveType::Date)])).await.expect("create"));
    }
    store.change_partitions(&gone[0], add(&[&["2024-01-01"]])).await.expect("add");
    refused(store.drop_database("sales", false).await, ErrorKind::Invalid, "\"a\", \"b\", \"c\" and 1 more");
    assert_eq!(store.table_names("sales").await.expect("names").len(), 4);
    store.drop_database("Sales", true).await.expect("drop");
    refused(store.database("sales").await, ErrorKind::NotFound, "\"sales\"");
    refused(store.change_partitions(&gone[0], add(&[&["2024-01-02"]])).await, ErrorKind::NotFound, "sales.a");
    assert_eq!(store.table(&TableName::new("sales_old", "t")).await.expect("table"), kept);
    store.create_database(database("sales")).await.expect("create again");
    let again = store.create_table(table("sales", "a", &[("dt", HiveType::Date)])).await.expect("create again");
    assert!(gone.iter().all(|old| old.id != again.id), "ids are never used again");
    assert!(store.partition_index(&again).await.expect("index").is_empty());
    store.drop_table(&again.name).await.expect("drop");
    store.drop_database("sales", false).await.expect("drop empty");
}
