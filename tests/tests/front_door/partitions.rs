//! Finding partitions through the front door: pages counted, stopped and gone on with, with paths that are none; and how a query says that it knew its files.

use glaux_engine::{
    ErrorKind,
    accounting::RequestKind,
    query::{CancelReason, Parameters, QueryState},
};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
    s3_endpoint::{Fault, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time!["partitions";
        a_walk_takes_about_a_page_for_a_thousand_keys,
        a_stopped_repair_keeps_its_batches_and_goes_on,
        a_page_that_is_denied_ends_the_repair_and_keeps_what_is_whole,
        malformed_paths_are_told_and_the_others_taken,
        queries_say_how_they_knew_their_files,
        live_listings_share_pages,
        names_that_no_location_can_have,
        a_link_and_a_file_for_a_location,
    ]
}

const TABLE: &str = "CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (dt STRING, h INT) STORED AS PARQUET LOCATION '{lake}/t/'";

/// An instance with a table of so many days with 24 partitions each, of one file that nobody reads.
async fn lake(days: usize) -> Instance {
    let instance = Instance::start(Lake::on_s3().await).await;
    endpoint(&instance).put_many(BUCKET, keys(0..days), "never read");
    instance.run(TABLE).await;
    instance
}

fn keys(days: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    let day = |day: usize| format!("{:04}-{:02}-{:02}", 2000 + day / 336, day / 28 % 12 + 1, day % 28 + 1);
    days.flat_map(move |at| (0..24).map(move |hour| format!("t/dt={}/h={hour}/part-0.parquet", day(at))))
}

#[expect(clippy::panic, reason = "a test that cannot go on fails")]
fn endpoint(instance: &Instance) -> &S3Endpoint {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => panic!("the lake is on S3"),
    }
}

async fn count(instance: &Instance) -> usize {
    instance.run("SELECT count(*) AS n FROM \"t$partitions\"").await.lines()[0].parse().unwrap_or_default()
}

async fn a_walk_takes_about_a_page_for_a_thousand_keys() -> Result<(), Failed> {
    let instance = lake(1000).await;
    drop(endpoint(&instance).take_log());
    let first = instance.run("MSCK REPAIR TABLE t").await.report;
    assert_eq!(count(&instance).await, 24_000);
    let pages = endpoint(&instance).take_log().iter().filter(|request| request.kind == RequestKind::List).count();
    assert_eq!(first.usage.requests.list, pages as u64, "every page is counted");
    assert!(pages * 10 <= 24 * 14, "{pages} pages");
    assert_eq!(first.repair.map(|repair| (repair.found, repair.added)), Some((24_000, 24_000)));

    let again = instance.run("MSCK REPAIR TABLE t").await.report;
    assert!(again.usage.requests.list <= 27, "{} pages", again.usage.requests.list);
    endpoint(&instance).put_many(BUCKET, keys(1000..1001), "never read");
    let tail = instance.run("MSCK REPAIR TABLE t TAIL").await.report;
    assert_eq!(tail.usage.requests.list, 1);
    assert_eq!(count(&instance).await, 24_024);
    Ok(())
}

async fn a_stopped_repair_keeps_its_batches_and_goes_on() -> Result<(), Failed> {
    let instance = lake(1000).await;
    // One page never comes; all others do.
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::List).nth(15));
    let planned = instance.engine.plan(&instance.session, "MSCK REPAIR TABLE t", &Parameters::default()).await?;
    let canceller = planned.canceller();
    let running = tokio::spawn(planned.run());
    gate.arrived().await;
    while canceller.report().repair.is_none_or(|repair| repair.added == 0) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(count(&instance).await > 0, "a batch is there while the walk goes on");
    canceller.cancel(CancelReason::User);
    let Err(failure) = running.await? else { return Err("it was cancelled".into()) };
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Cancelled, QueryState::Cancelled));
    gate.release();
    endpoint(&instance).clear_faults();
    let kept = count(&instance).await;
    assert!(kept >= 8192, "{kept}");

    // A batch that was on its way has come to its end, seen or not.
    let rest = instance.run("MSCK REPAIR TABLE t").await.report;
    assert!(rest.repair.is_some_and(|repair| repair.added > 0 && repair.added <= 24_000 - kept as u64), "{:?}", rest.repair);
    assert_eq!(count(&instance).await, 24_000);
    Ok(())
}

async fn a_page_that_is_denied_ends_the_repair_and_keeps_what_is_whole() -> Result<(), Failed> {
    let instance = lake(100).await;
    endpoint(&instance).fail(Fault::on(RequestKind::List).nth(3).status(403, "AccessDenied"));
    let Err(failure) = instance.try_run("MSCK REPAIR TABLE t").await else { return Err("a page was denied".into()) };
    assert_eq!(failure.error.kind(), ErrorKind::Denied);
    assert_eq!(count(&instance).await, 0, "less than a batch");
    endpoint(&instance).clear_faults();
    instance.run("MSCK REPAIR TABLE t").await;
    assert_eq!(count(&instance).await, 2400);
    Ok(())
}

