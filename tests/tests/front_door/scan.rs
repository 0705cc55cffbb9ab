//! What a scan tells of itself: its requests and bytes are those of the endpoint's log, its bill is that of the data whatever was cached, and
//! small files, footers and cached ranges cost the requests they should. Random tables and queries are in `random`.

mod random;

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use futures::TryStreamExt;
use glaux_engine::{
    Session, SessionOptions,
    accounting::{RequestKind, Requests, Usage},
    query::CancelReason,
    storage::DataCacheOptions,
};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
    s3_endpoint::{Fault, Request, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time![
        "scan";
        so_they_are_of_failed_queries,
        a_cancelled_query_counts_no_more_than_was_sent,
        a_small_file_is_one_request,
    ];
    // Some queries in each part: all of them together take long.
    for part in 0..PARTS {
        let named = |name: &str| format!("scan/{name}_{part}");
        trials.push(Trial::test(named("the_bill_does_not_depend_on_what_is_known"), move || {
            crate::block_on(crate::in_time(the_bill_does_not_depend_on_what_is_known(part)))
        }));
        trials.push(Trial::test(named("a_restarted_engine_reads_no_footer"), move || {
            crate::block_on(crate::in_time(a_restarted_engine_reads_no_footer(part)))
        }));
        for (cache, memory_bytes) in [("without", 0), ("with", 32 << 20)] {
            trials.push(Trial::test(named(&format!("requests_and_bytes_are_the_logs_{cache}_a_cache")), move || {
                crate::block_on(crate::in_time(requests_and_bytes_are_the_logs(memory_bytes, part)))
            }));
        }
    }
    for (cache, memory_bytes, disk_bytes) in [("memory", 32 << 20, 0), ("disk", 0, 64 << 20), ("both", 32 << 20, 64 << 20)] {
        trials.push(Trial::test(format!("scan/what_is_cached_is_not_fetched_{cache}"), move || {
            crate::block_on(crate::in_time(what_is_cached_is_not_fetched(memory_bytes, disk_bytes)))
        }));
    }
    trials.extend(random::trials());
    trials
}

/// Parts that queries are divided into.
const PARTS: usize = 4;

/// Every so many-th of the queries.
fn part_of<'a>(queries: impl IntoIterator<Item = &'a str>, part: usize) -> impl Iterator<Item = &'a str> {
    queries.into_iter().skip(part).step_by(PARTS)
}

/// Rows in a file of `big`.
pub(crate) const BIG: i64 = 30_000;

/// Rows in a file of `small`.
pub(crate) const SMALL: i64 = 500;

/// Files of `small`, one a partition.
const SMALL_FILES: i64 = 6;

/// A number that looks like chance.
pub(crate) fn mix(number: i64) -> u64 {
    let mut z = (number as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Rows with these numbers: `id`, a word of 32 letters, a double, and a number that few share.
pub(crate) fn rows(ids: std::ops::Range<i64>) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("word", DataType::Utf8, true),
        Field::new("x", DataType::Float64, true),
        Field::new("n", DataType::Int64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids.clone())),
        Arc::new(StringArray::from_iter_values(ids.clone().map(|id| format!("{:016x}{:016x}", mix(id), mix(-id))))),
        Arc::new(Float64Array::from_iter_values(ids.clone().map(|id| (mix(id) % 100_000) as f64 / 8.0))),
        Arc::new(Int64Array::from_iter_values(ids.map(|id| (mix(id + 7) % 1000) as i64))),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("the columns fit")
}

/// Writes rows as a file.
pub(crate) fn put(lake: &Lake, path: &str, ids: std::ops::Range<i64>, options: &str) {
    let batch = rows(ids);
    let options = options.parse().expect("known options");
    lake.write(path, &batch.schema(), &[batch], &options).expect("a file can be written");
}

pub(crate) fn endpoint(instance: &Instance) -> &S3Endpoint {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => unreachable!("these lakes are on S3"),
    }
}

/// How the files of `big` are written.
pub(crate) const BIG_OPTIONS: &str = "group=5000 page=1000 codec=zstd";

/// A lake on S3 with `big`, two files that are not small, and `small`, a file a partition.
async fn lake() -> Lake {
    let lake = Lake::on_s3().await;
    for file in 0..2 {
        put(&lake, &format!("big/{file}.parquet"), file * BIG..(file + 1) * BIG, BIG_OPTIONS);
    }
    for file in 0..SMALL_FILES {
        put(&lake, &format!("small/p={file}/a.parquet"), file * SMALL..(file + 1) * SMALL, "group=200 page=50");
    }
    lake
}

