//! Partitions: identity, atomic changes, and the index.

use std::sync::Arc;

use arrow::{array::AsArray, datatypes::Int32Type};

use super::fixtures::{add, partition, refused, table, values, view};
use crate::{
    error::ErrorKind,
    hive_type::HiveType,
    metastore::{Definitions, DropPartition, PartitionChange, PartitionChangeSummary},
    model::{Column, Partition, Properties, SerDe, Table},
};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Definitions>) {
    partitions_come_back_as_given(&*fresh()).await;
    identity_is_the_raw_strings(&*fresh()).await;
    adding_what_exists(&*fresh()).await;
    values_must_fit(&*fresh()).await;
    a_failing_change_leaves_nothing(&*fresh()).await;
    dropping_and_replacing(&*fresh()).await;
    renaming_leaves_files_where_they_are(&*fresh()).await;
    moving_the_table_leaves_partitions_where_they_are(&*fresh()).await;
    the_index_follows_the_version(&*fresh()).await;
}

fn drop_change(raw: &[&str], if_exists: bool) -> PartitionChange {
    PartitionChange { drop: vec![DropPartition { values: values(raw), if_exists }], ..PartitionChange::default() }
}

async fn names(store: &dyn Definitions, table: &Table) -> Vec<String> {
    let table = store.table(&table.name).await.expect("table");
    let index = store.partition_index(&table).await.expect("index");
    (0..index.len()).map(|row| index.name(row).to_owned()).collect()
}

async fn create(store: &dyn Definitions) -> Table {
    store.create_table(table("default", "t", &[("n", HiveType::Int), ("s", HiveType::String)])).await.expect("create")
}

async fn partitions_come_back_as_given(store: &dyn Definitions) {
    let t = create(store).await;
    let mut rich = partition(&["2", "a/b=c é"]);
    rich.location = Some("s3://elsewhere/x/".to_owned());
    rich.columns = Some(vec![Column::new("id", HiveType::Int)]);
    rich.serde = Some(SerDe { library: "other".to_owned(), properties: Properties::new() });
    rich.properties = Properties::from([("rows".to_owned(), "3".to_owned())]);
    let mut usual = partition(&["1", "NULL"]);
    usual.location = Some("s3://bucket/t/n=1/s=__HIVE_DEFAULT_PARTITION__/".to_owned());
    let change = PartitionChange { add: vec![rich.clone(), usual.clone()], ..PartitionChange::default() };
    let summary = store.change_partitions(&t, change).await.expect("add");
    assert_eq!(summary, PartitionChangeSummary { added: 2, ..PartitionChangeSummary::default() });
    usual.location = None;
    let asked =
        [values(&["1", "NULL"]), values(&["9", "x"]), values(&["2", "a/b=c é"]), values(&["1", "__HIVE_DEFAULT_PARTITION__"])];
    let found = store.partitions(&t, &asked).await.expect("partitions");
    assert_eq!(found, [usual.clone(), rich.clone(), usual]);

    let t = store.table(&t.name).await.expect("table");
    let index = store.partition_index(&t).await.expect("index");
    assert_eq!(index.location(0, &t.root()), "s3://bucket/t/n=1/s=__HIVE_DEFAULT_PARTITION__/");
    assert_eq!(index.location(1, &t.root()), "s3://elsewhere/x/");
    assert_eq!(index.raw_values(1), rich.values);
    assert_eq!((index.columns(0), index.serde(0)), (None, None));
    assert_eq!((index.columns(1), index.serde(1)), (rich.columns.as_deref(), rich.serde.as_ref()));
}

async fn identity_is_the_raw_strings(store: &dyn Definitions) {
    let t = create(store).await;
    store.change_partitions(&t, add(&[&["1", "a"], &["01", "a"], &["NULL", "a"], &["1", "A"]])).await.expect("add");
    assert_eq!(names(store, &t).await, ["n=01/s=a", "n=1/s=A", "n=1/s=a", "n=__HIVE_DEFAULT_PARTITION__/s=a"]);
    let t = store.table(&t.name).await.expect("table");
    let index = store.partition_index(&t).await.expect("index");
    let values = index.values().expect("values");
    let typed: Vec<Option<i32>> = values.column(0).as_primitive::<Int32Type>().iter().collect();
    assert_eq!(typed, [Some(1), Some(1), Some(1), None]);
    store.change_partitions(&t, drop_change(&["1", "a"], false)).await.expect("drop");
    assert_eq!(names(store, &t).await, ["n=01/s=a", "n=1/s=A", "n=__HIVE_DEFAULT_PARTITION__/s=a"]);
}

