//! Tests of what is special about a file: several handles, damage, versions, backups.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use chrono::DateTime;
use rusqlite::Connection;

use super::SqliteMetastore;
use crate::{
    error::ErrorKind,
    hive_type::HiveType,
    ident::TableName,
    metastore::{Definitions, DropPartition, Grants, PartitionChange, PutWorkgroup, Workgroups, conformance},
    model::{Access, Column, Grant, GrantObject, Grantee, Partition, StorageDescriptor, Table, Workgroup},
};

fn table(name: &str) -> Table {
    let storage = StorageDescriptor {
        columns: vec![Column::new("a", HiveType::Int)],
        location: "s3://b/t/".to_owned(),
        ..StorageDescriptor::default()
    };
    Table::external(TableName::new("default", name), storage, vec![Column::new("n", HiveType::Int)], DateTime::UNIX_EPOCH)
}

fn add(numbers: impl IntoIterator<Item = usize>) -> PartitionChange {
    let add = numbers.into_iter().map(|n| Partition::new(vec![Some(n.to_string())], DateTime::UNIX_EPOCH)).collect();
    PartitionChange { add, ..PartitionChange::default() }
}

async fn count(store: &SqliteMetastore, name: &str) -> usize {
    let table = store.table(&TableName::new("default", name)).await.unwrap();
    store.partition_index(&table).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let folders = Mutex::new(Vec::new());
    conformance::run(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteMetastore::open(folder.path().join("new/catalog.db")).unwrap();
        folders.lock().unwrap().push(folder);
        Arc::new(store)
    })
    .await;
}

