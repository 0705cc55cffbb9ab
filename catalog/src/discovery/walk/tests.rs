//! Walks over stores of keys, in small pages: whatever the shape of the lake, they find each directory once, in few pages.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use async_trait::async_trait;
use chrono::DateTime;
use object_store::{ObjectMeta, path::Path};
use proptest::prelude::*;

use super::*;
use crate::{
    discovery::{
        directory::IgnoredReason,
        store::{ListPage, ListRequest, Lister},
    },
    error::ErrorKind,
    hive_type::HiveType,
};

/// Lists some keys as S3 does, and counts the requests.
#[derive(Debug)]
struct Store {
    keys: BTreeSet<String>,
    page_size: usize,
    seeks: bool,
    /// Whether it ignores `start_after`.
    deaf: bool,
    stuck: bool,
    pages: AtomicUsize,
    running: AtomicUsize,
    most_running: AtomicUsize,
    asked: Mutex<Vec<ListRequest>>,
}

impl Store {
    fn new(keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            keys: keys.into_iter().map(Into::into).collect(),
            page_size: 1000,
            seeks: true,
            deaf: false,
            stuck: false,
            pages: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }

    fn pages(&self) -> usize {
        self.pages.swap(0, SeqCst)
    }
}

fn object(key: &str) -> ObjectMeta {
    let (location, size) = (Path::parse(key).unwrap(), u64::from(!key.ends_with('/')));
    ObjectMeta { location, last_modified: DateTime::UNIX_EPOCH, size, e_tag: None, version: None }
}

#[async_trait]
impl Lister for Store {
    async fn page(&self, request: ListRequest) -> Result<ListPage> {
        self.pages.fetch_add(1, SeqCst);
        let running = self.running.fetch_add(1, SeqCst) + 1;
        self.most_running.fetch_max(running, SeqCst);
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, SeqCst);
        let after = request.token.clone().or_else(|| request.start_after.clone().filter(|_| !self.deaf)).unwrap_or_default();
        let mut page = ListPage::default();
        let mut last = String::new();
        let mut keys = self.keys.range::<str, _>((std::ops::Bound::Excluded(after.as_str()), std::ops::Bound::Unbounded));
        let rolled_up = |key: &str| {
            let rest = key.strip_prefix(&request.prefix)?;
            let slash = rest.find('/').filter(|_| request.delimited)?;
            Some(key[..=request.prefix.len() + slash].to_owned())
        };
        while let Some(key) = keys.by_ref().find(|key| key.starts_with(&request.prefix)) {
            if page.objects.len() + page.prefixes.len() == self.page_size {
                match rolled_up(key) {
                    Some(prefix) if page.prefixes.last() == Some(&prefix) => continue,
                    _ => {
                        page.next_token = Some(last);
                        break;
                    }
                }
            }
            match rolled_up(key) {
                // After all keys of a prefix, once it was returned.
                Some(prefix) => {
                    last = format!("{prefix}\u{10ffff}");
                    if page.prefixes.last() != Some(&prefix) && !after.starts_with(&prefix) {
                        page.prefixes.push(prefix);
                    }
                }
                None => {
                    last.clone_from(key);
                    page.objects.push(object(key));
                }
            }
        }
        if self.stuck {
            page.next_token = Some("again".to_owned());
        }
        self.asked.lock().unwrap().push(request);
        Ok(page)
    }

    fn seeks(&self) -> bool {
        self.seeks
    }
}

fn keys(names: &[(&str, HiveType)]) -> Vec<Column> {
    names.iter().map(|(name, hive_type)| Column::new(*name, hive_type.clone())).collect()
}

fn two() -> Vec<Column> {
    keys(&[("year", HiveType::Int), ("region", HiveType::String)])
}

/// What a walk found, in order.
struct Walked {
    found: Vec<String>,
    ignored: Vec<(String, IgnoredReason)>,
    remembered: Option<Vec<u8>>,
}

async fn walk(store: &Arc<Store>, root: &str, keys: &[Column], options: WalkOptions) -> Result<Walked> {
    let location = OpenLocation { lister: Arc::clone(store) as Arc<dyn Lister>, prefix: root.to_owned() };
    let mut walk = Walk::new(&location, keys, options);
    let (mut found, mut ignored) = (Vec::new(), Vec::new());
    while let Some(piece) = walk.next().await? {
        found.extend(piece.found.into_iter().map(|found| found.path));
        ignored.extend(piece.ignored.into_iter().map(|ignored| (ignored.path, ignored.reason)));
    }
    found.sort();
    ignored.sort_by(|a, b| a.0.cmp(&b.0));
    ignored.dedup();
    Ok(Walked { found, ignored, remembered: walk.finish() })
}

async fn again(store: &Arc<Store>, root: &str, keys: &[Column], remembered: Option<Vec<u8>>) -> Walked {
    walk(store, root, keys, WalkOptions { remembered, ..WalkOptions::default() }).await.unwrap()
}

