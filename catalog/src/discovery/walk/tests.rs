//! Walks over a store of keys, listed in small pages.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;

use super::*;
use crate::{discovery::ListPage, error::ErrorKind, hive_type::HiveType};

/// Answers delimited listings of some keys, and counts what it is asked.
#[derive(Debug, Default)]
struct Keys {
    keys: BTreeSet<String>,
    page_size: usize,
    stuck: bool,
    running: AtomicUsize,
    most_running: AtomicUsize,
}

impl Keys {
    fn new(keys: &[&str]) -> Self {
        Self { keys: keys.iter().map(|key| (*key).to_owned()).collect(), page_size: 2, ..Self::default() }
    }
}

#[async_trait]
impl Lister for Keys {
    async fn page(&self, request: ListRequest) -> Result<ListPage> {
        assert!(request.delimited && (request.prefix.is_empty() || request.prefix.ends_with('/')));
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        let prefixes: BTreeSet<String> = self
            .keys
            .iter()
            .filter_map(|key| key.strip_prefix(&request.prefix)?.split_once('/'))
            .map(|(name, _)| format!("{}{name}/", request.prefix))
            .collect();
        let after = request.token.unwrap_or_default();
        let mut rest = prefixes.into_iter().filter(|prefix| *prefix > after);
        let prefixes: Vec<String> = rest.by_ref().take(self.page_size).collect();
        let mut next_token = rest.next().and_then(|_| prefixes.last().cloned());
        if self.stuck {
            next_token = Some("again".to_owned());
        }
        Ok(ListPage { objects: Vec::new(), prefixes, next_token })
    }
}

fn keys() -> Vec<Column> {
    vec![Column::new("year", HiveType::Int), Column::new("region", HiveType::String)]
}

fn found(path: &str, values: [Option<&str>; 2]) -> Found {
    Found { values: values.iter().map(|value| value.map(str::to_owned)).collect(), path: path.to_owned() }
}

#[tokio::test]
async fn finds_directories_over_all_pages() {
    let store = Keys::new(&[
        "lake/t/year=01/region=eu/a.parquet",
        "lake/t/year=01/region=us%2Fwest/a.parquet",
        "lake/t/year=1/region=__HIVE_DEFAULT_PARTITION__/",
        "lake/t/year=2/region=a b/sub/deep/a.parquet",
        "lake/t/year=3/file",
        "lake/t/year=4/region=é/x",
        "lake/t/a.parquet",
        "lake/t2/year=9/region=x/a.parquet",
    ]);
    let walked = walk(&store, "lake/t", &keys(), &WalkOptions::default()).await.unwrap();
    assert_eq!(
        walked.found,
        [
            found("year=01/region=eu", [Some("01"), Some("eu")]),
            found("year=01/region=us%2Fwest", [Some("01"), Some("us/west")]),
            found("year=1/region=__HIVE_DEFAULT_PARTITION__", [Some("1"), None]),
            found("year=2/region=a b", [Some("2"), Some("a b")]),
            found("year=4/region=é", [Some("4"), Some("é")]),
        ]
    );
    assert_eq!((walked.ignored.len(), walked.pages), (0, 3 + 5));
}

#[tokio::test]
async fn the_root_of_a_store_is_walked_too() {
    let store = Keys::new(&["year=1/region=a/x", "other/x"]);
    let walked = walk(&store, "", &keys(), &WalkOptions::default()).await.unwrap();
    assert_eq!(walked.found, [found("year=1/region=a", [Some("1"), Some("a")])]);
    assert_eq!(walked.ignored, [Ignored { path: "other".to_owned(), reason: IgnoredReason::NotKeyValue }]);
}

#[tokio::test]
async fn says_what_it_ignores() {
    let store = Keys::new(&[
        "t/_temporary/year=1/region=a/x",
        "t/.hive/year=1/x",
        "t/Year=1/region=a/x",
        "t/month=1/region=a/x",
        "t/year=/region=a/x",
        "t/year=1/_tmp/x",
        "t/year=1/region=b/x",
        "t/year=1/REGION=c/x",
    ]);
    let options = WalkOptions { max_ignored: 3, ..WalkOptions::default() };
    let walked = walk(&store, "t/", &keys(), &options).await.unwrap();
    assert_eq!(walked.found, [found("year=1/region=b", [Some("1"), Some("b")])]);
    let ignored: Vec<_> = walked.ignored.iter().map(|ignored| (ignored.path.as_str(), ignored.reason)).collect();
    assert_eq!(
        ignored,
        [("Year=1", IgnoredReason::KeyCase), ("month=1", IgnoredReason::OtherKey), ("year=", IgnoredReason::NotKeyValue)]
    );
    assert_eq!(walked.ignored_count, 4);
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_with_its_path() {
    let store = Keys::new(&["lake/t/year=1/region=a/x", "lake/t/year=latest/region=a/x"]);
    let error = walk(&store, "lake/t", &keys(), &WalkOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "partition value \"latest\" is not of type \"int\", key \"year\", path \"lake/t/year=latest/\""
    );
}

#[tokio::test]
async fn concurrency_is_bounded() {
    let paths: Vec<String> = (0..40).map(|year| format!("t/year={year}/region=a/x")).collect();
    let store = Keys::new(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let options = WalkOptions { concurrency: 7, ..WalkOptions::default() };
    assert_eq!(walk(&store, "t", &keys(), &options).await.unwrap().found.len(), 40);
    assert_eq!(store.most_running.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn a_listing_that_goes_in_circles_ends() {
    let store = Keys { stuck: true, ..Keys::new(&["t/year=1/region=a/x"]) };
    assert_eq!(walk(&store, "t", &keys(), &WalkOptions::default()).await.unwrap_err().kind(), ErrorKind::Unavailable);
}