async fn define(instance: &Instance) {
    let columns = "id BIGINT, word STRING, x DOUBLE, n BIGINT";
    instance.run(&format!("CREATE EXTERNAL TABLE big ({columns}) STORED AS PARQUET LOCATION '{{lake}}/big/'")).await;
    instance
        .run(&format!(
            "CREATE EXTERNAL TABLE small ({columns}) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{{lake}}/small/'"
        ))
        .await;
    instance.run("MSCK REPAIR TABLE small").await;
    drop(endpoint(instance).take_log());
}

async fn instance() -> Instance {
    let instance = Instance::start(lake().await).await;
    define(&instance).await;
    instance
}

/// Queries whose bytes are the same however they are run.
const QUERIES: [&str; 16] = [
    "SELECT sum(x) FROM big",
    "SELECT sum(x) FROM small",
    "SELECT sum(length(word)) FROM big WHERE id BETWEEN 1000 AND 1200",
    "SELECT id, word, x FROM big WHERE n = 77",
    "SELECT * FROM big WHERE id = 40321",
    "SELECT * FROM big WHERE id IN (5, 29999, 30000, 59999)",
    "SELECT id FROM big WHERE word LIKE 'ab%'",
    "SELECT * FROM small",
    "SELECT * FROM small WHERE p = 2 AND id < 1100",
    "SELECT word FROM small WHERE n < 10 OR x > 12000",
    "SELECT n, count(*), min(x) FROM big GROUP BY n ORDER BY n",
    "SELECT count(*), sum(b.x) FROM small a JOIN big b ON a.id = b.id WHERE a.n < 20",
    "SELECT count(*) FROM big a JOIN big b ON a.id = b.n WHERE b.id < 100",
    "SELECT count(*), min(id), max(id), count(word) FROM big",
    "SELECT count(*), min(x), max(word), min(n) FROM small WHERE p < 4",
    "SELECT id FROM small WHERE id < 0",
];

/// Queries that leave out, or stop before, what they learn on the way that they do not need.
const STOPPING: [&str; 7] = [
    "SELECT max(x) FROM big",
    "SELECT * FROM big LIMIT 3",
    "SELECT word FROM small LIMIT 700",
    "SELECT * FROM big ORDER BY x DESC, id LIMIT 10",
    "SELECT id, word FROM big ORDER BY id LIMIT 5",
    "SELECT id, word FROM small ORDER BY n, id LIMIT 5",
    "SELECT id FROM big WHERE n = 5 LIMIT 1",
];

/// What the endpoint was asked and sent, as a meter counts it.
pub(crate) fn logged(log: &[Request]) -> (u64, Requests) {
    let count = |kind| log.iter().filter(|request| request.kind == kind).count() as u64;
    let requests = Requests {
        get: count(RequestKind::Get),
        head: count(RequestKind::Head),
        list: count(RequestKind::List),
        put: count(RequestKind::Put),
        delete: count(RequestKind::Delete),
    };
    let bodies = log.iter().filter(|request| request.kind == RequestKind::Get && (200..300).contains(&request.status));
    (bodies.map(|request| request.bytes_sent).sum(), requests)
}

/// Checks that what was counted is what the log says, and takes the log.
pub(crate) fn settles(instance: &Instance, what: &str, usage: &Usage) -> Result<Vec<Request>, Failed> {
    let log = endpoint(instance).take_log();
    let (counted, logged) = ((usage.fetched_bytes, usage.requests), logged(&log));
    if counted != logged {
        return Err(format!("{what}: counted {counted:?}, the log says {logged:?}: {}", told(&log)).into());
    }
    Ok(log)
}

/// A log in few words.
fn told(log: &[Request]) -> String {
    let line = |request: &Request| {
        let Request { kind, key, range, status, bytes_sent, .. } = request;
        format!("\n  {kind:?} {key} {} -> {status}, {bytes_sent} bytes", range.as_deref().unwrap_or_default())
    };
    log.iter().map(line).collect()
}