/// `dt=DAY/h=HOUR` with this many files in each.
fn days(days: usize, files: usize) -> Vec<String> {
    let day = |day: usize| format!("{:04}-{:02}-{:02}", 2000 + day / 336, day / 28 % 12 + 1, day % 28 + 1);
    let paths = (0..days * 24).flat_map(|at| (0..files).map(move |file| (at, file)));
    paths.map(|(at, file)| format!("t/dt={}/h={}/{file:06}.parquet", day(at / 24), at % 24)).collect()
}

fn date_keys() -> Vec<Column> {
    keys(&[("dt", HiveType::Date), ("h", HiveType::Int)])
}

#[tokio::test]
async fn finds_directories_whatever_is_beside_them() {
    let mut store = Store::new([
        "lake/t/year=01/region=eu/a.parquet",
        "lake/t/year=01/region=us%2Fwest/a.parquet",
        "lake/t/year=1/region=__HIVE_DEFAULT_PARTITION__/",
        "lake/t/year=2/region=a b/sub/deep/a.parquet",
        "lake/t/year=3/file",
        "lake/t/year=4/region=é/x",
        "lake/t/a.parquet",
        "lake/t/_temporary/year=1/region=a/x",
        "lake/t/Year=1/region=a/x",
        "lake/t/month=1/region=a/x",
        "lake/t/year=latest/region=a/x",
        "lake/t/year=latest/region=b/x",
        "lake/t/year=1/_tmp/x",
        "lake/t2/year=9/region=x/a.parquet",
    ]);
    let expected = [
        "year=01/region=eu",
        "year=01/region=us%2Fwest",
        "year=1/region=__HIVE_DEFAULT_PARTITION__",
        "year=2/region=a b",
        "year=4/region=é",
    ];
    for page_size in [1000, 3, 2] {
        for seeks in [true, false] {
            (store.page_size, store.seeks) = (page_size, seeks);
            let shared = Arc::new(store);
            let walked = walk(&shared, "lake/t", &two(), WalkOptions::default()).await.unwrap();
            assert_eq!(walked.found, expected, "{page_size} {seeks}");
            let ignored: Vec<&str> = walked.ignored.iter().map(|(path, _)| path.as_str()).collect();
            assert_eq!(ignored, ["Year=1", "month=1", "year=latest"], "{page_size} {seeks}");
            assert!(matches!(walked.ignored[2].1, IgnoredReason::OtherType { .. }));
            store = Arc::try_unwrap(shared).unwrap();
        }
    }
}

#[tokio::test]
async fn many_thin_partitions_take_about_a_page_a_thousand() {
    let all = days(2000, 1);
    let store = Arc::new(Store::new(all.clone()));
    let walked = walk(&store, "t", &date_keys(), WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found.len(), 48_000);
    let pages = store.pages();
    assert!(pages <= 48 * 14 / 10, "{pages} pages");
    assert!(store.most_running.load(SeqCst) > 20);

    let walked = again(&store, "t", &date_keys(), walked.remembered).await;
    assert_eq!(walked.found.len(), 48_000);
    let pages = store.pages();
    assert!(pages <= 56, "{pages} pages");

    // One more day at the end, one at the beginning, and one in the middle.
    let more = ["t/dt=2005-12-17/h=3/a", "t/dt=1999-01-01/h=3/a", "t/dt=2001-05-30/h=3/a"].map(str::to_owned);
    let store = Arc::new(Store::new(all.into_iter().chain(more)));
    let walked = again(&store, "t", &date_keys(), walked.remembered).await;
    assert_eq!(walked.found.len(), 48_003);
    assert!(store.pages() <= 60);
    assert!(walked.remembered.is_some());
}

#[tokio::test]
async fn few_fat_partitions_are_not_listed_through() {
    let store = Arc::new(Store::new(days(20, 300)));
    let walked = walk(&store, "t", &date_keys(), WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found.len(), 480);
    let pages = store.pages();
    assert!(pages <= 24, "{pages} pages, and 144 by key");
    // One fat day among thin ones.
    let fat = (0..24).flat_map(|hour| (0..300).map(move |file| format!("t/dt=2000-06-30/h={hour}/{file}")));
    let store = Arc::new(Store::new(days(400, 1).into_iter().chain(fat)));
    let walked = walk(&store, "t", &date_keys(), WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found.len(), 401 * 24);
    let pages = store.pages();
    assert!(pages <= 18, "{pages} pages");
    let single = Arc::new(Store::new((0..5).flat_map(|k| (0..5000).map(move |file| format!("t/k={k}/{file:06}")))));
    let walked = walk(&single, "t", &keys(&[("k", HiveType::Int)]), WalkOptions::default()).await.unwrap();
    assert_eq!((walked.found.len(), single.pages()), (5, 1));
}

