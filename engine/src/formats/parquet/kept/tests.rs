//! Tests of kept footers as their callers see them, over restarts, damage, and other processes at the same file.

use std::{
    fs,
    sync::atomic::{AtomicI64, Ordering},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::*;

/// A clock that is set by hand, in hours.
#[derive(Debug, Default)]
struct Hours(AtomicI64);

impl Clock for Hours {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + self.0.load(Ordering::Relaxed) * 3600, 0).unwrap()
    }
}

fn open(directory: &Path) -> Arc<KeptFooters> {
    KeptFooters::open(directory, 1 << 20, Arc::new(Hours::default()))
}

fn key(name: &str) -> KeptKey {
    KeptKey { url: format!("s3://lake/{name}"), size: 1000, version: "1".to_owned() }
}

fn footer(seed: u8, length: usize) -> KeptFooter {
    KeptFooter { bytes: Bytes::from(vec![seed; length]), indexes: None }
}

fn with_indexes(footer: &KeptFooter) -> KeptFooter {
    KeptFooter { indexes: Some((u64::MAX - 3, Bytes::from_static(b"offsets and columns"))), ..footer.clone() }
}

fn sql(directory: &Path, statement: &str) {
    Connection::open(directory.join("footers.sqlite")).unwrap().execute_batch(statement).unwrap();
}

