//! The engine's stores against this server: what the meter counts is what the server was asked, whatever goes wrong.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt};
use glaux_catalog::discovery::{ListRequest, StoreProvider};
use glaux_engine::{
    Error, ErrorKind,
    accounting::{Meter, Requests},
    storage::{Location, QueryStores, from_store},
};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::*;

const MIB: u64 = 1024 * 1024;

fn query(endpoint: &S3Endpoint) -> (QueryStores, Arc<Meter>) {
    let meter = Meter::new(None);
    (Stores::for_query(&endpoint.stores(), Arc::clone(&meter)), meter)
}

fn with(endpoint: &S3Endpoint, change: impl FnOnce(&mut BucketOptions)) -> (QueryStores, Arc<Meter>) {
    let mut options = endpoint.storage_options();
    change(&mut options.defaults);
    let meter = Meter::new(None);
    (Stores::for_query(&Stores::with_environment(options, Environment::default()), Arc::clone(&meter)), meter)
}

fn requests(log: &[Request]) -> Requests {
    let count = |kind| log.iter().filter(|request| request.kind == kind).count() as u64;
    Requests {
        get: count(RequestKind::Get),
        head: count(RequestKind::Head),
        list: count(RequestKind::List),
        put: count(RequestKind::Put),
        delete: count(RequestKind::Delete),
    }
}

/// Checks that the meter counted what the server was asked since the last call and sent; returns the log.
#[track_caller]
fn settle(endpoint: &S3Endpoint, meter: &Meter) -> Vec<Request> {
    let log = endpoint.take_log();
    assert_eq!(meter.usage().requests, requests(&log), "{log:#?}");
    let bodies = log.iter().filter(|request| request.kind == RequestKind::Get && (200..300).contains(&request.status));
    assert_eq!(meter.usage().fetched_bytes, bodies.map(|request| request.bytes_sent).sum::<u64>(), "{log:#?}");
    log
}

async fn fails(location: &Location) -> Error {
    from_store(&location.store.get(&location.path).await.expect_err("a failure"))
}

fn counting(offset: u64, bytes: &mut [u8]) {
    bytes.iter_mut().zip(offset..).for_each(|(byte, position)| *byte = (position % 251) as u8);
}

#[tokio::test]
async fn every_kind_of_request_is_counted() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "t/a", "0123456789");
    let (stores, meter) = query(&endpoint);
    let Location { store, path, .. } = stores.resolve("s3://lake/t/a").unwrap();

    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "0123456789");
    assert_eq!(store.get_range(&path, 2..5).await.unwrap(), "234");
    let suffix = GetOptions::default().with_range(Some(object_store::GetRange::Suffix(3)));
    assert_eq!(store.get_opts(&path, suffix).await.unwrap().bytes().await.unwrap(), "789");
    let head = store.head(&path).await.unwrap();
    assert_eq!(head.size, 10);
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed, [object_store::ObjectMeta { version: head.version.clone(), ..head.clone() }]);

    let other = Path::parse("t/b").unwrap();
    store.put(&other, "new".into()).await.unwrap();
    let create = PutOptions::from(PutMode::Create);
    let taken = from_store(&store.put_opts(&other, "newer".into(), create).await.unwrap_err());
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    store.copy(&other, &Path::parse("t/c").unwrap()).await.unwrap();
    let mut upload = store.put_multipart(&Path::parse("t/d").unwrap()).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    upload.put_part("cd".into()).await.unwrap();
    upload.complete().await.unwrap();
    let mut upload = store.put_multipart(&other).await.unwrap();
    upload.put_part("lost".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(endpoint.get("lake", "t/d").unwrap(), "abcd");
    assert_eq!(endpoint.open_uploads(), 0);
    store.delete(&other).await.unwrap();
    assert_eq!(endpoint.keys("lake"), ["t/a", "t/c", "t/d"]);

    let log = settle(&endpoint, &meter);
    assert_eq!(requests(&log), Requests { get: 3, head: 1, list: 1, put: 9, delete: 2 });
    assert_eq!(log[1].range.as_deref(), Some("bytes=2-4"));
    assert_eq!(meter.usage().fetched_bytes, 16);
}

