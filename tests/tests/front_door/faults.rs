//! What goes wrong below a query: each fault has its error, nothing hangs, and nothing is left behind.

use futures::TryStreamExt;
use glaux_engine::{
    Engine, EngineOptions, ErrorKind,
    accounting::RequestKind,
    query::{CancelReason, QueryFilter, QueryState},
};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
    s3_endpoint::{Action, Fault, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "faults";
        errors_of_stores_differ,
        redirects_to_other_hosts_are_not_followed,
        a_server_without_ranges_is_named,
        a_busy_store_is_asked_again_and_every_attempt_counts,
        a_body_cut_short_is_fetched_again,
        a_listing_cut_short_is_asked_for_again,
        what_is_no_listing_loses_no_rows_and_no_partitions,
        an_error_sent_as_a_success_is_one,
        a_listing_without_an_end_fails,
        a_file_that_vanishes_is_named,
        a_dropped_query_ends_and_frees_its_place,
        a_cancelled_query_pays_for_what_it_scanned,
        one_of_ten_thousand_partitions,
        a_second_engine_sees_what_the_first_commits,
    ]
}

/// An instance with a table `t` of two partitions on S3.
async fn instance() -> Instance {
    let instance = Instance::start(Lake::on_s3().await).await;
    instance.write("t/p=1/a.parquet", "SELECT value AS n FROM generate_series(1, 1000)").await;
    instance.write("t/p=2/a.parquet", "SELECT value AS n FROM generate_series(1001, 2000)").await;
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    instance.run("MSCK REPAIR TABLE t").await;
    instance
}

fn endpoint(instance: &Instance) -> &S3Endpoint {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => unreachable!("these lakes are on S3"),
    }
}

async fn fails(instance: &Instance, sql: &str, kind: ErrorKind, names: &str) -> Result<(), Failed> {
    match instance.try_run(sql).await {
        Ok(_) => Err(format!("{sql} succeeded").into()),
        Err(failure) => {
            let text = format!("{:?}", failure.error);
            if failure.error.kind() != kind || !text.contains(names) {
                return Err(format!("{sql}: {kind} naming {names:?}, not {text}").into());
            }
            if failure.report.state != QueryState::Failed || failure.report.bill.billed_bytes != 0 {
                return Err(format!("{sql}: a failed query is free and FAILED, not {:?}", failure.report).into());
            }
            Ok(())
        }
    }
}

async fn errors_of_stores_differ() -> Result<(), Failed> {
    let instance = instance().await;
    let table =
        |name: &str, location: &str| format!("CREATE EXTERNAL TABLE {name} (n BIGINT) STORED AS PARQUET LOCATION '{location}'");
    instance.run(&table("bucketless", "s3://no-such-bucket/t/")).await;
    fails(&instance, "SELECT * FROM bucketless", ErrorKind::NotFound, "no-such-bucket").await?;
    endpoint(&instance).require_access_key("SOMEBODY-ELSE");
    fails(&instance, "SELECT * FROM t", ErrorKind::Denied, BUCKET).await?;

    // A port that nobody listens on: bound, learned, and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut storage = endpoint(&instance).storage_options();
    storage.defaults.endpoint = Some(format!("http://127.0.0.1:{port}"));
    storage.defaults.allow_http = Some(true);
    let data = tempfile::tempdir()?;
    let engine = Engine::open(EngineOptions { data_dir: data.path().to_owned(), storage, ..EngineOptions::default() }).await?;
    engine.submit(&instance.session, &table("unreachable", "s3://elsewhere/t/")).await?.try_collect::<Vec<_>>().await?;
    let outcome = async {
        let query = engine.submit(&instance.session, "SELECT * FROM unreachable").await.map_err(|failure| failure.error)?;
        query.try_collect::<Vec<_>>().await
    };
    let error = outcome.await.err().ok_or("a refused connection succeeded")?;
    if error.kind() != ErrorKind::Unavailable || !format!("{error:?}").contains(&port.to_string()) {
        return Err(format!("Unavailable naming the port {port}, not {error:?}").into());
    }
    Ok(())
}