async fn adding_what_exists(store: &dyn Definitions) {
    let t = create(store).await;
    store.change_partitions(&t, add(&[&["1", "a"]])).await.expect("add");
    let before = store.table(&t.name).await.expect("table");
    refused(store.change_partitions(&t, add(&[&["2", "a"], &["1", "a"]])).await, ErrorKind::AlreadyExists, "\"n=1/s=a\"");
    refused(store.change_partitions(&t, add(&[&["3", "a"], &["3", "a"]])).await, ErrorKind::AlreadyExists, "\"n=3/s=a\"");
    assert_eq!(store.table(&t.name).await.expect("table").version, before.version);
    let mut moved = partition(&["1", "a"]);
    moved.location = Some("s3://elsewhere/".to_owned());
    let skipping = |add| PartitionChange { add, skip_existing: true, ..PartitionChange::default() };
    let summary = store.change_partitions(&t, skipping(vec![moved.clone()])).await.expect("skip");
    assert_eq!(summary, PartitionChangeSummary::default());
    assert_eq!(store.table(&t.name).await.expect("table").version, before.version, "nothing changed");
    let summary =
        store.change_partitions(&t, skipping(vec![moved, partition(&["2", "b"]), partition(&["2", "b"])])).await.expect("skip");
    assert_eq!(summary.added, 1);
    assert!(store.table(&t.name).await.expect("table").version > before.version);
    let found = store.partitions(&t, &[values(&["1", "a"])]).await.expect("partitions");
    assert_eq!(found[0].location, None, "what is skipped is not changed");
}

async fn values_must_fit(store: &dyn Definitions) {
    let t = create(store).await;
    refused(
        store.change_partitions(&t, add(&[&["x", "a"]])).await,
        ErrorKind::Invalid,
        "\"x\" is not of type \"int\", key \"n\"",
    );
    refused(store.change_partitions(&t, add(&[&["1"]])).await, ErrorKind::Invalid, "keys \"n\", \"s\"");
    refused(store.change_partitions(&t, add(&[&["1", "a", "b"]])).await, ErrorKind::Invalid, "keys \"n\", \"s\"");
    refused(store.change_partitions(&t, add(&[&["1", ""]])).await, ErrorKind::Invalid, "\"s\"");
    refused(store.change_partitions(&t, drop_change(&["x", "a"], true)).await, ErrorKind::Invalid, "\"x\"");
    refused(store.partitions(&t, &[values(&["1"])]).await, ErrorKind::Invalid, "keys \"n\", \"s\"");
    let rename = PartitionChange { rename: vec![(values(&["x", "a"]), values(&["1", "a"]))], ..PartitionChange::default() };
    refused(store.change_partitions(&t, rename).await, ErrorKind::Invalid, "\"x\"");
    let flat = store.create_table(table("default", "flat", &[])).await.expect("create");
    refused(store.change_partitions(&flat, add(&[&[]])).await, ErrorKind::Invalid, "\"default.flat\" is not partitioned");
    assert!(store.partition_index(&flat).await.expect("index").is_empty());
    let v = store.create_table(view("default", "v")).await.expect("create");
    refused(store.change_partitions(&v, add(&[&["1"]])).await, ErrorKind::Invalid, "\"default.v\" is not partitioned");
    assert!(names(store, &t).await.is_empty());
}

async fn a_failing_change_leaves_nothing(store: &dyn Definitions) {
    let t = create(store).await;
    store.change_partitions(&t, add(&[&["1", "a"], &["2", "a"], &["3", "a"]])).await.expect("add");
    let before = store.table(&t.name).await.expect("table");
    let mut replaced = partition(&["3", "a"]);
    replaced.location = Some("s3://elsewhere/".to_owned());
    let change = PartitionChange {
        drop: vec![DropPartition { values: values(&["1", "a"]), if_exists: false }],
        rename: vec![(values(&["2", "a"]), values(&["5", "a"]))],
        replace: vec![replaced],
        add: vec![partition(&["6", "a"]), partition(&["oops", "a"])],
        skip_existing: true,
    };
    refused(store.change_partitions(&t, change.clone()).await, ErrorKind::Invalid, "\"oops\"");
    assert_eq!(names(store, &t).await, ["n=1/s=a", "n=2/s=a", "n=3/s=a"]);
    assert_eq!(store.partitions(&t, &[values(&["3", "a"])]).await.expect("partitions"), [partition(&["3", "a"])]);
    assert_eq!(store.table(&t.name).await.expect("table"), before);
    let change = PartitionChange { add: vec![partition(&["1", "a"])], ..change };
    let summary = store.change_partitions(&t, change).await.expect("change");
    assert_eq!(summary, PartitionChangeSummary { dropped: 1, renamed: 1, replaced: 1, added: 1 });
    assert_eq!(names(store, &t).await, ["n=1/s=a", "n=3/s=a", "n=5/s=a"]);
}