async fn malformed_paths_are_told_and_the_others_taken() -> Result<(), Failed> {
    let instance = lake(100).await;
    let bad = (0..1000).map(|at| format!("t/dt=2001-01-01/h=unknown{at}/part-0.parquet"));
    endpoint(&instance).put_many(BUCKET, bad, "never read");
    let outcome = instance.run("MSCK REPAIR TABLE t").await;
    assert_eq!(count(&instance).await, 2400);
    let lines = outcome.lines();
    let ignored: Vec<&String> = lines.iter().filter(|line| line.starts_with("Ignored: ")).collect();
    assert_eq!(ignored.len(), 11);
    assert_eq!(ignored[0], "Ignored: t:dt=2001-01-01/h=unknown0: its value is not of type \"int\", key \"h\"");
    assert_eq!(ignored[10], "Ignored: 990 more directories; system.repair_findings has all of them");
    let told = instance.run("SELECT count(DISTINCT path) AS n, min(reason) AS r FROM system.repair_findings").await;
    assert_eq!(told.lines(), ["1000|its value is not of type \"int\", key \"h\""]);
    Ok(())
}

async fn queries_say_how_they_knew_their_files() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    for (path, n) in [("t/dt=1/h=1/a.parquet", 1), ("t/dt=1/h=2/a.parquet", 2)] {
        instance.write(path, &format!("SELECT CAST({n} AS bigint) AS n")).await;
    }
    instance.run(TABLE).await;
    instance.run("MSCK REPAIR TABLE t").await;
    let query = "SELECT sum(n) AS total FROM t";
    let told = async |policy: &str| {
        instance.run(&format!("SET SESSION listing = '{policy}'")).await;
        let report = instance.run(query).await.report;
        let listing = report.listing.ok_or("nothing is told of the listing")?;
        let known = (listing.live, listing.kept, listing.snapshot);
        Ok::<_, Failed>((listing.policy, known, listing.as_of.is_some(), report.usage.requests))
    };
    let (policy, known, is_old, requests) = told("live").await?;
    assert_eq!((policy, known, is_old, requests.list), ("live", (2, 0, 0), false, 1));
    told("ttl=1h").await?;
    let (policy, known, is_old, requests) = told("ttl=1h").await?;
    assert_eq!((policy, known, is_old), ("ttl", (0, 2, 0), true));
    assert_eq!((requests.list, requests.head, requests.get), (0, 0, 2), "data alone");
    instance.run("SET SESSION listing = 'snapshot'").await;
    instance.run("REFRESH TABLE t").await;
    let (policy, known, is_old, requests) = told("snapshot").await?;
    assert_eq!((policy, known, is_old), ("snapshot", (0, 0, 2), true));
    assert_eq!((requests.list, requests.head, requests.get), (0, 0, 2), "data alone");
    let lines = instance.run(&format!("EXPLAIN ANALYZE {query}")).await.lines();
    let line = lines.iter().find(|line| line.starts_with("listing: ")).ok_or("no line about the listing")?;
    assert!(
        line.starts_with("listing: snapshot, 0 listed, 0 kept, 2 from the snapshot, as of 2025-06-15 12:00:00 UTC"),
        "{line}"
    );

    // Another process of the same catalog goes by the same snapshot.
    let restarted = instance.restart_with(|_| {}).await;
    restarted.run("SET SESSION listing = 'snapshot'").await;
    let report = restarted.run(query).await.report;
    assert_eq!((report.usage.requests.list, report.usage.requests.head), (0, 0));
    assert_eq!(report.listing.map(|listing| listing.snapshot), Some(2));
    Ok(())
}

async fn live_listings_share_pages() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    instance.write("one/a.parquet", "SELECT CAST(1 AS bigint) AS n").await;
    let file = endpoint(&instance).get(BUCKET, "one/a.parquet").ok_or("the file is there")?;
    endpoint(&instance).put_many(BUCKET, keys(0..50), file.clone());
    // Hours that hold many files each.
    let fat = (0..3).flat_map(|hour| (0..350).map(move |at| format!("t/dt=1999-01-01/h={hour}/part-{at}.parquet")));
    endpoint(&instance).put_many(BUCKET, fat, file);
    instance.run(TABLE).await;
    instance.run("MSCK REPAIR TABLE t").await;
    let pages = async |filter: &str, rows: usize| {
        let outcome = instance.run(&format!("SELECT count(*) AS rows FROM t WHERE {filter}")).await;
        assert_eq!(outcome.lines(), [rows.to_string()], "{filter}");
        outcome.report.usage.requests.list
    };
    // Never more than one a partition, and a tenth of that where they are neighbours.
    assert_eq!(pages("dt = '2000-01-05' AND h = 7", 1).await, 1);
    assert_eq!(pages("dt = '2000-01-05'", 24).await, 1);
    let all = pages("dt >= '2000-01-01'", 1200).await;
    assert!(all <= 2, "{all} pages for 1200 partitions");
    let third = pages("dt >= '2000-01-01' AND h = 3", 50).await;
    assert!(third <= 2, "{third} pages for 50 partitions in 1200");
    let fat = pages("dt = '1999-01-01'", 1050).await;
    assert!(fat <= 3, "{fat} pages for 3 partitions of 350 files");
    let far = pages("dt IN ('1999-01-01', '2000-02-01') AND h = 2", 351).await;
    assert!(far <= 2, "{far} pages for two partitions");
    Ok(())
}