#[tokio::test]
async fn two_handles_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let (one, two) = (SqliteMetastore::open(&path).unwrap(), SqliteMetastore::open(&path).unwrap());
    let created = one.create_table(table("t")).await.unwrap();
    assert_eq!(two.table(&created.name).await.unwrap(), created);
    two.change_partitions(&created, add([1])).await.unwrap();
    assert_eq!(count(&one, "t").await, 1);
    assert_eq!(one.replace_table(created).await.unwrap_err().kind(), ErrorKind::Conflict);
    drop((one, two));
    let again = SqliteMetastore::open(&path).unwrap();
    assert_eq!(count(&again, "t").await, 1);
    assert_eq!(again.databases().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_write_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    // They open it concurrently, too: one of them creates and migrates it.
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            tokio::task::spawn_blocking(move || SqliteMetastore::open(path).unwrap())
        })
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(Arc::new(store.await.unwrap()));
    }
    let created = stores[0].create_table(table("t")).await.unwrap();
    let writers: Vec<_> = stores
        .iter()
        .enumerate()
        .map(|(writer, store)| {
            let (store, created) = (Arc::clone(store), created.clone());
            tokio::spawn(async move {
                for n in 0..10 {
                    store.change_partitions(&created, add([writer * 100 + n])).await.unwrap();
                    loop {
                        let mut table = store.table(&created.name).await.unwrap();
                        table.properties.insert(format!("{writer}-{n}"), String::new());
                        match store.replace_table(table).await {
                            Ok(_) => break,
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(count(&stores[1], "t").await, 40);
    let end = stores[2].table(&created.name).await.unwrap();
    assert_eq!(end.properties.len(), 40);
    assert_eq!(end.version, created.version + 80);
    assert!(stores[3].check().await.unwrap().is_empty());
}

#[tokio::test]
async fn reads_do_not_wait_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let store = SqliteMetastore::open(&path).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM tables;").unwrap();
    assert_eq!(store.table(&created.name).await.unwrap(), created);
    assert!(SqliteMetastore::open(&path).is_ok(), "opening neither");
    drop(other);
    assert_eq!(store.table(&created.name).await.unwrap(), created, "a killed writer has changed nothing");
}

#[tokio::test]
async fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "Not a database, but long enough to look at. ".repeat(100)).unwrap();
    let error = SqliteMetastore::open(&text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains("notes.txt"), "{error}");

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    let error = SqliteMetastore::open(&foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains("is a database, but not a glaux catalog"), "{error}");

    let newer = folder.path().join("newer.db");
    drop(SqliteMetastore::open(&newer).unwrap());
    Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = SqliteMetastore::open(&newer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("version 99") && error.hint().is_some(), "{error}");
}

#[tokio::test]
async fn an_older_catalog_opens_and_takes_grants() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let store = SqliteMetastore::open(&path).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    drop(store);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE workgroups; DROP TABLE partition_changes; DROP TABLE attachments; DROP TABLE grants; PRAGMA user_version = 1",
        )
        .unwrap();

    let store = SqliteMetastore::open(&path).unwrap();
    assert_eq!(store.table(&created.name).await.unwrap(), created);
    assert_eq!(store.grants().await.unwrap(), []);
    let grantee = Grantee::Group("analysts".to_owned());
    let grant = Grant { object: GrantObject::Table(created.name.clone()), grantee, access: Access::Write };
    store.set_grant(grant.clone()).await.unwrap();
    drop(store);
    let store = SqliteMetastore::open(&path).unwrap();
    assert_eq!(store.grants().await.unwrap(), [grant]);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_grant_is_found_and_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let store = SqliteMetastore::open(&path).unwrap();
    let grantee = Grantee::User("ada".to_owned());
    store.set_grant(Grant { object: GrantObject::Catalog, grantee: grantee.clone(), access: Access::None }).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("UPDATE grants SET access = 'all'").unwrap();
    assert_eq!(store.grants().await.unwrap_err().kind(), ErrorKind::CorruptData);
    assert!(store.check().await.unwrap()[0].contains("\"all\""));
    store.remove_grant(&GrantObject::Catalog, &grantee).await.unwrap();
    assert_eq!(store.grants().await.unwrap(), []);
}

#[tokio::test]
async fn a_workgroup_with_a_limit_that_is_not_known_can_only_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let store = SqliteMetastore::open(&path).unwrap();
    let workgroup = Workgroup::new("bi", DateTime::UNIX_EPOCH);
    store.put_workgroup(workgroup, PutWorkgroup::Create).await.unwrap();
    let by_hand = Connection::open(&path).unwrap();
    by_hand.execute_batch("UPDATE workgroups SET definition = replace(definition, '\"tariff\"', '\"max_rows\"')").unwrap();
    for error in [store.workgroup("bi").await.unwrap_err(), store.workgroups().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert!(error.to_string().contains("workgroup \"bi\""), "{error}");
    }
    assert_eq!(store.check().await.unwrap().len(), 1);
    store.remove_workgroup("bi").await.unwrap();
    assert_eq!(store.workgroups().await.unwrap().len(), 1);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn checking_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let store = SqliteMetastore::open(&path).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    store.create_table(table("u")).await.unwrap();
    store.change_partitions(&created, add([1, 2])).await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());

    let by_hand = Connection::open(&path).unwrap();
    by_hand
        .execute_batch("UPDATE partitions SET name = 'n=x' WHERE name = 'n=2'; UPDATE tables SET version = version + 1")
        .unwrap();
    by_hand.execute_batch("UPDATE tables SET definition = '{}' WHERE name = 'u'").unwrap();
    let findings = store.check().await.unwrap();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("\"x\" is not of type \"int\""), "{findings:?}");
    assert!(findings[1].contains("\"default.u\" cannot be decoded"), "{findings:?}");

    let t = store.table(&created.name).await.unwrap();
    let error = store.partition_index(&t).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.to_string().contains("catalog.db"), "{error}");
    let error = store.table(&TableName::new("default", "u")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    // Statements can repair both.
    let dropped = DropPartition { values: vec![Some("x".to_owned())], if_exists: false };
    store.change_partitions(&t, PartitionChange { drop: vec![dropped], ..PartitionChange::default() }).await.unwrap();
    store.drop_table(&TableName::new("default", "u")).await.unwrap();
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_backup_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("catalog.db"), folder.path().join("backups/monday.db"));
    let store = SqliteMetastore::open(&path).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    store.change_partitions(&created, add(0..50)).await.unwrap();
    store.backup(&copy).await.unwrap();
    assert_eq!(store.backup(&path).await.unwrap_err().kind(), ErrorKind::Invalid);
    store.change_partitions(&created, add(50..60)).await.unwrap();
    let later = store.create_table(table("later")).await.unwrap();
    let lost = store.table(&created.name).await.unwrap();

    let error = SqliteMetastore::restore(&copy, &path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "it is open: {error:?}");
    assert_eq!(count(&store, "t").await, 60);
    drop(store);
    SqliteMetastore::restore(&copy, &path).await.unwrap();

    let store = SqliteMetastore::open(&path).unwrap();
    assert_eq!(count(&store, "t").await, 50);
    let restored = store.table(&created.name).await.unwrap();
    assert!(restored.version > lost.version, "a version never means two things");
    assert!(store.create_table(table("later")).await.unwrap().id > later.id);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("tmp")), "{left:?}");
    // The backup is one file, and a catalog by itself.
    assert_eq!(fs::read_dir(folder.path().join("backups")).unwrap().count(), 1);
    assert_eq!(count(&SqliteMetastore::open(&copy).unwrap(), "t").await, 50);
}

