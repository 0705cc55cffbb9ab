//! Tables and views: definitions, versions and renames.

use std::sync::Arc;

use super::fixtures::{add, database, refused, table, view};
use crate::{
    error::ErrorKind,
    hive_type::HiveType,
    ident::TableName,
    metastore::{Definitions, TableVersion},
    model::{Column, Table},
};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Definitions>) {
    tables_come_back_as_given(&*fresh()).await;
    missing_and_existing_are_refused(&*fresh()).await;
    contradictions_are_refused(&*fresh()).await;
    replacing_is_optimistic(&*fresh()).await;
    renaming(&*fresh()).await;
    ids_and_versions(&*fresh()).await;
    keys_stay(&*fresh()).await;
    concurrent_changes_lose_nothing(fresh()).await;
}

async fn tables_come_back_as_given(store: &dyn Definitions) {
    let mut given = table("Default", "Orders", &[("Year", HiveType::Int), ("region", HiveType::String)]);
    given.storage.columns.push(Column {
        name: "Lines".to_owned(),
        hive_type: HiveType::Array(Box::new(HiveType::Struct(vec![("sku".to_owned(), HiveType::Varchar(10))]))),
        comment: Some("what was ordered".to_owned()),
    });
    let created = store.create_table(given.clone()).await.expect("create");
    given.name = TableName::new("default", "orders");
    "lines".clone_into(&mut given.storage.columns[2].name);
    "year".clone_into(&mut given.partition_keys[0].name);
    assert_eq!(created, Table { id: created.id, version: created.version, ..given });
    let viewed = store.create_table(view("default", "a_view")).await.expect("create view");
    assert!(viewed.id != created.id && viewed.is_view());
    assert_eq!(store.table(&TableName { database: "DEFAULT".into(), table: "ORDERS".into() }).await.expect("table"), created);
    assert_eq!(store.table_names("default").await.expect("names"), ["a_view", "orders"]);
    assert_eq!(store.tables("default").await.expect("tables"), [viewed, created]);
}

async fn missing_and_existing_are_refused(store: &dyn Definitions) {
    store.create_table(table("default", "orders", &[])).await.expect("create");
    refused(store.create_table(table("default", "ORDERS", &[])).await, ErrorKind::AlreadyExists, "\"default.orders\"");
    refused(store.create_table(view("default", "orders")).await, ErrorKind::AlreadyExists, "\"default.orders\"");
    refused(store.create_table(table("nowhere", "t", &[])).await, ErrorKind::NotFound, "database \"nowhere\"");
    refused(store.table(&TableName::new("default", "order")).await, ErrorKind::NotFound, "The nearest name is \"orders\"");
    refused(store.table(&TableName::new("default", "customers")).await, ErrorKind::NotFound, "SHOW TABLES IN default");
    refused(store.table(&TableName::new("defualt", "orders")).await, ErrorKind::NotFound, "The nearest name is \"default\"");
    refused(store.drop_table(&TableName::new("default", "order")).await, ErrorKind::NotFound, "\"orders\"");
    refused(store.drop_table(&TableName::new("nowhere", "t")).await, ErrorKind::NotFound, "database \"nowhere\"");
    store.drop_table(&TableName::new("Default", "Orders")).await.expect("drop");
    assert!(store.table_names("default").await.expect("names").is_empty());
}

async fn contradictions_are_refused(store: &dyn Definitions) {
    let mut placed = view("default", "placed");
    placed.storage.location = "s3://lake/placed/".to_owned();
    refused(store.create_table(placed).await, ErrorKind::Invalid, "view \"default.placed\" has a location");
    let mut none = table("default", "t", &[("dt", HiveType::Date)]);
    none.storage.columns.clear();
    refused(store.create_table(none).await, ErrorKind::Invalid, "has no columns");
    let mut twice = table("default", "t", &[]);
    twice.storage.columns.push(Column::new("ID", HiveType::Int));
    refused(store.create_table(twice).await, ErrorKind::Invalid, "two columns named \"id\"");
    refused(store.create_table(table("default", "t", &[("ID", HiveType::Int)])).await, ErrorKind::Invalid, "\"id\"");
    let double = table("default", "t", &[("k", HiveType::Int), ("k", HiveType::Int)]);
    refused(store.create_table(double).await, ErrorKind::Invalid, "\"k\"");
    let nested = table("default", "t", &[("k", HiveType::Array(Box::new(HiveType::Int)))]);
    refused(store.create_table(nested).await, ErrorKind::Invalid, "scalar");
    refused(store.create_table(table("default", "a.b", &[])).await, ErrorKind::Invalid, "a.b");
    // Types that would not be read back.
    let field = |name: &str| (name.to_owned(), HiveType::Int);
    let by_struct = HiveType::Map(Box::new(HiveType::Struct(vec![field("a")])), Box::new(HiveType::Int));
    let deep = (0..100).fold(HiveType::Int, |inner, _| HiveType::Array(Box::new(inner)));
    for (hive_type, why) in [
        (by_struct, "the key of a map must have a primitive type"),
        (HiveType::Struct(vec![field("a"), field("A")]), "defined twice"),
        (HiveType::Char(0), "length"),
        (deep, "deeper"),
    ] {
        let mut odd = table("default", "t", &[]);
        odd.storage.columns.push(Column::new("odd", hive_type));
        refused(store.create_table(odd.clone()).await, ErrorKind::Invalid, why);
        refused(store.install_table(odd, Vec::new(), false).await, ErrorKind::Invalid, why);
    }
    assert!(store.table_names("default").await.expect("names").is_empty());
}

