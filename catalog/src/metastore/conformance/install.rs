//! Tables installed with their partitions, in one transaction.

use std::sync::Arc;

use super::fixtures::{self, database, table};
use crate::{error::ErrorKind, hive_type::HiveType, ident::TableName, metastore::Definitions};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Definitions>) {
    let store = fresh();
    store.create_database(database("sales")).await.expect("a database");
    let keys = [("dt", HiveType::Int)];
    let partition = |value: &str| fixtures::partition(&[value]);
    let orders = || table("sales", "orders", &keys);

    let first = store.install_table(orders(), vec![partition("1"), partition("2")], false).await.expect("is installed");
    assert_eq!(store.table(&first.name).await.expect("exists"), first);
    assert_eq!(store.partition_index(&first).await.expect("an index").len(), 2);

    // What exists is refused, unless it is to be replaced.
    let taken = store.install_table(orders(), vec![partition("3")], false).await.expect_err("the name is taken");
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert_eq!(store.table_names("sales").await.expect("names"), ["orders"]);
    assert_eq!(store.partition_index(&first).await.expect("an index").len(), 2);

    // One that does not fit leaves nothing behind.
    let misfit = store.install_table(table("sales", "other", &keys), vec![partition("1"), partition("x")], false).await;
    assert_eq!(misfit.expect_err("\"x\" is no int").kind(), ErrorKind::Invalid);
    assert_eq!(store.table_names("sales").await.expect("names"), ["orders"]);
    let misfit = store.install_table(orders(), vec![partition("x")], true).await;
    assert_eq!(misfit.expect_err("\"x\" is no int").kind(), ErrorKind::Invalid);
    assert_eq!(store.table(&first.name).await.expect("exists"), first);
    assert_eq!(store.partition_index(&first).await.expect("an index").len(), 2);

    // Another definition in its place, with the same keys and other partitions.
    let mut changed = orders();
    changed.comment = Some("another".to_owned());
    let second = store.install_table(changed, vec![partition("3")], true).await.expect("is replaced");
    assert!(second.version > first.version);
    assert_eq!(store.table(&first.name).await.expect("exists").comment.as_deref(), Some("another"));
    let index = store.partition_index(&second).await.expect("an index");
    assert_eq!((index.len(), index.name(0)), (1, "dt=3".to_owned()));

    let missing = store.install_table(table("nowhere", "t", &keys), Vec::new(), true).await.expect_err("no database");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let plain = store.install_table(table("sales", "plain", &[]), Vec::new(), true).await.expect("is installed");
    assert_eq!(plain.name, TableName::new("sales", "plain"));
}