#[tokio::test]
async fn what_cannot_be_restored_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("catalog.db"), folder.path().join("copy.db"));
    let store = SqliteMetastore::open(&path).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    store.change_partitions(&created, add(0..5)).await.unwrap();
    store.backup(&copy).await.unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();

    Connection::open(&copy).unwrap().execute_batch("UPDATE partitions SET name = 'n=y' WHERE name = 'n=3'").unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "text".repeat(1000)).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    for (from, kind) in [
        (&copy, ErrorKind::CorruptData),
        (&text, ErrorKind::CorruptData),
        (&foreign, ErrorKind::CorruptData),
        (&folder.path().join("missing"), ErrorKind::NotFound),
        (&path, ErrorKind::Invalid),
    ] {
        assert_eq!(SqliteMetastore::restore(from, &path).await.unwrap_err().kind(), kind, "{}", from.display());
    }
    assert_eq!(SqliteMetastore::restore(&path, &foreign).await.unwrap_err().kind(), ErrorKind::CorruptData);
    assert!(fs::read(&path).unwrap() == before, "the file is not touched");
    assert_eq!(count(&SqliteMetastore::open(&path).unwrap(), "t").await, 5);
}

#[tokio::test]
async fn a_damaged_catalog_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("catalog.db"), folder.path().join("copy.db"));
    let store = SqliteMetastore::open(&path).unwrap();
    store.create_table(table("t")).await.unwrap();
    store.backup(&copy).await.unwrap();
    drop(store);
    fs::write(&path, "damage".repeat(1000)).unwrap();
    SqliteMetastore::restore(&copy, &path).await.unwrap();
    assert_eq!(count(&SqliteMetastore::open(&path).unwrap(), "t").await, 0);
    assert_eq!(fs::read(folder.path().join("catalog.db.damaged")).unwrap(), "damage".repeat(1000).as_bytes());
}

#[tokio::test]
async fn many_partitions_are_added_and_indexed_in_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetastore::open(folder.path().join("catalog.db")).unwrap();
    let created = store.create_table(table("t")).await.unwrap();
    let summary = store.change_partitions(&created, add(0..20_000)).await.unwrap();
    assert_eq!(summary.added, 20_000);
    let t = store.table(&created.name).await.unwrap();
    let index = store.partition_index(&t).await.unwrap();
    assert_eq!(index.len(), 20_000);
    assert_eq!(index.find("n=19999").map(|row| index.raw_values(row)), Some(vec![Some("19999".to_owned())]));
    assert!(Arc::ptr_eq(&index, &store.partition_index(&t).await.unwrap()));
}

/// A table whose index was read once.
async fn indexed(folder: &tempfile::TempDir, count: usize) -> (SqliteMetastore, Table) {
    let store = SqliteMetastore::open(folder.path().join("catalog.db")).unwrap();
    let t = store.create_table(table("t")).await.unwrap();
    store.change_partitions(&t, add(1..=count)).await.unwrap();
    let t = store.table(&t.name).await.unwrap();
    assert_eq!(store.partition_index(&t).await.unwrap().len(), count);
    (store, t)
}

#[tokio::test]
async fn an_index_is_brought_up_to_date_from_the_changes_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, t) = indexed(&folder, 3).await;
    // An index built from all rows would show this, which no recorded change mentions.
    let by_hand = Connection::open(folder.path().join("catalog.db")).unwrap();
    by_hand.execute_batch("UPDATE partitions SET location = 's3://unseen/' WHERE name = 'n=1'").unwrap();
    let other = SqliteMetastore::open(folder.path().join("catalog.db")).unwrap();
    let drop = vec![DropPartition { values: vec![Some("2".to_owned())], if_exists: false }];
    other.change_partitions(&t, PartitionChange { drop, ..add([4]) }).await.unwrap();
    let rename = vec![(vec![Some("3".to_owned())], vec![Some("5".to_owned())])];
    other.change_partitions(&t, PartitionChange { rename, ..PartitionChange::default() }).await.unwrap();
    let t = store.table(&t.name).await.unwrap();
    let index = store.partition_index(&t).await.unwrap();
    assert_eq!(index.names().collect::<Vec<_>>(), ["n=1", "n=4", "n=5"]);
    assert_eq!((index.own_location(0), index.own_location(2)), (None, Some("s3://b/t/n=3/")));
    let anew = SqliteMetastore::open(folder.path().join("catalog.db")).unwrap();
    assert_eq!(anew.partition_index(&t).await.unwrap().own_location(0), Some("s3://unseen/"));
}