/// A copy of a file of a lake on this machine, under any name.
#[cfg(unix)]
fn copy(instance: &Instance, from: &str, to: &[u8]) -> std::io::Result<()> {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let to = folder(instance).join(OsStr::from_bytes(to));
    to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::copy(folder(instance).join(from), to).map(drop)
}

#[expect(clippy::panic, reason = "a test that cannot go on fails")]
fn folder(instance: &Instance) -> &std::path::Path {
    match &instance.lake {
        Lake::Folder(folder) => folder.path(),
        Lake::S3(_) => panic!("the lake is on this machine"),
    }
}

#[cfg(not(unix))]
async fn names_that_no_location_can_have() -> Result<(), Failed> {
    Ok(())
}

#[cfg(not(unix))]
async fn a_link_and_a_file_for_a_location() -> Result<(), Failed> {
    Ok(())
}

#[cfg(unix)]
async fn names_that_no_location_can_have() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    instance.write("t/dt=a/a.parquet", "SELECT CAST(1 AS bigint) AS n").await;
    for to in
        [&b"t/dt=b\x01/a.parquet"[..], b"t/dt=\xff/a.parquet", b"t/dt=/a.parquet", b"t/dt=a/.c\x01.parquet", b"t/dt=a/_\xff/d"]
    {
        copy(&instance, "t/dt=a/a.parquet", to)?;
    }
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (dt STRING) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    let none = "its name cannot be part of a location: it has control characters, or is not UTF-8";
    assert_eq!(
        instance.run("MSCK REPAIR TABLE t").await.lines(),
        [
            "Partitions not in metastore:\tt:dt=a".to_owned(),
            "Repair: Added partition to metastore t:dt=a".to_owned(),
            "Ignored: t:dt=: its value is empty; the directory of NULLs is key=__HIVE_DEFAULT_PARTITION__".to_owned(),
            format!("Ignored: t:dt=b\\u{{1}}: {none}"),
            format!("Ignored: t:dt=\u{fffd}: {none}"),
        ]
    );
    assert_eq!(instance.run("SELECT count(*) AS n FROM t").await.lines(), ["1"], "hidden files are passed over");
    copy(&instance, "t/dt=a/a.parquet", b"t/dt=a/d\x01.parquet")?;
    let Err(failure) = instance.try_run("SELECT count(*) AS n FROM t").await else { return Err("a file went missing".into()) };
    assert_eq!(failure.error.kind(), ErrorKind::Invalid);
    let text = failure.error.to_string();
    assert!(text.contains("/t/dt=a/d\\u{1}.parquet\" cannot be read"), "{text}");

    copy(&instance, "t/dt=a/a.parquet", b"crawl/good/a.parquet")?;
    copy(&instance, "t/dt=a/a.parquet", b"crawl/bad\x01/a.parquet")?;
    let crawled = instance.run("CALL system.crawl('{lake}/crawl/')").await.lines();
    assert!(crawled.iter().any(|line| line.contains("|folder|") && line.contains("/crawl/bad\\u{1}/|ignored|")), "{crawled:?}");
    assert_eq!(instance.run("SELECT n FROM good").await.lines(), ["1"]);
    Ok(())
}

#[cfg(unix)]
async fn a_link_and_a_file_for_a_location() -> Result<(), Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    instance.write("t/dt=a/a.parquet", "SELECT CAST(1 AS bigint) AS n").await;
    std::os::unix::fs::symlink(folder(&instance).join("t/dt=a"), folder(&instance).join("link"))?;
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (dt STRING) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    instance.run("ALTER TABLE t ADD PARTITION (dt = 'alias') LOCATION '{lake}/link/'").await;
    assert!(instance.run("MSCK REPAIR TABLE t SYNC PARTITIONS").await.lines().is_empty(), "the directory is known by its alias");
    assert_eq!(instance.run("SELECT n, dt FROM t").await.lines(), ["1|alias"]);

    instance.run("ALTER TABLE t ADD PARTITION (dt = 'file') LOCATION '{lake}/t/dt=a/a.parquet'").await;
    let Err(failure) = instance.try_run("SELECT n FROM t").await else { return Err("a partition went missing".into()) };
    assert_eq!(failure.error.kind(), ErrorKind::Invalid);
    let text = failure.error.to_string();
    assert!(text.contains("/t/dt=a/a.parquet/\" is a file, not a folder"), "{text}");
    let repaired = instance.run("MSCK REPAIR TABLE t SYNC PARTITIONS").await.lines();
    assert_eq!(repaired[0], "Partitions missing from filesystem:\tt:dt=file");
    assert_eq!(instance.run("SELECT n, dt FROM t").await.lines(), ["1|alias"]);
    Ok(())
}
