//! Local files, whose counts must be exact, and settings. What goes over HTTP is tested against a server in the tests crate.

use std::{fs, sync::Arc};

use futures::TryStreamExt;
use glaux_catalog::discovery::{ListRequest, Lister, StoreProvider};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, path::Path};

use super::{place::StorePlace, *};
use crate::{
    accounting::{Meter, Requests},
    error::ErrorKind,
};

fn stores() -> (QueryStores, Arc<Meter>) {
    let meter = Meter::new(None);
    let stores = Stores::with_environment(StorageOptions::default(), Environment::default());
    (Stores::for_query(&stores, Arc::clone(&meter)), meter)
}

async fn keys(lister: &dyn Lister, prefix: &str, delimited: bool) -> Vec<String> {
    let mut request = ListRequest { prefix: prefix.to_owned(), delimited, ..ListRequest::default() };
    let mut keys = Vec::new();
    loop {
        let page = lister.page(request.clone()).await.unwrap();
        keys.extend(page.objects.iter().map(|object| object.location.to_string()).chain(page.prefixes));
        request.token = page.next_token;
        if request.token.is_none() {
            return keys;
        }
    }
}

#[tokio::test]
async fn local_reads_are_counted_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let name = "dt=2024%3A01 ü/part 0.bin";
    fs::create_dir(dir.path().join("dt=2024%3A01 ü")).unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
    fs::write(dir.path().join(name), &content).unwrap();
    let (stores, meter) = stores();
    let location = stores.resolve(&format!("file://{}/{name}", dir.path().display())).unwrap();
    let (store, path) = (&location.store, &location.path);

    assert_eq!(store.head(path).await.unwrap().size, 3_000_000);
    assert_eq!(store.get(path).await.unwrap().bytes().await.unwrap(), content);
    assert_eq!(meter.usage().fetched_bytes, 3_000_000);
    assert_eq!(store.get_range(path, 10..20).await.unwrap(), content[10..20]);
    // Two that are merged, one that is far away and cut short by the end.
    let ranges = store.get_ranges(path, &[0..4, 100..104, 2_999_990..3_000_010]).await.unwrap();
    assert_eq!(ranges, [&content[0..4], &content[100..104], &content[2_999_990..]]);
    let usage = meter.usage();
    assert_eq!(usage.requests, Requests { get: 4, head: 1, ..Requests::default() });
    assert_eq!(usage.fetched_bytes, 3_000_000 + 10 + 104 + 10);

    // A stream that is dropped counts what was read of it.
    let stream = store.get(path).await.unwrap().into_stream();
    let (first, rest) = futures::StreamExt::into_future(stream).await;
    drop(rest);
    let first = first.unwrap().unwrap().len() as u64;
    assert_eq!(meter.usage().fetched_bytes - usage.fetched_bytes, first);
    assert!(first < 3_000_000);
}

#[tokio::test]
async fn local_writes_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (stores, meter) = stores();
    let location = stores.resolve(&format!("{}/new/a", dir.path().display())).unwrap();
    let (store, path) = (&location.store, &location.path);
    store.put(path, "one".into()).await.unwrap();
    let copy = Path::parse(format!("{path}2")).unwrap();
    store.copy(path, &copy).await.unwrap();
    let mut upload = store.put_multipart(path).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    upload.complete().await.unwrap();
    store.delete(&copy).await.unwrap();
    assert_eq!(meter.usage().requests, Requests { put: 5, delete: 1, ..Requests::default() });
    assert_eq!(store.get(path).await.unwrap().bytes().await.unwrap(), "ab");
}

#[tokio::test]
async fn directories_are_listed_as_a_bucket_would_be() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["t/a/x", "t/a-b/y", "t/a.csv", "t/dt=2024%3A01/z", "t/part#1"] {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), "1").unwrap();
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("missing"), dir.path().join("t/broken")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("t"), dir.path().join("t/a/loop")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("t/a"), dir.path().join("t/linked")).unwrap();
    }
    let (stores, meter) = stores();
    let open = stores.open(&format!("{}/", dir.path().display())).unwrap();
    let root = format!("{}/", open.prefix);
    let list = async |prefix: &str, delimited: bool| {
        let keys = keys(open.lister.as_ref(), &format!("{root}{prefix}"), delimited).await;
        keys.into_iter().map(|key| key.strip_prefix(&root).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("t/", true).await, ["t/a.csv", "t/a-b/", "t/a/", "t/dt=2024%3A01/", "t/linked/"]);
    assert_eq!(list("t/", false).await, ["t/a-b/y", "t/a.csv", "t/a/x", "t/dt=2024%3A01/z", "t/linked/x"]);
    assert_eq!(list("t/a", true).await, ["t/a.csv", "t/a-b/", "t/a/"]);
    assert_eq!(list("t/dt=2024%3A", false).await, ["t/dt=2024%3A01/z"]);
    assert!(list("nowhere/", true).await.is_empty());
    assert_eq!(meter.usage().requests.list, 5);

    let location = stores.resolve(&dir.path().display().to_string()).unwrap();
    let listed: Vec<_> = location.store.list(Some(&location.path)).try_collect().await.unwrap();
    for meta in listed {
        assert_eq!(location.store.head(&meta.location).await.unwrap(), meta);
    }
}