#[tokio::test]
async fn near_ranges_are_one_request_and_long_ones_several() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "big", Content::generated(40 * MIB, counting));
    let (stores, meter) = query(&endpoint);
    let Location { store, path, .. } = stores.resolve("s3://lake/big").unwrap();
    let ranges = [0..10, 100..110, 2 * MIB..2 * MIB + 5, 4 * MIB..22 * MIB];
    let bytes = store.get_ranges(&path, &ranges).await.unwrap();
    for (range, bytes) in ranges.iter().zip(&bytes) {
        let mut expected = vec![0; (range.end - range.start) as usize];
        counting(range.start, &mut expected);
        assert!(*bytes == expected, "{range:?}");
    }
    assert_eq!(settle(&endpoint, &meter).len(), 4);
    assert_eq!(meter.usage().fetched_bytes, 110 + 5 + 18 * MIB);
}

#[tokio::test]
async fn keys_are_what_they_are() {
    let endpoint = S3Endpoint::start().await;
    let keys = ["t/a b+c.csv", "t/dt=2024%3A01/x=1&y?.csv", "t/ü/日本#1.csv", "t/~'(<\">)/z.csv"];
    for key in keys {
        endpoint.put("lake", key, key);
    }
    let (stores, meter) = query(&endpoint);
    // The mark of a directory is no file.
    endpoint.put("lake", "t/", "");
    let open = stores.open("s3://lake/t/").unwrap();
    let page = open.lister.page(ListRequest { prefix: "t/".to_owned(), ..ListRequest::default() }).await.unwrap();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(page.objects.iter().map(|object| object.location.as_ref()).collect::<Vec<_>>(), sorted);
    let request = ListRequest { prefix: "t/dt=2024%3A".to_owned(), delimited: true, ..ListRequest::default() };
    assert_eq!(open.lister.page(request).await.unwrap().prefixes, ["t/dt=2024%3A01/"]);
    for object in page.objects {
        let location = stores.resolve(&format!("s3://lake/{}", object.location)).unwrap();
        assert_eq!(location.path, object.location);
        let read = location.store.get(&location.path).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, object.location.as_ref());
        let copy = Path::parse(format!("copy/{}", object.location)).unwrap();
        location.store.put(&copy, read.clone().into()).await.unwrap();
        assert_eq!(endpoint.get("lake", copy.as_ref()), Some(read));
        location.store.delete(&copy).await.unwrap();
    }
    settle(&endpoint, &meter);
    endpoint.remove("lake", "t/");
    assert_eq!(endpoint.keys("lake"), sorted);
}

#[tokio::test]
async fn listings_are_counted_by_their_pages() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put_many("lake", (0..100_000).map(|i| format!("t/d{:04}/f{i:06}", i / 50)), "x");
    endpoint.put("lake", "t-other", "x");
    let (stores, meter) = query(&endpoint);
    let location = stores.resolve("s3://lake/t").unwrap();
    let children = location.store.list_with_delimiter(Some(&location.path)).await.unwrap();
    assert_eq!((children.common_prefixes.len(), children.objects.len()), (2_000, 0));
    assert_eq!(settle(&endpoint, &meter).len(), 2);

    let page = async |request| location.lister.page(request).await.unwrap();
    let from = ListRequest { prefix: "t/d199".to_owned(), start_after: Some("t/d1995".to_owned()), ..ListRequest::default() };
    let listed = page(from).await;
    assert_eq!((listed.objects.len(), listed.objects[0].location.as_ref()), (250, "t/d1995/f099750"));
    assert_eq!(listed.next_token, None);
    let listed = page(ListRequest { prefix: "t".to_owned(), delimited: true, ..ListRequest::default() }).await;
    assert_eq!((listed.prefixes, listed.objects.len()), (vec!["t/".to_owned()], 1));
    let offset = Path::parse("t/d1989").unwrap();
    let rest: Vec<_> = location.store.list_with_offset(Some(&location.path), &offset).try_collect().await.unwrap();
    assert_eq!(rest.len(), 550);
}