#[tokio::test]
async fn a_long_first_level_is_listed_in_parallel() {
    let store = Arc::new(Store::new((0..100_000).map(|user| format!("t/user={user:08}/a"))));
    let user = keys(&[("user", HiveType::String)]);
    let walked = walk(&store, "t", &user, WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found.len(), 100_000);
    let pages = store.pages();
    assert!(pages <= 140, "{pages} pages");
    assert!(store.most_running.load(SeqCst) > 8);
    let walked = again(&store, "t", &user, walked.remembered).await;
    assert_eq!(walked.found.len(), 100_000);
    assert!(store.pages() <= 115);
}

#[tokio::test]
async fn what_is_left_out_is_not_listed_through() {
    let junk = |under: &str| (0..20_000).map(|file| format!("t/{under}/{file:06}")).collect::<Vec<_>>();
    let all = days(10, 1).into_iter().chain(junk("_delta_log")).chain(junk("plain")).chain(junk("dt=2000-01-03/_tmp"));
    let store = Arc::new(Store::new(all));
    let walked = walk(&store, "t", &date_keys(), WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found.len(), 240);
    assert_eq!(walked.ignored, [("plain".to_owned(), IgnoredReason::NotKeyValue)]);
    let pages = store.pages();
    assert!(pages <= 12, "{pages} pages");
    let walked = again(&store, "t", &date_keys(), walked.remembered).await;
    assert_eq!(walked.found.len(), 240);
    let pages = store.pages();
    assert!(pages <= 12, "{pages} pages");
}

#[tokio::test]
async fn a_tail_is_one_page() {
    let store = Arc::new(Store::new(days(500, 1)));
    let after = Some("dt=2001-06-22/h=9".to_owned());
    let walked = walk(&store, "t", &date_keys(), WalkOptions { after, ..WalkOptions::default() }).await.unwrap();
    assert_eq!((walked.found.len(), store.pages()), (48, 1));
    assert_eq!(walked.remembered, None, "it does not know the whole");
}

#[tokio::test]
async fn a_store_that_does_not_begin_where_it_is_asked_is_walked_all_the_same() {
    let store = Arc::new(Store { deaf: true, page_size: 10, ..Store::new(days(40, 1)) });
    let walked = walk(&store, "t", &date_keys(), WalkOptions::default()).await.unwrap();
    let found: BTreeSet<String> = walked.found.into_iter().collect();
    assert_eq!(found.len(), 960);
    assert_eq!(walked.remembered, None);
}

#[tokio::test]
async fn concurrency_is_bounded() {
    let store = Arc::new(Store::new(days(2000, 1)));
    let options = WalkOptions { concurrency: 7, ..WalkOptions::default() };
    assert_eq!(walk(&store, "t", &date_keys(), options).await.unwrap().found.len(), 48_000);
    assert_eq!(store.most_running.load(SeqCst), 7);
}

#[tokio::test]
async fn a_listing_that_goes_in_circles_ends() {
    let store = Arc::new(Store { stuck: true, ..Store::new(["t/year=1/region=a/x"]) });
    let error = walk(&store, "t", &keys(&[("year", HiveType::Int)]), WalkOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_lake_is_found_whole_each_directory_once(
        shape in prop::collection::vec((0_u32..30, prop::sample::select(vec!["a", "b", "b-1", "B", "_h", "c%3Ad", "c:d", "é"]), 0_usize..40, 1_usize..30), 1..40),
        page_size in 1_usize..40,
        depth in 1_usize..=3,
        seeks in any::<bool>(),
        more in prop::collection::vec((0_u32..60, 0_usize..9), 0..9),
    ) {
        let names = [("n", HiveType::Int), ("s", HiveType::String), ("m", HiveType::Int)];
        let columns = keys(&names[..depth]);
        let mut all: Vec<String> = Vec::new();
        for (n, s, m, files) in shape {
            let directory = [format!("n={n}"), format!("s={s}"), format!("m={m}")][..depth].join("/");
            all.extend((0..files).map(|file| format!("t/{directory}/{file}")));
            all.push(format!("t/n={n}x/{m}"));
            all.push(format!("t/{n}"));
        }
        let expected = |keys: &[String]| -> Vec<String> {
            let good = keys.iter().filter_map(|key| {
                let parts: Vec<&str> = key.strip_prefix("t/")?.split('/').collect();
                let good = parts.len() > depth && !parts[..depth].iter().any(|part| part.starts_with('_') || part.ends_with('x'));
                good.then(|| parts[..depth].join("/"))
            });
            good.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Arc::new(Store { page_size, seeks, ..Store::new(all.clone()) });
            let walked = walk(&store, "t", &columns, WalkOptions::default()).await.unwrap();
            assert_eq!(walked.found, expected(&all));
            all.extend(more.iter().map(|(n, m)| format!("t/n={n}/s=new/m={m}/x")));
            let store = Arc::new(Store { page_size, seeks, ..Store::new(all.clone()) });
            let walked = again(&store, "t", &columns, walked.remembered).await;
            assert_eq!(walked.found, expected(&all), "by remembered ranges");
        });
    }
}