#[tokio::test]
async fn long_listings_come_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..2_500).map(|i| format!("d{:02}/f{i:04}", i % 50)).collect();
    for name in &names {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), "").unwrap();
    }
    let mut expected = names.clone();
    expected.sort();
    let (stores, meter) = stores();
    let open = stores.open(&dir.path().display().to_string()).unwrap();
    let prefix = format!("{}/", open.prefix);
    let strip = |keys: Vec<String>| keys.iter().map(|key| key[prefix.len()..].to_owned()).collect::<Vec<_>>();
    assert_eq!(strip(keys(open.lister.as_ref(), &prefix, false).await), expected);
    assert_eq!(meter.usage().requests.list, 3);

    // Another process has no walk waiting, and begins after the token.
    let first = open.lister.page(ListRequest { prefix: prefix.clone(), ..ListRequest::default() }).await.unwrap();
    let (other, _) = self::stores();
    let lister = other.open(&dir.path().display().to_string()).unwrap().lister;
    let second = ListRequest { prefix: prefix.clone(), token: first.next_token, ..ListRequest::default() };
    let second = lister.page(second).await.unwrap();
    assert_eq!(second.objects[0].location.as_ref()[prefix.len()..], expected[1000]);

    let after = ListRequest {
        prefix: prefix.clone(),
        start_after: Some(format!("{prefix}{}", expected[2_000])),
        ..ListRequest::default()
    };
    let page = lister.page(after).await.unwrap();
    assert_eq!((page.objects.len(), page.next_token), (499, None));
    let after = ListRequest {
        prefix: prefix.clone(),
        delimited: true,
        start_after: Some(format!("{prefix}d47/f1")),
        ..ListRequest::default()
    };
    assert_eq!(strip(lister.page(after).await.unwrap().prefixes), ["d47/", "d48/", "d49/"]);
}

#[tokio::test]
async fn local_failures_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("short"), "123").unwrap();
    let (stores, _) = stores();
    let missing = stores.resolve(&dir.path().join("missing").display().to_string()).unwrap();
    let error = from_store(&missing.store.get(&missing.path).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), format!("\"{}\" does not exist", dir.path().join("missing").display()));
    let short = stores.resolve(&dir.path().join("short").display().to_string()).unwrap();
    let error = from_store(&short.store.get_ranges(&short.path, &[100..110, 200..210]).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    let options = GetOptions::default().with_if_match(Some("other"));
    let error = from_store(&short.store.get_opts(&short.path, options).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_client_that_panics_fails_its_request() {
    let place = StorePlace::of(url::parse("s3://lake").unwrap().store).at("t/a");
    let panics = async { std::hint::black_box(None::<object_store::Result<()>>).expect("a header") };
    let error = from_store(&place.contained(panics).await.unwrap_err());
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "the client of \"s3://lake/t/a\" failed"));
}