async fn redirects_to_other_hosts_are_not_followed() -> Result<(), Failed> {
    let instance = instance().await;
    let other = S3Endpoint::start().await;
    let own = endpoint(&instance);
    let key = "t/p=1/a.parquet";
    other.put(BUCKET, key, own.get(BUCKET, key).ok_or("a file")?);
    let there = format!("{}/{BUCKET}/{key}", other.url());
    let over_http = format!("{}/{BUCKET}/{key}", own.url());
    instance.run(&format!("CREATE EXTERNAL TABLE h (n BIGINT) STORED AS PARQUET LOCATION '{over_http}'")).await;
    for (sql, kind) in [
        ("SELECT sum(n) FROM t WHERE p = 1", RequestKind::Get),
        ("SELECT sum(n) FROM t WHERE p = 1", RequestKind::List),
        ("SELECT sum(n) FROM h", RequestKind::Get),
        ("SELECT sum(n) FROM h", RequestKind::Head),
    ] {
        own.fail(Fault::on(kind).always().action(Action::Redirect(format!("{there}?token=hush"))));
        let error = instance.try_run(sql).await.expect_err("it leads elsewhere").error;
        let told = format!("{error:?}");
        if error.kind() != ErrorKind::Invalid || !told.contains(&there) || told.contains("hush") {
            return Err(format!("{sql}, {kind:?}: {told}").into());
        }
        own.clear_faults();
        assert!(other.take_log().is_empty(), "{sql}, {kind:?}: nobody was asked");
    }
    assert_eq!(instance.run("SELECT sum(n) FROM h").await.lines(), ["500500"]);
    // Within one host they are.
    let here = over_http.replace("p=1", "p=2");
    own.fail(Fault::on(RequestKind::Get).key("p=2").action(Action::Redirect(here)));
    assert_eq!(instance.run("SELECT sum(n) FROM t WHERE p = 2").await.lines(), ["1500500"]);
    Ok(())
}

async fn a_server_without_ranges_is_named() -> Result<(), Failed> {
    let instance = instance().await;
    let url = format!("{}/{BUCKET}/t/p=1/a.parquet", endpoint(&instance).url());
    instance.run(&format!("CREATE EXTERNAL TABLE h (n BIGINT) STORED AS PARQUET LOCATION '{url}'")).await;
    endpoint(&instance).fail(Fault::on(RequestKind::Get).always().action(Action::IgnoreRange));
    fails(&instance, "SELECT sum(n) FROM h", ErrorKind::Unsupported, &url).await
}

async fn a_busy_store_is_asked_again_and_every_attempt_counts() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=1").times(2).status(503, "SlowDown"));
    drop(endpoint(&instance).take_log());
    let outcome = instance.run("SELECT count(*) AS c, sum(n) AS s FROM t WHERE p = 1").await;
    let log = endpoint(&instance).take_log();
    assert_eq!(outcome.lines(), ["1000|500500"]);
    let refused = log.iter().filter(|request| request.status == 503).count();
    assert_eq!((refused, outcome.report.usage.requests.total()), (2, log.len() as u64));
    // One that never answers otherwise is throttled, not waited for forever.
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=2").always().status(503, "SlowDown"));
    fails(&instance, "SELECT sum(n) FROM t WHERE p = 2", ErrorKind::Throttled, "p=2").await
}

async fn a_body_cut_short_is_fetched_again() -> Result<(), Failed> {
    let instance = instance().await;
    let cut = Action::Truncate(100);
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=1").nth(2).action(cut));
    drop(endpoint(&instance).take_log());
    let outcome = instance.run("SELECT sum(n) AS s FROM t WHERE p = 1").await;
    let sent: u64 = endpoint(&instance).take_log().iter().filter(|r| r.prefix.is_none()).map(|request| request.bytes_sent).sum();
    assert_eq!(outcome.lines(), ["500500"]);
    assert_eq!(outcome.report.usage.fetched_bytes, sent, "the part that arrived counts too");
    Ok(())
}