async fn replacing_is_optimistic(store: &dyn Definitions) {
    let first = store.create_table(table("default", "t", &[("dt", HiveType::Date)])).await.expect("create");
    let mut changed = first.clone();
    changed.comment = Some("new".to_owned());
    changed.partition_keys[0].comment = Some("the day".to_owned());
    let second = store.replace_table(changed.clone()).await.expect("replace");
    assert!(second.version > first.version);
    assert_eq!(second, Table { version: second.version, ..changed });
    assert_eq!(store.table(&first.name).await.expect("table"), second);
    refused(store.replace_table(first.clone()).await, ErrorKind::Conflict, "\"default.t\"");
    store.change_partitions(&second, add(&[&["2024-01-01"]])).await.expect("add");
    refused(store.replace_table(second.clone()).await, ErrorKind::Conflict, "\"default.t\"");
    let third = store.table(&first.name).await.expect("table");
    assert!(third.version > second.version, "partitions raise the version");
    store.drop_table(&first.name).await.expect("drop");
    refused(store.replace_table(third.clone()).await, ErrorKind::Conflict, "\"default.t\"");
    let again = store.create_table(table("default", "t", &[("dt", HiveType::Date)])).await.expect("create again");
    assert_ne!(again.id, third.id);
    refused(store.replace_table(third).await, ErrorKind::Conflict, "\"default.t\"");
}

async fn renaming(store: &dyn Definitions) {
    store.create_database(database("other")).await.expect("create");
    store.create_table(table("default", "taken", &[])).await.expect("create");
    let mut moved = store.create_table(table("default", "t", &[("n", HiveType::Int)])).await.expect("create");
    store.change_partitions(&moved, add(&[&["1"]])).await.expect("add");
    moved = store.table(&moved.name).await.expect("table");
    let rename = |database: &str, name: &str| Table { name: TableName::new(database, name), ..moved.clone() };
    refused(store.replace_table(rename("default", "TAKEN")).await, ErrorKind::AlreadyExists, "\"default.taken\"");
    refused(store.replace_table(rename("nowhere", "t")).await, ErrorKind::NotFound, "\"nowhere\"");
    let renamed = store.replace_table(rename("other", "New")).await.expect("rename");
    assert_eq!((renamed.name.to_string().as_str(), renamed.id), ("other.new", moved.id));
    assert_eq!(store.table_names("default").await.expect("names"), ["taken"]);
    assert_eq!(store.table(&TableName::new("other", "new")).await.expect("table"), renamed);
    assert_eq!(store.partition_index(&renamed).await.expect("index").len(), 1);
}

async fn ids_and_versions(store: &dyn Definitions) {
    store.create_database(database("a")).await.expect("create");
    let t = store.create_table(table("default", "t", &[("n", HiveType::Int)])).await.expect("create");
    let v = store.create_table(view("a", "v")).await.expect("create");
    let version = |table: &Table| TableVersion { name: table.name.clone(), id: table.id, version: table.version };
    assert_eq!(store.table_versions().await.expect("versions"), [version(&v), version(&t)]);
    store.change_partitions(&t, add(&[&["1"]])).await.expect("add");
    let mut moved = store.table(&t.name).await.expect("table");
    moved.name = TableName::new("a", "moved");
    let moved = store.replace_table(moved).await.expect("rename");
    assert_eq!(store.table_by_id(t.id).await.expect("table"), moved);
    assert_eq!(store.table_versions().await.expect("versions"), [version(&moved), version(&v)]);
    assert_eq!(store.partition_index(&t).await.expect("index").len(), 1, "found by its id");
    store.drop_table(&moved.name).await.expect("drop");
    refused(store.table_by_id(t.id).await, ErrorKind::NotFound, &format!("id {}", t.id));
    refused(store.partitions(&moved, &[]).await, ErrorKind::NotFound, "\"a.moved\" was dropped");
    assert_eq!(store.table_versions().await.expect("versions"), [version(&v)]);
}

async fn keys_stay(store: &dyn Definitions) {
    let first = store.create_table(table("default", "t", &[("n", HiveType::Int)])).await.expect("create");
    let with_keys = |keys: Vec<Column>| Table { partition_keys: keys, ..first.clone() };
    for keys in [vec![], vec![Column::new("m", HiveType::Int)], vec![Column::new("n", HiveType::String)]] {
        refused(store.replace_table(with_keys(keys)).await, ErrorKind::Invalid, "partition keys");
    }
    let mut nothing = first.clone();
    nothing.storage.columns.clear();
    refused(store.replace_table(nothing).await, ErrorKind::Invalid, "has no columns");
    assert_eq!(store.table(&first.name).await.expect("table"), first);
}

/// Writers that read, change and replace, and begin again when they lose, leave every change behind.
async fn concurrent_changes_lose_nothing(store: Arc<dyn Definitions>) {
    const WRITERS: usize = 4;
    const CHANGES: usize = 5;
    let name = store.create_table(table("default", "t", &[])).await.expect("create").name;
    let writer = |writer: usize| {
        let (store, name) = (Arc::clone(&store), name.clone());
        async move {
            for change in 0..CHANGES {
                loop {
                    let mut table = store.table(&name).await.expect("table");
                    table.properties.insert(format!("{writer}-{change}"), String::new());
                    match store.replace_table(table).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                    }
                }
            }
        }
    };
    let tasks: Vec<_> = (0..WRITERS).map(|n| tokio::spawn(writer(n))).collect();
    for task in tasks {
        task.await.expect("writer");
    }
    let table = store.table(&name).await.expect("table");
    assert_eq!(table.properties.len(), 1 + WRITERS * CHANGES);
}
