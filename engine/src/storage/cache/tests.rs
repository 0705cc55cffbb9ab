//! Tests of the data cache as its callers see it, over restarts, damage, and other processes in its directory.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;

fn object(name: &str, version: &str) -> ObjectVersion {
    ObjectVersion { url: format!("s3://lake/{name}").into(), size: 1 << 30, version: version.into() }
}

/// Bytes that tell where in which object they lie.
fn content(seed: u8, range: Range<u64>) -> Bytes {
    range.map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ seed).collect()
}

fn open(directory: &Path, memory_bytes: u64, disk_bytes: u64) -> Arc<DataCache> {
    DataCache::open(&DataCacheOptions { memory_bytes, disk_bytes }, directory).unwrap().unwrap()
}

async fn keep(cache: &DataCache, object: &ObjectVersion, range: Range<u64>) {
    cache.put(object, range.start, content(0, range));
    cache.flush().await;
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn bytes_in(directory: &Path) -> u64 {
    files(directory).iter().map(|path| path.metadata().unwrap().len()).sum()
}

const MB: u64 = 1 << 20;

#[test]
fn two_sizes_of_zero_are_no_cache() {
    let directory = TempDir::new().unwrap();
    assert!(DataCache::open(&DataCacheOptions::default(), directory.path()).unwrap().is_none());
    assert!(serde_json::from_str::<DataCacheOptions>(r#"{"disk_byte": 1}"#).is_err());
    let options: DataCacheOptions = serde_json::from_str(r#"{"disk_bytes": 1}"#).unwrap();
    assert_eq!(options, DataCacheOptions { memory_bytes: 0, disk_bytes: 1 });
}

#[tokio::test]
async fn memory_alone_touches_no_disk() {
    let directory = TempDir::new().unwrap();
    let (cache, a) = (open(&directory.path().join("cache"), MB, 0), object("a", "1"));
    let fetched = content(0, 0..5000);
    cache.put(&a, 100, fetched.slice(100..3000));
    assert_eq!(cache.get(&a, 200..2500).await.unwrap(), fetched.slice(200..2500));
    assert_eq!(cache.get(&a, 100..3000).await.unwrap(), fetched.slice(100..3000));
    assert_eq!(cache.get(&a, 99..200).await, None);
    assert_eq!(cache.get(&a, 2999..3001).await, None);
    assert_eq!(cache.get(&a, 7..7).await.unwrap(), Bytes::new());
    assert!(!directory.path().join("cache").exists());
}

#[tokio::test]
async fn what_is_kept_does_not_hold_what_it_was_cut_from() {
    let directory = TempDir::new().unwrap();
    let (cache, a) = (open(directory.path(), MB, 0), object("a", "1"));
    let large = content(0, 0..100_000);
    cache.put(&a, 0, large.slice(0..10));
    assert!(large.is_unique());
}

#[tokio::test]
async fn disk_outlives_the_process() {
    let directory = TempDir::new().unwrap();
    let a = object("a", "1");
    for memory in [0, 8 * MB] {
        let cache = open(directory.path(), memory, 64 * MB);
        if memory == 0 {
            keep(&cache, &a, 1000..3_001_000).await;
            keep(&cache, &object("b", "1"), 0..1).await;
        }
        for range in [1000..3_001_000, 1000..1001, 500_000..700_000, 3_000_999..3_001_000, 132_071..132_073] {
            assert_eq!(cache.get(&a, range.clone()).await.unwrap(), content(0, range));
        }
        assert_eq!(cache.get(&object("b", "1"), 0..1).await.unwrap(), content(0, 0..1));
        assert_eq!(cache.get(&object("c", "1"), 0..1).await, None);
    }
}

#[tokio::test]
async fn what_disk_gave_is_in_memory_then() {
    let directory = TempDir::new().unwrap();
    let a = object("a", "1");
    keep(&open(directory.path(), 0, MB), &a, 0..1000).await;
    let cache = open(directory.path(), MB, MB);
    assert!(cache.get(&a, 100..200).await.is_some());
    files(directory.path()).iter().for_each(|file| fs::remove_file(file).unwrap());
    assert_eq!(cache.get(&a, 120..200).await.unwrap(), content(0, 120..200));
    assert_eq!(cache.get(&a, 0..200).await, None);
}

#[tokio::test]
async fn several_segments_make_a_range() {
    let directory = TempDir::new().unwrap();
    for (memory, disk) in [(MB, 0), (0, MB), (MB, MB)] {
        let cache = open(&directory.path().join(format!("{memory}-{disk}")), memory, disk);
        let a = object("a", "1");
        for range in [0..100, 100..150, 140..300, 310..400, 120..130] {
            keep(&cache, &a, range).await;
        }
        assert_eq!(cache.get(&a, 20..290).await.unwrap(), content(0, 20..290), "{memory} {disk}");
        assert_eq!(cache.get(&a, 290..320).await, None);
        keep(&cache, &a, 90..350).await;
        assert_eq!(cache.get(&a, 0..400).await.unwrap(), content(0, 0..400));
    }
}

#[tokio::test]
async fn memory_and_disk_make_a_range_together() {
    let directory = TempDir::new().unwrap();
    let a = object("a", "1");
    let first = open(directory.path(), 0, MB);
    keep(&first, &a, 0..100).await;
    keep(&first, &a, 200..300).await;
    let cache = open(directory.path(), MB, MB);
    cache.put(&a, 100, content(0, 100..200));
    assert_eq!(cache.get(&a, 10..290).await.unwrap(), content(0, 10..290));
}

#[tokio::test]
async fn another_version_or_size_is_another_object() {
    let directory = TempDir::new().unwrap();
    let cache = open(directory.path(), MB, MB);
    let a = object("a", "1");
    keep(&cache, &a, 0..100).await;
    assert_eq!(cache.get(&object("a", "2"), 0..100).await, None);
    assert_eq!(cache.get(&ObjectVersion { size: 200, ..a.clone() }, 0..100).await, None);
    cache.put(&object("a", "2"), 0, content(9, 0..100));
    assert_eq!(cache.get(&object("a", "2"), 0..100).await.unwrap(), content(9, 0..100));
    assert_eq!(cache.get(&a, 0..100).await.unwrap(), content(0, 0..100));
}

#[tokio::test]
async fn bytes_beyond_the_object_are_not_taken() {
    let directory = TempDir::new().unwrap();
    let (cache, a) = (open(directory.path(), MB, MB), ObjectVersion { size: 50, ..object("a", "1") });
    cache.put(&a, 0, content(0, 0..51));
    cache.put(&a, u64::MAX, content(0, 0..51));
    cache.put(&a, 3, Bytes::new());
    cache.flush().await;
    assert_eq!(cache.get(&a, 0..10).await, None);
    assert!(files(directory.path()).is_empty());
}

#[tokio::test]
async fn damage_is_a_miss_and_the_file_goes() {
    let a = object("a", "1");
    type Damage = dyn Fn(&mut Vec<u8>);
    let damage: [(&str, &Damage); 8] = [
        ("first byte of the data", &|file| {
            let at = file.len() - 300_000;
            file[at] ^= 1;
        }),
        ("last byte of the data", &|file| *file.last_mut().unwrap() ^= 0x80),
        ("magic", &|file| file[0] ^= 1),
        ("range", &|file| file[9] ^= 1),
        ("a sum", &|file| file[64] ^= 1),
        ("cut short", &|file| file.truncate(file.len() - 1)),
        ("longer", &|file| file.push(0)),
        ("zeros", &|file| file.fill(0)),
    ];
    for (what, damage) in damage {
        for restart in [false, true] {
            let directory = TempDir::new().unwrap();
            let mut cache = open(directory.path(), 0, 8 * MB);
            keep(&cache, &a, 7..300_007).await;
            let path = files(directory.path()).remove(0);
            let mut file = fs::read(&path).unwrap();
            damage(&mut file);
            fs::write(&path, file).unwrap();
            if restart {
                drop(cache);
                cache = open(directory.path(), 0, 8 * MB);
            }
            assert_eq!(cache.get(&a, 7..300_007).await, None, "{what}");
            assert!(!path.exists(), "{what}");
            keep(&cache, &a, 7..300_007).await;
            assert_eq!(cache.get(&a, 7..300_007).await.unwrap(), content(0, 7..300_007), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_found_damaged_while_the_directory_is_walked_can_be_kept_again() {
    let a = object("a", "1");
    for _ in 0..50 {
        let directory = TempDir::new().unwrap();
        keep(&open(directory.path(), 0, MB), &a, 0..40).await;
        let path = files(directory.path()).remove(0);
        let mut file = fs::read(&path).unwrap();
        file[0] ^= 1;
        fs::write(&path, file).unwrap();
        let cache = open(directory.path(), 0, MB);
        assert_eq!(cache.get(&a, 0..40).await, None);
        keep(&cache, &a, 0..40).await;
        assert!(cache.get(&a, 0..40).await.is_some());
    }
}

#[tokio::test]
async fn every_flipped_bit_is_noticed() {
    let directory = TempDir::new().unwrap();
    let (cache, a) = (open(directory.path(), 0, 8 * MB), object("a", "1"));
    keep(&cache, &a, 0..40).await;
    let path = files(directory.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(&path, file).unwrap();
        assert_eq!(cache.get(&a, 0..40).await, None, "byte {at}");
        keep(&cache, &a, 0..40).await;
        assert!(cache.get(&a, 0..40).await.is_some(), "byte {at}");
    }
}

#[tokio::test]
async fn another_objects_file_is_not_served() {
    let directory = TempDir::new().unwrap();
    let (a, b) = (object("a", "1"), object("b", "1"));
    let cache = open(directory.path(), 0, 8 * MB);
    keep(&cache, &a, 0..40).await;
    let of_a = files(directory.path()).remove(0);
    keep(&cache, &b, 0..40).await;
    let of_b = files(directory.path()).into_iter().find(|path| *path != of_a).unwrap();
    fs::copy(&of_a, &of_b).unwrap();
    assert_eq!(cache.get(&b, 0..40).await, None);
    assert!(!of_b.exists());
    assert!(cache.get(&a, 0..40).await.is_some());
}

#[tokio::test]
async fn foreign_files_are_removed_among_segments_and_left_elsewhere() {
    let directory = TempDir::new().unwrap();
    let a = object("a", "1");
    keep(&open(directory.path(), 0, MB), &a, 0..40).await;
    let segment = files(directory.path()).remove(0);
    let within = ["0-", "x", "40-0", "50-90", "+1-2", "01-50"].map(|name| segment.with_file_name(name));
    let (beside, outside) = (directory.path().join("segments-1/notes"), directory.path().join("notes"));
    for path in within.iter().chain([&beside, &outside]) {
        fs::write(path, "mine").unwrap();
    }
    let left = directory.path().join("segments-1/new/left");
    fs::write(&left, "half").unwrap();
    let cache = open(directory.path(), 0, MB);
    cache.flush().await;
    assert!(within.iter().all(|path| !path.exists()));
    assert!(beside.exists() && outside.exists() && segment.exists() && !left.exists());
    assert!(cache.get(&a, 0..40).await.is_some());
}

#[tokio::test]
async fn limits_are_obeyed() {
    let directory = TempDir::new().unwrap();
    let cache = open(directory.path(), 100_000, 400_000);
    for n in 0..200 {
        keep(&cache, &object(&format!("{n}"), "1"), 0..7000).await;
        assert!(bytes_in(directory.path()) <= 400_000);
        assert!(cache.memory_bytes() <= 100_000);
    }
    assert!(bytes_in(directory.path()) > 200_000);
    keep(&cache, &object("large", "1"), 0..500_000).await;
    assert_eq!(cache.get(&object("large", "1"), 0..500_000).await, None);
    drop(cache);
    let cache = open(directory.path(), 0, 100_000);
    cache.flush().await;
    assert!(bytes_in(directory.path()) <= 100_000);
    assert!(cache.disk_bytes() > 50_000);
    // Directories of objects without segments do not pile up.
    let directories = fs::read_dir(directory.path().join("segments-1")).unwrap().flatten();
    let objects: usize =
        directories.filter(|shard| shard.file_name() != "new").map(|shard| fs::read_dir(shard.path()).unwrap().count()).sum();
    assert_eq!(objects, files(directory.path()).len());
}

#[tokio::test]
async fn a_scan_leaves_what_is_used_often() {
    let directory = TempDir::new().unwrap();
    for (memory, disk) in [(400_000, 0), (0, 800_000), (200_000, 800_000)] {
        let directory = directory.path().join(format!("{memory}-{disk}"));
        let cache = open(&directory, memory, disk);
        let hot: Vec<_> = (0..8).map(|n| object(&format!("hot {n}"), "1")).collect();
        for object in &hot {
            keep(&cache, object, 0..8000).await;
        }
        for object in &hot {
            assert!(cache.get(object, 0..8000).await.is_some());
        }
        let scanned = content(0, 0..8000);
        for n in 0..1000 {
            let object = object(&format!("scanned {n}"), "1");
            assert_eq!(cache.get(&object, 0..8000).await, None);
            cache.put(&object, 0, scanned.clone());
            if n % 50 == 0 {
                cache.flush().await;
            }
        }
        cache.flush().await;
        for object in &hot {
            assert!(cache.get(object, 0..8000).await.is_some(), "{memory} {disk}");
        }
        if memory > 0 && disk > 0 {
            drop(cache);
            let cache = open(&directory, 0, disk);
            for object in &hot {
                assert!(cache.get(object, 0..8000).await.is_some(), "on disk too");
            }
        }
    }
}

#[tokio::test]
async fn two_in_one_directory_share_and_lose() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (open(directory.path(), 0, MB), open(directory.path(), 0, MB));
    one.flush().await;
    two.flush().await;
    let a = object("a", "1");
    keep(&one, &a, 0..1000).await;
    // The other fetches the same, finds the file, and does not write it again.
    let path = files(directory.path()).remove(0);
    let written = path.metadata().unwrap().modified().unwrap();
    keep(&two, &a, 0..1000).await;
    assert_eq!(path.metadata().unwrap().modified().unwrap(), written);
    assert!(two.get(&a, 0..1000).await.is_some());
    // What one removes, the other misses.
    fs::remove_file(&path).unwrap();
    assert_eq!(one.get(&a, 0..1000).await, None);
    assert_eq!(two.get(&a, 0..1000).await, None);
    keep(&two, &a, 0..1000).await;
    assert!(two.get(&a, 0..1000).await.is_some());
    // What the other wrote is found when the directory is walked again.
    for n in 0..40 {
        keep(&one, &object(&format!("{n}"), "1"), 0..4000).await;
    }
    assert!(one.get(&a, 0..1000).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_in_one_directory_never_see_wrong_bytes() {
    let directory = TempDir::new().unwrap();
    let caches = [open(directory.path(), 50_000, 300_000), open(directory.path(), 0, 200_000)];
    let tasks = (0..8_u64).map(|task| {
        let cache = Arc::clone(&caches[task as usize % 2]);
        tokio::spawn(async move {
            let mut hits = 0;
            for n in 0..400 {
                let number = (n * (task + 3)) % 29;
                let object = object(&number.to_string(), "1");
                let start = (n * 977) % 5000;
                let range = start..start + 1 + (n * 7919) % 12_000;
                match cache.get(&object, range.clone()).await {
                    Some(bytes) => {
                        assert_eq!(bytes, content(number as u8, range));
                        hits += 1;
                    }
                    None => cache.put(&object, range.start, content(number as u8, range)),
                }
            }
            hits
        })
    });
    let hits: u64 = futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    assert!(hits > 0);
    for cache in &caches {
        cache.flush().await;
    }
    assert!(bytes_in(directory.path()) <= 500_000);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_keeps_nothing_and_fails_nothing() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let cache = open(&file.join("cache"), 0, MB);
    let a = object("a", "1");
    keep(&cache, &a, 0..100).await;
    keep(&cache, &a, 0..100).await;
    assert_eq!(cache.get(&a, 0..100).await, None);
    let cache = open(&file.join("cache"), MB, MB);
    keep(&cache, &a, 0..100).await;
    assert!(cache.get(&a, 0..100).await.is_some());
}

#[tokio::test]
async fn more_than_the_queue_holds_is_passed_over() {
    let directory = TempDir::new().unwrap();
    let cache = open(directory.path(), 0, 1 << 30);
    let bytes = Bytes::from(vec![1; 4 << 20]);
    for n in 0..200 {
        cache.put(&object(&n.to_string(), "1"), 0, bytes.clone());
        assert!(cache.disk.as_ref().unwrap().waiting() <= 64 << 20);
    }
    cache.flush().await;
    assert_eq!(cache.disk.as_ref().unwrap().waiting(), 0);
    assert!(!files(directory.path()).is_empty());
}