#[tokio::test]
async fn repeated_attempts_are_counted_each() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    let (stores, meter) = query(&endpoint);
    let Location { store, path, .. } = stores.resolve("s3://lake/a").unwrap();
    endpoint.fail(Fault::on(RequestKind::Get).status(503, "SlowDown").times(2));
    endpoint.fail(Fault::on(RequestKind::Get).nth(1).action(Action::Disconnect));
    endpoint.fail(Fault::on(RequestKind::List).status(500, "InternalError"));
    endpoint.fail(Fault::on(RequestKind::Put).status(503, "SlowDown"));
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "0123456789");
    assert_eq!(store.list(None).count().await, 1);
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("ab".into()).await.unwrap();
    upload.complete().await.unwrap();
    let log = settle(&endpoint, &meter);
    let statuses = |kind| log.iter().filter(|request| request.kind == kind).map(|request| request.status).collect::<Vec<_>>();
    assert_eq!(statuses(RequestKind::Get), [503, 503, 0, 200]);
    assert_eq!(statuses(RequestKind::List), [500, 200]);
    assert_eq!(statuses(RequestKind::Put), [503, 200, 200, 200]);
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_was() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", Content::generated(300_000, counting));
    let (stores, meter) = query(&endpoint);
    let Location { store, path, .. } = stores.resolve("s3://lake/a").unwrap();
    endpoint.fail(Fault::on(RequestKind::Get).action(Action::Truncate(100_000)));
    let bytes = store.get_range(&path, 50_000..250_000).await.unwrap();
    let mut expected = vec![0; 200_000];
    counting(50_000, &mut expected);
    assert!(bytes == expected);
    let log = settle(&endpoint, &meter);
    let ranges: Vec<_> = log.iter().map(|request| (request.range.as_deref().unwrap(), request.bytes_sent)).collect();
    assert_eq!(ranges, [("bytes=50000-249999", 100_000), ("bytes=150000-249999", 100_000)]);
}

#[tokio::test]
async fn two_queries_on_one_store_are_told_apart() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    let stores = endpoint.stores();
    let meters = [Meter::new(None), Meter::new(None)];
    let read = async |meter: &Arc<Meter>, times: usize| {
        let Location { store, path, .. } = Stores::for_query(&stores, Arc::clone(meter)).resolve("s3://lake/a").unwrap();
        for _ in 0..times {
            store.get(&path).await.unwrap().bytes().await.unwrap();
            store.delete(&Path::parse("nothing").unwrap()).await.unwrap();
        }
    };
    futures::join!(read(&meters[0], 3), read(&meters[1], 5));
    for (meter, times) in meters.iter().zip([3, 5]) {
        assert_eq!(meter.usage().requests, Requests { get: times, delete: times, ..Requests::default() });
        assert_eq!(meter.usage().fetched_bytes, times * 10);
    }
}

#[tokio::test]
async fn what_is_dropped_counts_what_arrived() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", Content::generated(64 * MIB, counting));
    let (stores, meter) = query(&endpoint);
    let Location { store, path, .. } = stores.resolve("s3://lake/a").unwrap();
    let mut stream = store.get(&path).await.unwrap().into_stream();
    let mut seen = 0;
    while seen < MIB {
        seen += stream.next().await.unwrap().unwrap().len() as u64;
    }
    drop(stream);
    assert_eq!(meter.usage().fetched_bytes, seen);
    assert!(endpoint.take_log()[0].bytes_sent >= seen);

    let gate = endpoint.hang(Fault::on(RequestKind::Get));
    {
        let hanging = store.get(&path);
        futures::pin_mut!(hanging);
        let arrived = gate.arrived();
        futures::pin_mut!(arrived);
        assert!(matches!(futures::future::select(hanging, arrived).await, futures::future::Either::Right(_)));
    }
    assert_eq!((meter.usage().requests.get, meter.usage().fetched_bytes), (2, seen));
    gate.release();
}