fn count(directory: &Path) -> i64 {
    let connection = Connection::open(directory.join("footers.sqlite")).unwrap();
    connection.query_row("SELECT count(*) FROM footers", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn footers_come_back_also_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let home = directory.path().join("made/when/needed");
    let kept = open(&home);
    assert_eq!(kept.get(&key("a")).await, None);
    kept.put(key("a"), footer(1, 5000));
    kept.put(key("b"), with_indexes(&footer(2, 0)));
    kept.flush().await;
    for kept in [kept, open(&home)] {
        assert_eq!(kept.get(&key("a")).await, Some(footer(1, 5000)));
        let all = kept.get_many(vec![key("a"), key("b"), key("c"), key("a")]).await;
        assert_eq!(all, HashMap::from([(key("a"), footer(1, 5000)), (key("b"), with_indexes(&footer(2, 0)))]));
        assert!(kept.get_many(Vec::new()).await.is_empty());
    }
}

#[tokio::test]
async fn dropping_writes_what_waits() {
    let directory = TempDir::new().unwrap();
    let kept = open(directory.path());
    for n in 0..1500 {
        kept.put(key(&n.to_string()), footer(1, 10));
    }
    drop(kept);
    assert_eq!(count(directory.path()), 1500);
}

#[tokio::test]
async fn the_newest_version_replaces_others() {
    let directory = TempDir::new().unwrap();
    let kept = open(directory.path());
    let (old, new) = (key("a"), KeptKey { version: "2".to_owned(), ..key("a") });
    kept.put(old.clone(), with_indexes(&footer(1, 100)));
    kept.put(new.clone(), footer(2, 100));
    kept.flush().await;
    assert_eq!(kept.get(&old).await, None);
    assert_eq!(kept.get(&new).await, Some(footer(2, 100)));
    assert_eq!(kept.get(&KeptKey { size: 1001, ..new.clone() }).await, None);
    assert_eq!(count(directory.path()), 1);
}

#[tokio::test]
async fn indexes_are_added_and_stay() {
    let directory = TempDir::new().unwrap();
    let kept = open(directory.path());
    let (plain, whole) = (footer(1, 100), with_indexes(&footer(1, 100)));
    for (put, expected) in [(&plain, &plain), (&whole, &whole), (&plain, &whole)] {
        kept.put(key("a"), put.clone());
        kept.flush().await;
        assert_eq!(kept.get(&key("a")).await.as_ref(), Some(expected));
    }
}

#[tokio::test]
async fn damaged_rows_are_absent_and_removed() {
    for damage in [
        "footer = zeroblob(100)",
        "footer = 'text'",
        "footer = substr(footer, 1, 99)",
        "indexes = NULL",
        "indexes_start = 4",
        "indexes_start = 'four'",
        "checksum = checksum + 1",
    ] {
        let directory = TempDir::new().unwrap();
        let kept = open(directory.path());
        kept.put(key("a"), with_indexes(&footer(1, 100)));
        kept.put(key("b"), footer(1, 100));
        kept.flush().await;
        sql(directory.path(), &format!("UPDATE footers SET {damage} WHERE url LIKE '%/a'"));
        assert_eq!(kept.get(&key("a")).await, None, "{damage}");
        kept.flush().await;
        assert_eq!(count(directory.path()), 1, "{damage}");
        kept.put(key("a"), footer(3, 100));
        kept.flush().await;
        assert_eq!(kept.get(&key("a")).await, Some(footer(3, 100)), "{damage}");
        assert_eq!(kept.get(&key("b")).await, Some(footer(1, 100)), "{damage}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_begun_anew() {
    let whole = TempDir::new().unwrap();
    let kept = open(whole.path());
    kept.put(key("a"), footer(1, 50_000));
    drop(kept);
    let database = fs::read(whole.path().join("footers.sqlite")).unwrap();
    for damaged in [b"not a database, but long enough to be told from an empty one".repeat(100), database[..5000].to_vec()] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("footers.sqlite"), &damaged).unwrap();
        let kept = open(directory.path());
        assert_eq!(kept.get(&key("a")).await, None);
        kept.flush().await;
        kept.put(key("a"), footer(1, 100));
        kept.flush().await;
        assert_eq!(kept.get(&key("a")).await, Some(footer(1, 100)));
        assert_eq!(fs::read(directory.path().join("footers.damaged")).unwrap(), damaged);
        drop(kept);
        assert_eq!(open(directory.path()).get(&key("a")).await, Some(footer(1, 100)));
    }
}

#[tokio::test]
async fn damage_that_shows_later_is_mended_too() {
    let directory = TempDir::new().unwrap();
    let kept = open(directory.path());
    for n in 0..300 {
        kept.put(key(&n.to_string()), footer(1, 2000));
    }
    drop(kept);
    let path = directory.path().join("footers.sqlite");
    let mut database = fs::read(&path).unwrap();
    // All but the first pages, which say what tables there are.
    database[64 << 10..].fill(0xa5);
    fs::write(&path, database).unwrap();
    let kept = open(directory.path());
    let keys: Vec<KeptKey> = (0..300).map(|n| key(&n.to_string())).collect();
    for (found, footer) in kept.get_many(keys.clone()).await {
        assert_eq!(footer.bytes, vec![1; 2000], "{found:?}");
    }
    kept.flush().await;
    for key in &keys {
        kept.put(key.clone(), footer(2, 2000));
    }
    kept.flush().await;
    assert_eq!(kept.get_many(keys).await.len(), 300);
}

#[tokio::test]
async fn what_was_used_longest_ago_leaves() {
    let directory = TempDir::new().unwrap();
    let clock = Arc::new(Hours::default());
    let kept = KeptFooters::open(directory.path(), 20_000, Arc::clone(&clock) as Arc<dyn Clock>);
    for n in 0..10 {
        clock.0.fetch_add(1, Ordering::Relaxed);
        kept.put(key(&n.to_string()), footer(n, 1500));
    }
    kept.flush().await;
    clock.0.fetch_add(1, Ordering::Relaxed);
    assert!(kept.get(&key("0")).await.is_some());
    assert!(kept.get(&key("2")).await.is_some());
    for n in 10..14 {
        kept.put(key(&n.to_string()), footer(n, 1500));
    }
    kept.put(key("larger than all"), footer(0, 20_000));
    kept.flush().await;
    let left = kept.get_many((0..14).map(|n| key(&n.to_string())).chain([key("larger than all")]).collect()).await;
    let mut names: Vec<u32> = left.keys().map(|key| key.url.rsplit('/').next().unwrap().parse().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, [0, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13]);

    drop(kept);
    let kept = KeptFooters::open(directory.path(), 4000, clock);
    kept.flush().await;
    assert_eq!(count(directory.path()), 2);
    drop(kept);
}

#[tokio::test]
async fn the_file_does_not_outgrow_the_capacity() {
    let directory = TempDir::new().unwrap();
    let kept = KeptFooters::open(directory.path(), 300_000, Arc::new(Hours::default()));
    for n in 0..100 {
        kept.put(key(&n.to_string()), footer(1, 20_000));
        kept.flush().await;
    }
    drop(kept);
    let length = fs::metadata(directory.path().join("footers.sqlite")).unwrap().len();
    assert!(length < 600_000, "{length}");
    drop(KeptFooters::open(directory.path(), 30_000, Arc::new(Hours::default())));
    let length = fs::metadata(directory.path().join("footers.sqlite")).unwrap().len();
    assert!(length < 100_000, "{length}");
}

#[tokio::test]
async fn two_use_one_file() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (open(directory.path()), open(directory.path()));
    one.put(key("a"), footer(1, 100));
    one.flush().await;
    assert_eq!(two.get(&key("a")).await, Some(footer(1, 100)));
    for n in 0..200 {
        one.put(key(&format!("one {n}")), footer(1, 100));
        two.put(key(&format!("two {n}")), footer(2, 100));
    }
    one.flush().await;
    two.flush().await;
    let keys: Vec<_> = (0..200).flat_map(|n| [key(&format!("one {n}")), key(&format!("two {n}"))]).collect();
    assert_eq!(one.get_many(keys.clone()).await.len(), 400);
    assert_eq!(two.get_many(keys).await.len(), 400);
}

#[tokio::test]
async fn what_cannot_be_opened_keeps_nothing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let newer = directory.path().join("newer");
    drop(open(&newer));
    sql(&newer, "PRAGMA user_version = 99");
    for (home, capacity) in [(file.as_path(), 1000), (&newer, 1000), (directory.path(), 0)] {
        let kept = KeptFooters::open(home, capacity, Arc::new(Hours::default()));
        kept.put(key("a"), footer(1, 100));
        kept.flush().await;
        assert_eq!(kept.get(&key("a")).await, None);
    }
    assert!(!directory.path().join("footers.sqlite").exists());
}
