//! Attachments: kept with a table, and not part of its definition.

use std::sync::Arc;

use bytes::Bytes;

use super::fixtures::{add, refused, table};
use crate::{error::ErrorKind, hive_type::HiveType, ident::TableName, metastore::Metastore, model::Table};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Metastore>) {
    blobs_come_back_by_prefix(&*fresh()).await;
    they_follow_their_table_and_go_with_it(&*fresh()).await;
    a_failing_change_leaves_nothing(&*fresh()).await;
    a_replaced_table_has_none(&*fresh()).await;
}

async fn create(store: &dyn Metastore, name: &str) -> Table {
    store.create_table(table("default", name, &[("n", HiveType::Int)])).await.expect("create")
}

fn put(name: &str, bytes: &'static [u8]) -> (String, Option<Bytes>) {
    (name.to_owned(), Some(Bytes::from_static(bytes)))
}

async fn all(store: &dyn Metastore, table: &Table, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let found = store.attachments(table, prefix).await.expect("attachments");
    found.into_iter().map(|attachment| (attachment.name, attachment.bytes.to_vec())).collect()
}

async fn blobs_come_back_by_prefix(store: &dyn Metastore) {
    let (t, u) = (create(store, "t").await, create(store, "u").await);
    assert!(all(store, &t, "").await.is_empty());
    let changes =
        vec![put("files/2", b"two"), put("files/10", b"\x00\xff"), put("files", b""), put("filet", b"z"), put("a_b", b"y")];
    store.set_attachments(&t, changes).await.expect("set");
    store.set_attachments(&u, vec![put("files/1", b"another table's")]).await.expect("set");
    let named =
        |names: &[(&str, &[u8])]| names.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect::<Vec<_>>();
    assert_eq!(all(store, &t, "files/").await, named(&[("files/10", b"\x00\xff"), ("files/2", b"two")]));
    assert_eq!(all(store, &t, "file").await.len(), 4);
    assert!(all(store, &t, "a%").await.is_empty() && all(store, &t, "axb").await.is_empty(), "a prefix is no pattern");
    let changes = vec![put("files/2", b"second"), ("files/10".to_owned(), None), ("never".to_owned(), None)];
    store.set_attachments(&t, changes).await.expect("set");
    assert_eq!(all(store, &t, "files/").await, named(&[("files/2", b"second")]));
    assert_eq!(store.table(&t.name).await.expect("table"), t, "the table and its version are as they were");
}

async fn they_follow_their_table_and_go_with_it(store: &dyn Metastore) {
    let t = create(store, "t").await;
    store.set_attachments(&t, vec![put("a", b"1")]).await.expect("set");
    store.change_partitions(&t, add(&[&["1"]])).await.expect("add");
    let mut renamed = store.table(&t.name).await.expect("table");
    renamed.name = TableName::new("default", "renamed");
    let renamed = store.replace_table(renamed).await.expect("rename");
    assert_eq!(all(store, &renamed, "").await.len(), 1);
    assert_eq!(all(store, &t, "").await.len(), 1, "tables are found by their ids");
    store.drop_table(&renamed.name).await.expect("drop");
    refused(store.attachments(&renamed, "").await, ErrorKind::NotFound, "\"default.renamed\" was dropped");
    let outcome = store.set_attachments(&renamed, vec![put("a", b"2")]).await;
    refused(outcome, ErrorKind::NotFound, "\"default.renamed\" was dropped");
    let again = create(store, "renamed").await;
    assert!(all(store, &again, "").await.is_empty(), "another table of that name begins without");
}

async fn a_failing_change_leaves_nothing(store: &dyn Metastore) {
    let t = create(store, "t").await;
    let outcome = store.set_attachments(&t, vec![put("a", b"1"), put("", b"2")]).await;
    refused(outcome, ErrorKind::Invalid, "has an empty name");
    assert!(all(store, &t, "").await.is_empty());
}

async fn a_replaced_table_has_none(store: &dyn Metastore) {
    let t = create(store, "t").await;
    store.set_attachments(&t, vec![put("a", b"1")]).await.expect("set");
    let replaced = store.install_table(table("default", "t", &[("n", HiveType::Int)]), Vec::new(), true).await.expect("replace");
    assert!(all(store, &replaced, "").await.is_empty());
}