#[tokio::test]
async fn failures_are_told_apart() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    let (stores, meter) = with(&endpoint, |options| options.max_retries = Some(2));
    let resolve = |url: &str| stores.resolve(url).unwrap();

    let missing = resolve("s3://nowhere/a");
    let list = missing.lister.page(ListRequest::default()).await.unwrap_err();
    for error in [fails(&missing).await, list] {
        assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "the bucket \"nowhere\" does not exist"));
    }
    let error = fails(&resolve("s3://lake/b%20")).await;
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "\"s3://lake/b%20\" does not exist"));
    let location = resolve("s3://lake/a");
    let short = from_store(&location.store.get_range(&location.path, 100..200).await.unwrap_err());
    assert_eq!((short.kind(), short.message()), (ErrorKind::CorruptData, "\"s3://lake/a\" is shorter than expected"));
    let changed = GetOptions::default().with_if_match(Some("\"other\""));
    let changed = from_store(&location.store.get_opts(&location.path, changed).await.unwrap_err());
    assert_eq!(changed.kind(), ErrorKind::Conflict);
    settle(&endpoint, &meter);

    for (status, code, kind) in [
        (403, "AccessDenied", ErrorKind::Denied),
        (403, "SignatureDoesNotMatch", ErrorKind::Denied),
        (400, "ExpiredToken", ErrorKind::Denied),
        (503, "SlowDown", ErrorKind::Throttled),
        (500, "InternalError", ErrorKind::Unavailable),
        (400, "AuthorizationHeaderMalformed", ErrorKind::Invalid),
        (301, "PermanentRedirect", ErrorKind::Invalid),
    ] {
        endpoint.fail(Fault::any().always().status(status, code));
        let errors = [fails(&location).await, location.lister.page(ListRequest::default()).await.unwrap_err()];
        endpoint.clear_faults();
        for error in errors {
            assert_eq!(error.kind(), kind, "{status} {code}: {error:?}");
            assert!(error.hint().is_some(), "{error:?}");
        }
    }
    // Two repetitions of the GET and of the listing, and no more.
    assert_eq!(endpoint.take_log().iter().filter(|request| request.status == 503).count(), 6);

    endpoint.require_access_key("another");
    let error = fails(&location).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("access key"), "{error:?}");
    assert_eq!(error.hint(), Some("They come from access_key_id in [storage.defaults]"));
    let (anonymous, _) = with(&endpoint, |options| options.anonymous = Some(true));
    let error = fails(&anonymous.resolve("s3://lake/a").unwrap()).await;
    assert_eq!((error.kind(), error.message()), (ErrorKind::Denied, "access to \"s3://lake/a\" is denied"));
}

#[tokio::test]
async fn nobody_there_is_told_within_seconds() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    // A port that is taken, and not listened to.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let nobody = format!("http://{}", taken.local_addr().unwrap());

    let (stores, meter) = with(&endpoint, |options| options.endpoint = Some(nobody.clone()));
    let error = fails(&stores.resolve("s3://lake/a").unwrap()).await;
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, format!("\"{nobody}\" refuses the connection").as_str())
    );
    assert_eq!(meter.usage().requests.get, 5, "it is given up before the time for retries is over");

    // No credentials, and no metadata service to ask for them.
    let mut options = endpoint.storage_options();
    (options.defaults.access_key_id, options.defaults.secret_access_key) = (None, None);
    let variables = [("AWS_METADATA_ENDPOINT".to_owned(), nobody), ("AWS_PROFILE".to_owned(), "work".to_owned())];
    let meter = Meter::new(None);
    let stores = Stores::with_environment(options, variables.into_iter().collect());
    let error = fails(&Stores::for_query(&stores, Arc::clone(&meter)).resolve("s3://lake/a").unwrap()).await;
    assert_eq!((error.kind(), error.message()), (ErrorKind::Denied, "no credentials for \"s3://lake/a\" were found"));
    assert!(error.hint().unwrap().contains("profile \"work\""), "{error:?}");
    assert_eq!(meter.usage().requests.total(), 0, "fetching credentials is nobody's request");
}

#[tokio::test]
async fn a_profile_that_is_not_read_is_told_whatever_the_metadata_service_answers() {
    let endpoint = S3Endpoint::start().await;
    let mut options = endpoint.storage_options();
    (options.defaults.access_key_id, options.defaults.secret_access_key) = (None, None);
    options.defaults.max_retries = Some(0);
    let variables = [("AWS_METADATA_ENDPOINT".to_owned(), endpoint.url()), ("AWS_PROFILE".to_owned(), "work".to_owned())];
    for action in [
        Action::Status(404, "NoSuchKey".to_owned()),
        Action::Status(403, "AccessDenied".to_owned()),
        Action::Status(500, "InternalError".to_owned()),
        Action::Document("word".to_owned()),
        Action::Document("<html> </html>".to_owned()),
        Action::Disconnect,
    ] {
        endpoint.clear_faults();
        endpoint.fail(Fault::any().always().action(action.clone()));
        let stores = Stores::with_environment(options.clone(), variables.clone().into_iter().collect());
        let error = fails(&Stores::for_query(&stores, Meter::new(None)).resolve("s3://lake/a").unwrap()).await;
        assert!(error.hint().unwrap().contains("profile \"work\""), "{action:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_service_of_credentials_that_does_not_answer_is_named() {
    let endpoint = S3Endpoint::start().await;
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let nobody = taken.local_addr().unwrap().to_string();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "token").unwrap();
    let mut options = endpoint.storage_options();
    (options.defaults.access_key_id, options.defaults.secret_access_key) = (None, None);
    options.defaults.max_retries = Some(0);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), format!("http://{nobody}/x")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE".to_owned(), token.path().display().to_string()),
    ];
    let stores = Stores::with_environment(options, variables.into_iter().collect());
    let error = fails(&Stores::for_query(&stores, Meter::new(None)).resolve("s3://lake/a").unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains(&nobody), "{error:?}");
    assert_eq!(error.hint(), Some("They come from the variable AWS_CONTAINER_CREDENTIALS_FULL_URI"));
}