async fn requests_and_bytes_are_the_logs(memory_bytes: u64, part: usize) -> Result<(), Failed> {
    let mut instance = instance().await;
    for sql in part_of(QUERIES.into_iter().chain(STOPPING), part) {
        // Without anything known, and with what the first run has left.
        instance = instance
            .restart_with(|options| {
                options.footer_disk_bytes = 0;
                options.data_cache.memory_bytes = memory_bytes;
            })
            .await;
        let cold = instance.run(sql).await;
        settles(&instance, sql, &cold.report.usage)?;
        let warm = instance.run(sql).await;
        settles(&instance, sql, &warm.report.usage)?;
        // Which rows a limit leaves is nobody's business.
        let is_told = sql.contains("ORDER BY") || !sql.contains("LIMIT");
        if is_told && sorted(cold.lines()) != sorted(warm.lines()) {
            return Err(format!("{sql}: other rows when it is run again").into());
        }
    }
    Ok(())
}

pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

async fn so_they_are_of_failed_queries() -> Result<(), Failed> {
    let instance = instance().await;
    for sql in [
        "SELECT CAST(word AS BIGINT) FROM small WHERE p = 1",
        "SELECT 1 / (id - 600) FROM small",
        "SELECT sum(CAST(word AS BIGINT)) FROM big",
        "SELECT id / (n - n) FROM big WHERE id > 100",
        "SELECT no_such_column FROM big",
    ] {
        for _ in 0..3 {
            let failure = instance.try_run(sql).await.err().ok_or_else(|| format!("{sql} succeeds"))?;
            settles(&instance, sql, &failure.report.usage)?;
        }
    }
    // A file that is not there, and one that may not be read.
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=3").always().status(404, "NoSuchKey"));
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=4").always().status(403, "AccessDenied"));
    for sql in ["SELECT sum(x) FROM small WHERE p = 3", "SELECT sum(x) FROM small", "SELECT * FROM small ORDER BY x LIMIT 3"] {
        let failure = instance.try_run(sql).await.err().ok_or_else(|| format!("{sql} succeeds"))?;
        settles(&instance, sql, &failure.report.usage)?;
    }
    endpoint(&instance).clear_faults();
    // A query that may not scan that much.
    let session =
        Session::new(SessionOptions { user: "tester".to_owned(), max_scan: Some(100_000), ..SessionOptions::default() });
    for sql in ["SELECT sum(x) FROM big", "SELECT * FROM big", "SELECT word FROM big WHERE n = 3"] {
        let failure = instance.try_run_as(&session, sql).await.err().ok_or_else(|| format!("{sql} succeeds"))?;
        settles(&instance, sql, &failure.report.usage)?;
        if failure.report.usage.data_scanned_bytes > 100_000 {
            return Err(format!("{sql}: scanned {}", failure.report.usage.data_scanned_bytes).into());
        }
    }
    Ok(())
}

async fn a_cancelled_query_counts_no_more_than_was_sent() -> Result<(), Failed> {
    let instance = instance().await;
    for sql in ["SELECT * FROM big", "SELECT id, word FROM big WHERE n < 500", "SELECT * FROM small"] {
        let key = if sql.contains("big") { "big/1" } else { "p=5" };
        let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key(key).nth(2).always());
        let first = endpoint(&instance).hang(Fault::on(RequestKind::Get).key(key));
        first.release();
        if key == "p=5" {
            // Small files are read with one request.
            gate.release();
        }
        let mut query = instance.engine.submit(&instance.session, sql).await?;
        query.try_next().await?.ok_or("no rows")?;
        query.canceller().cancel(CancelReason::User);
        while let Ok(Some(_)) = query.try_next().await {}
        let usage = query.report().usage;
        drop(query);
        gate.release();
        let (bytes, requests) = logged(&endpoint(&instance).take_log());
        if usage.fetched_bytes > bytes {
            return Err(format!("{sql}: counted {usage:?}, the log says {bytes} bytes and {requests:?}").into());
        }
        endpoint(&instance).clear_faults();
        drop(endpoint(&instance).take_log());
    }
    // What comes after is none the worse.
    let after = instance.run("SELECT count(id), sum(id) FROM big").await;
    assert_eq!(after.lines(), [format!("{}|{}", 2 * BIG, BIG * (2 * BIG - 1))]);
    Ok(())
}