async fn a_listing_cut_short_is_asked_for_again() -> Result<(), Failed> {
    let instance = instance().await;
    instance.write("t/p=3/with & and é.parquet", "SELECT 7 AS n").await;
    let cut = Action::Truncate(300);
    endpoint(&instance).fail(Fault::on(RequestKind::List).times(2).action(cut));
    drop(endpoint(&instance).take_log());
    let outcome = instance.run("MSCK REPAIR TABLE t").await;
    let asked = endpoint(&instance).take_log().len() as u64;
    assert!(outcome.lines().iter().any(|line| line.contains("p=3")), "{:?}", outcome.lines());
    assert_eq!((outcome.report.usage.requests.list, outcome.report.usage.requests.total()), (asked, asked));
    assert!(asked > 2, "{asked}");
    assert_eq!(instance.run("SELECT sum(n) AS s FROM t WHERE p = 3").await.lines(), ["7"]);
    Ok(())
}

/// The query and the repair fail with this kind, whatever the listing is, and the partitions stay.
async fn listing_fails(instance: &Instance, document: &str, kind: ErrorKind, names: &str) -> Result<(), Failed> {
    let action = Action::Document(document.to_owned());
    endpoint(instance).fail(Fault::on(RequestKind::List).always().action(action));
    fails(instance, "SELECT sum(n) AS s FROM t", kind, names).await?;
    fails(instance, "MSCK REPAIR TABLE t SYNC PARTITIONS", kind, names).await?;
    endpoint(instance).clear_faults();
    assert_eq!(instance.run("SHOW PARTITIONS t").await.lines(), ["p=1", "p=2"], "{document}");
    Ok(())
}

async fn what_is_no_listing_loses_no_rows_and_no_partitions() -> Result<(), Failed> {
    let instance = instance().await;
    let url = endpoint(&instance).url();
    for document in [
        "<!DOCTYPE html>\n<html><body>Console</body></html>",
        "<html/>",
        "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>",
        "\u{1}\u{2}PAR1",
        "",
    ] {
        listing_fails(&instance, document, ErrorKind::Unavailable, &url).await?;
    }
    assert_eq!(instance.run("SELECT sum(n) AS s FROM t").await.lines(), ["2001000"]);
    Ok(())
}

async fn an_error_sent_as_a_success_is_one() -> Result<(), Failed> {
    let instance = instance().await;
    let error = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    for (code, kind, names) in [
        ("AccessDenied", ErrorKind::Denied, BUCKET),
        ("NoSuchBucket", ErrorKind::NotFound, BUCKET),
        ("SomethingElse", ErrorKind::Unavailable, "SomethingElse"),
    ] {
        listing_fails(&instance, &error(code), kind, names).await?;
    }
    Ok(())
}

async fn a_listing_without_an_end_fails() -> Result<(), Failed> {
    let instance = instance().await;
    for token in ["", "<NextContinuationToken/>", "<NextContinuationToken>again</NextContinuationToken>"] {
        let page = format!("<ListBucketResult><IsTruncated>true</IsTruncated>{token}</ListBucketResult>");
        listing_fails(&instance, &page, ErrorKind::Unavailable, "does not end").await?;
    }
    Ok(())
}

async fn a_file_that_vanishes_is_named() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=2/a.parquet").status(404, "NoSuchKey"));
    fails(&instance, "SELECT sum(n) FROM t", ErrorKind::NotFound, "p=2/a.parquet").await
}