async fn dropping_and_replacing(store: &dyn Definitions) {
    let t = create(store).await;
    store.change_partitions(&t, add(&[&["1", "a"], &["NULL", "NULL"]])).await.expect("add");
    refused(store.change_partitions(&t, drop_change(&["2", "a"], false)).await, ErrorKind::NotFound, "\"n=2/s=a\"");
    let summary = store.change_partitions(&t, drop_change(&["2", "a"], true)).await.expect("drop");
    assert_eq!(summary, PartitionChangeSummary::default());
    store.change_partitions(&t, drop_change(&["NULL", "NULL"], false)).await.expect("drop");
    let replace = |raw: &[&str]| {
        let new = Partition { properties: Properties::from([("k".to_owned(), "v".to_owned())]), ..partition(raw) };
        PartitionChange { replace: vec![new], ..PartitionChange::default() }
    };
    refused(store.change_partitions(&t, replace(&["NULL", "NULL"])).await, ErrorKind::NotFound, "__HIVE_DEFAULT_PARTITION__");
    store.change_partitions(&t, replace(&["1", "a"])).await.expect("replace");
    let found = store.partitions(&t, &[values(&["1", "a"])]).await.expect("partitions");
    assert_eq!(found[0].properties.len(), 1);
    store.drop_table(&t.name).await.expect("drop");
    refused(store.change_partitions(&t, add(&[&["4", "a"]])).await, ErrorKind::NotFound, "\"default.t\" was dropped");
    refused(store.partitions(&t, &[]).await, ErrorKind::NotFound, "\"default.t\"");
}

async fn renaming_leaves_files_where_they_are(store: &dyn Definitions) {
    let t = create(store).await;
    store.change_partitions(&t, add(&[&["1", "a"], &["2", "a"]])).await.expect("add");
    let rename =
        |from: &[&str], to: &[&str]| PartitionChange { rename: vec![(values(from), values(to))], ..PartitionChange::default() };
    refused(store.change_partitions(&t, rename(&["1", "a"], &["2", "a"])).await, ErrorKind::AlreadyExists, "\"n=2/s=a\"");
    refused(store.change_partitions(&t, rename(&["9", "a"], &["8", "a"])).await, ErrorKind::NotFound, "\"n=9/s=a\"");
    refused(store.change_partitions(&t, rename(&["1", "a"], &["x", "a"])).await, ErrorKind::Invalid, "\"x\"");
    store.change_partitions(&t, rename(&["1", "a"], &["3", "b"])).await.expect("rename");
    let found = store.partitions(&t, &[values(&["1", "a"]), values(&["3", "b"])]).await.expect("partitions");
    let moved = Partition { location: Some("s3://bucket/t/n=1/s=a/".to_owned()), ..partition(&["3", "b"]) };
    assert_eq!(found, [moved]);
    store.change_partitions(&t, rename(&["3", "b"], &["1", "a"])).await.expect("rename back");
    assert_eq!(store.partitions(&t, &[values(&["1", "a"])]).await.expect("partitions"), [partition(&["1", "a"])]);
}

async fn moving_the_table_leaves_partitions_where_they_are(store: &dyn Definitions) {
    let t = create(store).await;
    let mut ahead = partition(&["2", "a"]);
    ahead.location = Some("s3://new/t/n=2/s=a".to_owned());
    let change = PartitionChange { add: vec![partition(&["1", "a"]), ahead], ..PartitionChange::default() };
    store.change_partitions(&t, change).await.expect("add");
    let mut moved = store.table(&t.name).await.expect("table");
    "s3://new/t".clone_into(&mut moved.storage.location);
    let moved = store.replace_table(moved).await.expect("replace");
    let index = store.partition_index(&moved).await.expect("index");
    assert_eq!(index.location(0, &moved.root()), "s3://bucket/t/n=1/s=a/");
    assert_eq!(index.location(1, &moved.root()), "s3://new/t/n=2/s=a/");
    assert_eq!((index.own_location(0), index.own_location(1)), (Some("s3://bucket/t/n=1/s=a/"), None));
}

async fn the_index_follows_the_version(store: &dyn Definitions) {
    let t = create(store).await;
    assert!(store.partition_index(&t).await.expect("index").is_empty());
    store.change_partitions(&t, add(&[&["1", "a"]])).await.expect("add");
    let one = store.table(&t.name).await.expect("table");
    let index = store.partition_index(&one).await.expect("index");
    assert_eq!(index.len(), 1);
    assert!(Arc::ptr_eq(&index, &store.partition_index(&one).await.expect("index")), "it is cached");
    store.change_partitions(&t, add(&[&["2", "a"]])).await.expect("add");
    assert_eq!(index.len(), 1, "what was handed out stays as it was");
    let two = store.table(&t.name).await.expect("table");
    assert_eq!(store.partition_index(&two).await.expect("index").len(), 2);
}