async fn the_bill_does_not_depend_on_what_is_known(part: usize) -> Result<(), Failed> {
    let cache = DataCacheOptions { memory_bytes: 32 << 20, disk_bytes: 64 << 20 };
    let mut instance = instance().await;
    let mut bills = Vec::new();
    for sql in part_of(QUERIES, part) {
        instance = instance.restart_with(|options| options.footer_disk_bytes = 0).await;
        bills.push((sql, instance.run(sql).await.report.usage.data_scanned_bytes));
        check(&instance, "again", &bills[bills.len() - 1..]).await?;
    }
    check(&instance, "with what others have left", &bills).await?;
    check(&instance, "with all footers in memory", &bills).await?;
    // Whether footers answer depends on the plan still.
    bills.retain(|(_, bill)| *bill > 0);
    for streams in [1, 3, 16] {
        instance = instance.restart_with(|options| options.parallelism = Some(streams)).await;
        check(&instance, &format!("with {streams} streams"), &bills).await?;
    }
    instance = instance.restart_with(|options| options.data_cache = cache.clone()).await;
    for pass in ["with a data cache", "with a data cache that has all"] {
        check(&instance, pass, &bills).await?;
    }
    instance = instance.restart_with(|options| options.data_cache = cache.clone()).await;
    check(&instance, "restarted with a data cache", &bills).await?;
    instance = instance
        .restart_with(|options| {
            options.footer_disk_bytes = 0;
            (options.fetch.requests, options.fetch.read_ahead_bytes) = (1, 1);
        })
        .await;
    check(&instance, "one request at a time", &bills).await?;
    Ok(())
}

async fn check(instance: &Instance, how: &str, bills: &[(&str, u64)]) -> Result<(), Failed> {
    for (sql, bill) in bills {
        let scanned = instance.run(sql).await.report.usage.data_scanned_bytes;
        if scanned != *bill {
            return Err(format!("{sql}: {how} it scans {scanned}, cold {bill}").into());
        }
    }
    Ok(())
}

async fn a_restarted_engine_reads_no_footer(part: usize) -> Result<(), Failed> {
    let mut instance = instance().await;
    for sql in part_of(QUERIES.into_iter().chain(STOPPING), part) {
        instance.run(sql).await;
    }
    drop(endpoint(&instance).take_log());
    // Where each file's footer begins: the first byte that no repeat needs.
    let footer = |key: &str| {
        let file = endpoint_get(&instance, key)?;
        let length = file.len().checked_sub(8).and_then(|at| file.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes));
        length.map(|length| file.len() as u64 - 8 - u64::from(length))
    };
    let footers: std::collections::HashMap<String, u64> =
        endpoint(&instance).keys(BUCKET).into_iter().filter_map(|key| Some((key.clone(), footer(&key)?))).collect();
    for restarted in [false, true, true] {
        if restarted {
            instance = instance.restart_with(|_| {}).await;
        }
        for sql in part_of(QUERIES.into_iter().chain(STOPPING), part) {
            let usage = instance.run(sql).await.report.usage;
            let log = settles(&instance, sql, &usage)?;
            let into_footer = |request: &&Request| {
                let range = request.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
                let end = range.and_then(|(_, end)| end.parse::<u64>().ok());
                request.kind == RequestKind::Get && end.is_none_or(|end| footers.get(&request.key).is_none_or(|at| end >= *at))
            };
            if let Some(request) = log.iter().find(into_footer) {
                return Err(format!("{sql}, restarted: {restarted}: {request:?} reads a footer").into());
            }
            if usage.metadata_bytes > 0 {
                return Err(format!("{sql}, restarted: {restarted}: {} bytes of metadata", usage.metadata_bytes).into());
            }
        }
    }
    Ok(())
}

fn endpoint_get(instance: &Instance, key: &str) -> Option<bytes::Bytes> {
    endpoint(instance).get(BUCKET, key)
}