async fn a_dropped_query_ends_and_frees_its_place() -> Result<(), Failed> {
    let instance = instance().await;
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("p=1"));
    let id = {
        let mut query = instance.engine.submit(&instance.session, "SELECT n FROM t WHERE p = 1").await?;
        let id = query.id();
        assert_eq!(instance.engine.queries().list_running().len(), 1);
        // It waits for the store; whoever asked goes away.
        assert!(futures::poll!(query.try_next()).is_pending());
        id
    };
    assert_eq!(instance.engine.queries().list_running().len(), 0);
    gate.release();
    endpoint(&instance).clear_faults();
    instance.engine.history().flush().await?;
    assert_eq!(instance.engine.history().get(id).await?.state, QueryState::Cancelled);
    assert_eq!(instance.run("SELECT count(*) AS c FROM t").await.lines(), ["2000"]);
    Ok(())
}

async fn a_cancelled_query_pays_for_what_it_scanned() -> Result<(), Failed> {
    let instance = instance().await;
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("p=2"));
    let mut query = instance.engine.submit(&instance.session, "SELECT n FROM t").await?;
    let first = query.try_next().await?.ok_or("no rows of the first partition")?;
    assert!(first.num_rows() > 0);
    assert!(query.canceller().cancel(CancelReason::User));
    let error = query.try_next().await.err().ok_or("a cancelled query goes on")?;
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let report = query.report();
    assert_eq!((report.state, report.bill.billed_bytes), (QueryState::Cancelled, 10_000_000));
    assert!(report.usage.data_scanned_bytes > 0);
    gate.release();
    let cancelled =
        instance.engine.history().list(QueryFilter { state: Some(QueryState::Cancelled), ..QueryFilter::default() }).await?;
    assert_eq!(cancelled.len(), 1);
    Ok(())
}

async fn one_of_ten_thousand_partitions() -> Result<(), Failed> {
    let instance = instance().await;
    let endpoint = endpoint(&instance);
    let file = endpoint.get(BUCKET, "t/p=1/a.parquet").ok_or("the file is there")?;
    endpoint.put_many(BUCKET, (0..10_000).map(|h| format!("big/d={}/h={}/a.parquet", h / 100, h % 100)), file);
    instance
        .run("CREATE EXTERNAL TABLE big (n BIGINT) PARTITIONED BY (d INT, h INT) STORED AS PARQUET LOCATION '{lake}/big/'")
        .await;
    instance.run("MSCK REPAIR TABLE big").await;
    drop(endpoint.take_log());
    let outcome = instance.run("SELECT sum(n) AS s FROM big WHERE d = 42 AND h = 17").await;
    let log = endpoint.take_log();
    assert_eq!(outcome.lines(), ["500500"]);
    let usage = outcome.report.usage;
    assert_eq!((usage.partitions.scanned, usage.partitions.total), (1, Some(10_000)));
    assert_eq!((usage.requests.list, usage.requests.total()), (1, log.len() as u64));
    for request in &log {
        let place = request.prefix.as_deref().unwrap_or(&request.key);
        assert!(place.starts_with("big/d=42/h=17/"), "asked for {place}");
    }
    Ok(())
}

async fn a_second_engine_sees_what_the_first_commits() -> Result<(), Failed> {
    let instance = instance().await;
    let options =
        EngineOptions { data_dir: instance.data_dir(), storage: instance.lake.storage_options(), ..EngineOptions::default() };
    let other = Engine::open(options).await?;
    let rows = |engine: Engine, sql: &'static str| {
        let session = instance.session.clone();
        async move {
            let query = engine.submit(&session, sql).await.map_err(|failure| failure.error)?;
            Ok::<_, glaux_engine::Error>(query.try_collect::<Vec<_>>().await?.iter().map(|batch| batch.num_rows()).sum::<usize>())
        }
    };
    assert_eq!(rows(other.clone(), "SHOW PARTITIONS t").await?, 2);
    instance.run("ALTER TABLE t ADD PARTITION (p = 3)").await;
    assert_eq!(rows(other.clone(), "SHOW PARTITIONS t").await?, 3);
    rows(other, "ALTER TABLE t DROP PARTITION (p = 1)").await?;
    assert_eq!(instance.run("SELECT count(*) AS c FROM t").await.lines(), ["1000"]);
    Ok(())
}