#[tokio::test]
async fn what_too_many_changes_leave_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, t) = indexed(&folder, 3).await;
    let since = t.version;
    assert_eq!(store.changed_partitions(&t, since).await.unwrap(), Some(Vec::new()));
    store.change_partitions(&t, add([10])).await.unwrap();
    assert_eq!(store.changed_partitions(&t, since).await.unwrap(), Some(vec!["n=10".to_owned()]));
    assert_eq!(store.changed_partitions(&t, since + 7).await.unwrap(), None, "a version that never was");
    store.change_partitions(&t, add(100..6000)).await.unwrap();
    assert_eq!(store.changed_partitions(&t, since).await.unwrap(), None);
    let t = store.table(&t.name).await.unwrap();
    assert_eq!(store.partition_index(&t).await.unwrap().len(), 5904);
    for n in 10_000..10_006 {
        store.change_partitions(&t, add(n * 4000..n * 4000 + 3500)).await.unwrap();
    }
    let now = store.table(&t.name).await.unwrap();
    assert_eq!(store.changed_partitions(&t, t.version).await.unwrap(), None, "they are not kept for ever");
    assert_eq!(store.partition_index(&now).await.unwrap().len(), 26_904);
    let mut moved = now.clone();
    "s3://new/t".clone_into(&mut moved.storage.location);
    let moved = store.replace_table(moved).await.unwrap();
    assert_eq!(store.changed_partitions(&moved, now.version).await.unwrap(), None);
    assert_eq!(store.partition_index(&moved).await.unwrap().own_location(0), Some("s3://b/t/n=1/"));
    let installed = store.install_table(table("t"), add([1]).add, true).await.unwrap();
    assert_eq!(store.changed_partitions(&installed, moved.version).await.unwrap(), None);
    assert_eq!(store.partition_index(&installed).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restored_catalog_knows_of_no_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("catalog.db"), folder.path().join("backup.db"));
    let (store, t) = indexed(&folder, 3).await;
    store.change_partitions(&t, add([4])).await.unwrap();
    store.backup(&backup).await.unwrap();
    store.change_partitions(&t, add([5])).await.unwrap();
    let then = store.table(&t.name).await.unwrap();
    drop(store);
    // Even if the versions that were in use are not known, the new ones are higher.
    let lost = folder.path().join("lost.db");
    SqliteMetastore::restore(&backup, &lost).await.unwrap();
    let found = SqliteMetastore::open(&lost).unwrap().table(&t.name).await.unwrap();
    assert!(found.version > then.version, "{} after {}", found.version, then.version);

    SqliteMetastore::restore(&backup, &path).await.unwrap();
    let store = SqliteMetastore::open(&path).unwrap();
    let t = store.table(&t.name).await.unwrap();
    assert_eq!(store.changed_partitions(&t, then.version).await.unwrap(), None);
    store.change_partitions(&t, add([6])).await.unwrap();
    assert_eq!(store.changed_partitions(&t, then.version).await.unwrap(), None);
    assert_eq!(store.changed_partitions(&t, t.version).await.unwrap(), Some(vec!["n=6".to_owned()]));
}

#[tokio::test]
async fn a_full_disk_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, t) = indexed(&folder, 3).await;
    let room = async |pages: i64| {
        let limit = move |connection: &Connection| {
            let used: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {}", used + pages), [], |row| row.get::<_, i64>(0))?)
        };
        store.connections.write(limit).await.unwrap();
    };
    room(5).await;
    let error = store.change_partitions(&t, add(100..6000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("is full") && error.hint().is_some(), "{error:?}");
    let now = store.table(&t.name).await.unwrap();
    assert_eq!((now.version, store.partition_index(&now).await.unwrap().len()), (t.version, 3));
    assert_eq!(store.changed_partitions(&now, t.version).await.unwrap(), Some(Vec::new()));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
    room(10_000).await;
    assert_eq!(store.change_partitions(&t, add(100..6000)).await.unwrap().added, 5900);
    assert_eq!(count(&store, "t").await, 5903);
}