async fn a_small_file_is_one_request() -> Result<(), Failed> {
    let lake = lake().await;
    // The largest that count as small, in many row groups and in one.
    for (at, group) in [(0, 100), (1, 1 << 20)] {
        put(&lake, &format!("edge/p={at}/a.parquet"), 0..6_000, &format!("group={group} page=100 bloom"));
    }
    let Lake::S3(store) = &lake else { return Err("the lake is on S3".into()) };
    let sizes: Vec<_> =
        (0..2).filter_map(|at| store.get(BUCKET, &format!("edge/p={at}/a.parquet"))).map(|file| file.len()).collect();
    assert!(sizes.iter().all(|size| (200 << 10..=512 << 10).contains(size)), "{sizes:?}");
    let mut instance = Instance::start(lake).await;
    define(&instance).await;
    instance
        .run(
            "CREATE EXTERNAL TABLE edge (id BIGINT, word STRING, x DOUBLE, n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET \
             LOCATION '{lake}/edge/'",
        )
        .await;
    instance.run("MSCK REPAIR TABLE edge").await;
    drop(endpoint(&instance).take_log());
    for sql in [
        "SELECT * FROM t",
        "SELECT x FROM t",
        "SELECT id, word FROM t WHERE id = 333",
        "SELECT id, word FROM t WHERE word LIKE '00%' AND n = 7",
        "SELECT word FROM t WHERE id BETWEEN 100 AND 120 OR id = 499",
        "SELECT word, x FROM t WHERE word = '00'",
        "SELECT sum(id), max(word) FROM t WHERE x > 100",
        "SELECT id, word FROM t ORDER BY x DESC LIMIT 7",
        "SELECT * FROM t LIMIT 100000",
        "SELECT count(*), min(id) FROM t",
        "SELECT count(*) FROM t a JOIN t b ON a.id = b.id AND a.p = b.p WHERE a.n < 300",
    ] {
        for (table, files) in [("small", SMALL_FILES as u64), ("edge", 2)] {
            let sql = sql.replace("FROM t", &format!("FROM {table}")).replace("JOIN t", &format!("JOIN {table}"));
            instance = instance.restart_with(|options| options.footer_disk_bytes = 0).await;
            for run in ["cold", "warm"] {
                let usage = instance.run(&sql).await.report.usage;
                let log = settles(&instance, &sql, &usage)?;
                let scans = if sql.contains("JOIN") { 2 } else { 1 };
                for request in log.iter().filter(|request| request.kind == RequestKind::Get) {
                    let same = log.iter().filter(|other| other.kind == RequestKind::Get && other.key == request.key).count();
                    if same > scans {
                        return Err(format!("{sql}, {run}: {same} requests for {}: {}", request.key, told(&log)).into());
                    }
                }
                if usage.requests.get > files * scans as u64 {
                    return Err(format!("{sql}, {run}: {} requests for {files} files", usage.requests.get).into());
                }
            }
        }
    }
    Ok(())
}

async fn what_is_cached_is_not_fetched(memory_bytes: u64, disk_bytes: u64) -> Result<(), Failed> {
    let options = DataCacheOptions { memory_bytes, disk_bytes };
    let mut instance = Instance::start_with(lake().await, |engine| engine.data_cache = options.clone()).await;
    define(&instance).await;
    for sql in QUERIES {
        let first = sorted(instance.run(sql).await.lines());
        let mut runs = 0;
        // What is written behind comes to be held when it is offered often enough.
        loop {
            drop(endpoint(&instance).take_log());
            let again = instance.run(sql).await;
            let usage = again.report.usage;
            settles(&instance, sql, &usage)?;
            if sorted(again.lines()) != first {
                return Err(format!("{sql}: other rows from the cache").into());
            }
            runs += 1;
            if usage.requests.get == 0 && usage.fetched_bytes == 0 {
                break;
            }
            if memory_bytes > 0 || runs > 200 {
                return Err(format!("{sql}: {} requests with all in the cache ({options:?})", usage.requests.get).into());
            }
        }
    }
    if disk_bytes > 0 {
        instance = instance.restart_with(|engine| engine.data_cache = options.clone()).await;
        drop(endpoint(&instance).take_log());
        instance.run("SELECT sum(x) FROM big").await;
        // Writes that waited were given up, so that not all of it need be there; what is there is read right.
        let sum = instance.run("SELECT count(x), sum(id) FROM big").await;
        assert_eq!(sum.lines(), [format!("{}|{}", 2 * BIG, BIG * (2 * BIG - 1))]);
    }
    // A file that is written anew is another one.
    put(&instance.lake, "big/0.parquet", 5..5 + BIG, BIG_OPTIONS);
    let sum = instance.run("SELECT min(id), sum(id) FROM big WHERE id < 40000").await;
    let expected: i64 = (5..5 + BIG).sum::<i64>() + (BIG..40_000).sum::<i64>();
    assert_eq!(sum.lines(), [format!("5|{expected}")]);
    Ok(())
}