#[tokio::test]
async fn a_service_without_tls_is_told_from_one_that_refuses() {
    let endpoint = S3Endpoint::start().await;
    let url = endpoint.url().replace("http://", "https://");
    let (stores, _) = with(&endpoint, |options| options.endpoint = Some(url.clone()));
    let error = fails(&stores.resolve("s3://lake/a").unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), format!("the TLS handshake with \"{url}\" failed"));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    let (stores, meter) = with(&endpoint, |options| {
        options.timeout_seconds = Some(1);
        options.max_retries = Some(0);
    });
    let gate = endpoint.hang(Fault::any());
    let error = fails(&stores.resolve("s3://lake/a").unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("does not answer in time"), "{error:?}");
    assert_eq!(meter.usage().requests.get, 1);
    gate.release();
}

#[tokio::test]
async fn plain_http_reads_files_and_does_not_list() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a b/x%20", "0123456789");
    let (stores, meter) = query(&endpoint);
    let location = stores.resolve(&format!("{}/lake/a%20b/x%2520", endpoint.url())).unwrap();
    assert_eq!(location.store.get_range(&location.path, 1..3).await.unwrap(), "12");
    assert_eq!(location.store.head(&location.path).await.unwrap().size, 10);
    settle(&endpoint, &meter);
    endpoint.fail(Fault::on(RequestKind::Get).action(Action::IgnoreRange));
    let error = from_store(&location.store.get_range(&location.path, 1..3).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains(&endpoint.url()) && error.message().contains("ranges"), "{error:?}");
    let error = location.lister.page(ListRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn slow_bodies_and_latency_change_nothing_but_time() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    endpoint.set_latency(RequestKind::Get, Duration::from_millis(1));
    endpoint.fail(Fault::any().action(Action::SlowBody { piece: 3, pause: Duration::from_millis(1) }));
    let (stores, meter) = query(&endpoint);
    let location = stores.resolve("s3://lake/a").unwrap();
    assert_eq!(location.store.get(&location.path).await.unwrap().bytes().await.unwrap(), "0123456789");
    settle(&endpoint, &meter);
}

#[tokio::test]
async fn requests_in_flight_are_counted() {
    let endpoint = S3Endpoint::start().await;
    endpoint.put("lake", "a", "0123456789");
    let (stores, _) = query(&endpoint);
    let location = stores.resolve("s3://lake/a").unwrap();
    let gate = endpoint.hang(Fault::on(RequestKind::Get).times(3));
    let get = async || location.store.get(&location.path).await.unwrap().bytes().await.unwrap();
    let watched = async {
        for _ in 0..3 {
            gate.arrived().await;
        }
        assert_eq!(endpoint.in_flight(), 3);
        gate.release();
    };
    futures::join!(get(), get(), get(), watched);
    assert_eq!(endpoint.take_most_in_flight(), 3);
    get().await;
    assert!(endpoint.take_most_in_flight() <= 3);
}

#[tokio::test]
async fn a_directory_becomes_keys() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("dt=1%3A")).unwrap();
    std::fs::write(directory.path().join("dt=1%3A/a"), "1").unwrap();
    std::fs::write(directory.path().join("b"), "2").unwrap();
    let endpoint = S3Endpoint::start().await;
    endpoint.put_dir("lake", "t", directory.path()).unwrap();
    assert_eq!(endpoint.keys("lake"), ["t/b", "t/dt=1%3A/a"]);
}