#[test]
fn secrets_are_never_shown() {
    let options: StorageOptions = serde_json::from_str(
        r#"{"defaults": {"region": "eu-north-1"}, "buckets": {"lake": {"access_key_id": "id", "secret_access_key": "hush"}}}"#,
    )
    .unwrap();
    let stores =
        Stores::with_environment(options.clone(), [("AWS_SESSION_TOKEN".to_owned(), "hush".to_owned())].into_iter().collect());
    let query = Stores::for_query(&stores, Meter::new(None));
    let location = query.resolve("s3://lake/x").unwrap();
    for shown in [format!("{stores:?} {query:?} {location:?}"), serde_json::to_string(&options).unwrap()] {
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert!(serde_json::from_str::<StorageOptions>(r#"{"buckets": {"lake": {"regoin": "x"}}}"#).is_err());
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let resolve = |settings: &str, variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let stores = Stores::with_environment(serde_json::from_str(settings).unwrap(), variables.collect());
        Stores::for_query(&stores, Meter::new(None)).resolve("s3://lake/x").map(|_| ())
    };
    for (settings, variables) in [
        (r#"{"defaults": {"endpoint": "http://localhost:1"}}"#, &[][..]),
        (r#"{"buckets": {"lake": {"access_key_id": "id"}}}"#, &[]),
        (r#"{"defaults": {"ca_certificate_file": "/missing.pem"}}"#, &[]),
        ("{}", &[("AWS_ENDPOINT_URL", "http://localhost:1")]),
        ("{}", &[("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ALLOW_HTTP", "maybe")]),
        ("{}", &[("AWS_ENDPOINT_URL", "https://127.0.0.1:9"), ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")]),
        ("{}", &[("AWS_ACCESS_KEY_ID", "a\nb"), ("AWS_SECRET_ACCESS_KEY", "c")]),
        ("{}", &[("AWS_REGION", "eu\nnorth")]),
        ("{}", &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nope"), ("AWS_ROLE_ARN", "arn")]),
        (r#"{"defaults": {"timeout_seconds": 0}}"#, &[]),
        (r#"{"buckets": {"other": {"endpoint": "https://user:hush@h/"}}}"#, &[]),
    ] {
        assert_eq!(resolve(settings, variables).unwrap_err().kind(), ErrorKind::Invalid, "{settings}");
    }
    resolve("{}", &[("AWS_ENDPOINT_URL", "http://localhost:1"), ("AWS_ALLOW_HTTP", "true\n")]).unwrap();
    resolve("{}", &[("AWS_ACCESS_KEY_ID", "a\n"), ("AWS_SECRET_ACCESS_KEY", "c\n"), ("AWS_REGION", "eu-north-1\n")]).unwrap();
    // One without the other is not used.
    resolve("{}", &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nope")]).unwrap();
    resolve(r#"{"buckets": {"s3://lake": {"allow_http": true}}}"#, &[("AWS_ENDPOINT_URL_S3", "http://localhost:1")]).unwrap();
}

#[test]
fn a_file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "no certificate\n").unwrap();
    let mut options = StorageOptions::default();
    options.defaults.ca_certificate_file = Some(file.path().to_owned());
    let stores = Stores::with_environment(options, Environment::default());
    let error = Stores::for_query(&stores, Meter::new(None)).resolve("s3://lake/x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("has no certificate"), "{error}");
}

#[test]
fn azures_settings_that_do_not_fit_are_refused() {
    for (variables, told) in [
        (&[("AZURE_FEDERATED_TOKEN_FILE", "/nope"), ("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")][..], "/nope"),
        (&[("AZURE_ENDPOINT", "http://127.0.0.1:1/a"), ("AZURE_ALLOW_HTTP", "maybe")], "AZURE_ALLOW_HTTP"),
        (&[("AZURE_STORAGE_TOKEN", "a\nb")], "AZURE_STORAGE_TOKEN"),
        (&[("AZURE_STORAGE_ACCOUNT_NAME", "a\nb")], "AZURE_STORAGE_ACCOUNT_NAME"),
    ] {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let stores = Stores::with_environment(StorageOptions::default(), environment);
        let query = Stores::for_query(&stores, Meter::new(None));
        let error = query.resolve("abfss://c@account.dfs.core.windows.net/t").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{told}");
        assert!(error.message().contains(told), "{error}");
    }
}

#[test]
fn datafusion_finds_the_store_by_its_url() {
    use datafusion::execution::object_store::ObjectStoreRegistry;

    let settings = r#"{"buckets": {"c": {"account_key": "a2V5", "anonymous": true}, "gs://lake": {"anonymous": true}}}"#;
    let stores = Stores::with_environment(serde_json::from_str(settings).unwrap(), Environment::default());
    let query = Stores::for_query(&stores, Meter::new(None));
    for (url, store) in [
        ("s3://lake/t/dt=2024%3A01", "s3://lake/"),
        ("gs://lake/t", "gs://lake/"),
        ("abfss://c@account.dfs.core.windows.net/t", "abfss://c@account.dfs.core.windows.net/"),
        ("http://localhost:8080/t/a%20b", "http://localhost:8080/"),
        ("/data/t", "file:///"),
    ] {
        let location = query.resolve(url).unwrap();
        assert_eq!(location.store_url.as_str(), store);
        query.get_store(location.store_url.as_ref()).unwrap();
    }
}
