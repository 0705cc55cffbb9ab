//! Rows taken into tables on S3: what is sent, in which order, and what remains when something goes wrong.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BinaryArray, Int64Array, RecordBatch},
    datatypes::SchemaRef,
};
use futures::{Stream, StreamExt, stream};
use glaux_catalog::TableName;
use glaux_engine::{
    ErrorKind, Result,
    accounting::RequestKind,
    query::{Failure, QueryFilter, QueryState},
    write::{IfExists, IfNotExists, IngestSummary, IngestTarget},
};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
    s3_endpoint::{Action, Fault, Request, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "ingest";
        small_files_take_one_put_each_after_the_last_row,
        large_files_go_in_parts_and_appear_at_the_end,
        what_comes_back_is_what_went_in,
        rows_are_seen_whenever_files_are_listed,
        a_put_that_fails_for_good_leaves_nothing,
        files_that_were_visible_already_are_taken_back,
        an_answer_that_is_lost_leaves_nothing,
        a_part_that_fails_ends_its_upload,
        a_failing_stream_ends_uploads_in_parts,
        a_dropped_future_leaves_nothing,
        a_cancel_while_the_store_hangs_is_obeyed,
        what_cannot_be_removed_is_named,
    ]
}

fn endpoint(instance: &Instance) -> &S3Endpoint {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => unreachable!("these lakes are on S3"),
    }
}

async fn instance() -> Instance {
    Instance::start(Lake::on_s3().await).await
}

/// Rows of 20 partitions.
fn rows() -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..100);
    let keys = Int64Array::from_iter_values((0..100).map(|id| id % 20));
    let columns = [("id", Arc::new(ids) as ArrayRef), ("k", Arc::new(keys))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).expect("the columns fit")
}

/// The rows of [`large`].
const LARGE_ROWS: usize = 4096;

/// Four mebibytes that do not compress, in a batch that is cheap to send again.
fn large() -> RecordBatch {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut value = || {
        let word = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        (0..128).flat_map(word).collect::<Vec<u8>>()
    };
    let values: BinaryArray = (0..LARGE_ROWS).map(|_| Some(value())).collect();
    let numbers = Int64Array::from_iter_values((0..).take(LARGE_ROWS));
    RecordBatch::try_from_iter([("noise", Arc::new(values) as ArrayRef), ("n", Arc::new(numbers))]).expect("the columns fit")
}

/// So many of these batches.
fn large_rows(batches: usize) -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    stream::iter(std::iter::repeat_n(large(), batches).map(Ok))
}

fn create(table: &str, schema: SchemaRef, keys: &[&str]) -> IngestTarget {
    IngestTarget {
        database: None,
        table: table.to_owned(),
        if_not_exists: IfNotExists::Create,
        if_exists: IfExists::Append,
        location: Some(format!("s3://{BUCKET}/{table}/")),
        partitioned_by: keys.iter().map(|key| (*key).to_owned()).collect(),
        schema,
    }
}

async fn partitioned(instance: &Instance) -> Result<IngestSummary, Failure> {
    let rows = rows();
    let target = create("t", rows.schema(), &["k"]);
    instance.engine.ingest(&instance.session, target, stream::iter([Ok(rows)])).await
}

/// Nothing of table `t` is in the store or in the catalog.
async fn nothing_remains(instance: &Instance) -> Result<(), Failed> {
    let (keys, uploads) = (endpoint(instance).keys(BUCKET), endpoint(instance).open_uploads());
    if !keys.is_empty() || uploads > 0 {
        // The query's own error says what could not be removed, or not in time.
        let history = instance.engine.history();
        history.flush().await?;
        let ends: Vec<_> =
            history.list(QueryFilter::default()).await?.into_iter().map(|query| (query.state, query.error_message)).collect();
        return Err(format!("{uploads} uploads and {keys:?} remain; the queries ended with {ends:?}").into());
    }
    match instance.engine.metastore().table(&TableName::new("default", "t")).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => Err(format!("the table's definition remains: {other:?}").into()),
    }
}

fn of_kind(log: &[Request], kind: RequestKind) -> Vec<&Request> {
    log.iter().filter(|request| request.kind == kind).collect()
}

async fn small_files_take_one_put_each_after_the_last_row() -> Result<(), Failed> {
    let instance = instance().await;
    let (rows, engine) = (rows(), instance.engine.clone());
    drop(endpoint(&instance).take_log());
    let before_the_end = {
        let endpoint = endpoint(&instance);
        let (half, rest) = (rows.slice(0, 50), rows.slice(50, 50));
        let target = create("t", rows.schema(), &["k"]);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let batches = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        let session = instance.session.clone();
        let ingest = tokio::spawn(async move { engine.ingest(&session, target, batches).await });
        sender.send(Ok(half)).await?;
        sender.send(Ok(rest)).await?;
        // The second was taken once there is room for a third.
        drop(sender.reserve().await?);
        let seen = endpoint.keys(BUCKET).len();
        drop(sender);
        let summary = ingest.await??;
        assert_eq!((summary.rows, summary.files, summary.report.usage.requests.put), (100, 20, 20));
        assert_eq!(summary.report.usage.requests.total(), 21);
        seen
    };
    assert_eq!(before_the_end, 0, "nothing is visible while rows are awaited");
    let log = endpoint(&instance).take_log();
    assert_eq!(log[0].kind, RequestKind::List, "whether the location is empty is asked first");
    assert_eq!(of_kind(&log, RequestKind::Put).len(), 20);
    assert_eq!(log.len(), 21);
    Ok(())
}

async fn large_files_go_in_parts_and_appear_at_the_end() -> Result<(), Failed> {
    let instance = instance().await;
    let target = create("t", large().schema(), &[]);
    let summary = instance.engine.ingest(&instance.session, target, large_rows(6)).await?;
    assert_eq!((summary.rows, summary.files), (6 * LARGE_ROWS as u64, 1));
    let log = endpoint(&instance).take_log();
    let parts = of_kind(&log, RequestKind::Put).len();
    assert!(parts as u64 >= 2 + summary.bytes / (8 << 20), "{parts} requests for {} bytes", summary.bytes);
    assert_eq!(summary.report.usage.requests.put, parts as u64, "every request is counted");
    assert_eq!(endpoint(&instance).open_uploads(), 0);
    assert_eq!(instance.run("SELECT count(*), sum(n), count(noise) FROM t").await.lines(), ["24576|50319360|24576"]);
    Ok(())
}

async fn what_comes_back_is_what_went_in() -> Result<(), Failed> {
    let instance = instance().await;
    partitioned(&instance).await?;
    let lines = instance.run("SELECT id, k FROM t ORDER BY id").await.lines();
    assert_eq!(lines, (0..100).map(|id| format!("{id}|{}", id % 20)).collect::<Vec<_>>());
    let one = instance.run("SELECT count(*) AS c FROM t WHERE k = 7").await;
    assert_eq!((one.lines(), one.report.usage.partitions.scanned), (vec!["5".to_owned()], 1));
    let again = partitioned(&instance).await?;
    assert_eq!(endpoint(&instance).keys(BUCKET).len(), 40);
    assert_eq!(instance.run("SELECT count(*) AS c FROM t").await.lines(), ["200"]);
    let history = instance.run("SELECT state, billed_bytes, rows FROM system.queries WHERE statement LIKE 'INGEST%'").await;
    assert_eq!(history.lines(), ["SUCCEEDED|0|100", "SUCCEEDED|0|100"]);
    assert_eq!(again.report.bill.billed_bytes, 0);
    Ok(())
}

async fn rows_are_seen_whenever_files_are_listed() -> Result<(), Failed> {
    let instance = instance().await;
    partitioned(&instance).await?;
    let count = async || instance.run("SELECT count(*) AS c FROM t").await.lines();
    instance.run("SET SESSION listing = 'ttl=1h'").await;
    assert_eq!(count().await, ["100"]);
    partitioned(&instance).await?;
    assert_eq!(count().await, ["200"]);
    instance.run("RESET SESSION listing").await;
    instance.run("ALTER TABLE t SET TBLPROPERTIES ('listing' = 'snapshot')").await;
    instance.run("REFRESH TABLE t").await;
    partitioned(&instance).await?;
    let outcome = instance.run("SELECT count(*) AS c FROM t").await;
    assert_eq!((outcome.lines(), outcome.report.usage.requests.list), (vec!["300".to_owned()], 0));
    Ok(())
}

async fn fails(instance: &Instance, kind: ErrorKind) -> Result<Failure, Failed> {
    match partitioned(instance).await {
        Ok(summary) => Err(format!("it succeeded: {summary:?}").into()),
        Err(failure) if failure.error.kind() == kind && failure.report.state == QueryState::Failed => Ok(failure),
        Err(failure) => Err(format!("{kind}, not {:?}", failure.error).into()),
    }
}

async fn a_put_that_fails_for_good_leaves_nothing() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Put).key("k=13").always().status(403, "AccessDenied"));
    let failure = fails(&instance, ErrorKind::Denied).await?;
    assert!(failure.error.to_string().contains("k=13"), "{}", failure.error);
    nothing_remains(&instance).await?;
    endpoint(&instance).clear_faults();
    assert_eq!(partitioned(&instance).await?.rows, 100);
    Ok(())
}

async fn files_that_were_visible_already_are_taken_back() -> Result<(), Failed> {
    let instance = instance().await;
    // The last of twenty: sixteen are on their way at a time, so some are there when it fails.
    endpoint(&instance).fail(Fault::on(RequestKind::Put).nth(20).times(1).status(403, "AccessDenied"));
    drop(endpoint(&instance).take_log());
    fails(&instance, ErrorKind::Denied).await?;
    let log = endpoint(&instance).take_log();
    assert!(of_kind(&log, RequestKind::Put).iter().any(|request| request.status == 200), "some were there");
    assert!(of_kind(&log, RequestKind::Delete).len() >= 4, "and were removed");
    nothing_remains(&instance).await
}

async fn an_answer_that_is_lost_leaves_nothing() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Put).key("k=5").always().action(Action::Disconnect));
    fails(&instance, ErrorKind::Unavailable).await?;
    nothing_remains(&instance).await
}

async fn a_part_that_fails_ends_its_upload() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Put).nth(2).always().status(403, "AccessDenied"));
    let target = create("t", large().schema(), &[]);
    let outcome = instance.engine.ingest(&instance.session, target, large_rows(6)).await;
    let failure = outcome.err().ok_or("it succeeded")?;
    assert_eq!(failure.error.kind(), ErrorKind::Denied);
    nothing_remains(&instance).await
}

/// More rows than one row group in memory holds, so that parts are with the store before the end.
fn more_than_memory() -> impl Stream<Item = Result<RecordBatch>> + Send + 'static {
    large_rows(36)
}

async fn a_failing_stream_ends_uploads_in_parts() -> Result<(), Failed> {
    let instance = instance().await;
    let broken = glaux_engine::Error::new(ErrorKind::Unavailable, "the source is gone");
    let target = create("t", large().schema(), &[]);
    let batches = more_than_memory().chain(stream::iter([Err(broken)]));
    let failure = instance.engine.ingest(&instance.session, target, batches).await.err().ok_or("it succeeded")?;
    assert_eq!(failure.error.message(), "the source is gone");
    let log = endpoint(&instance).take_log();
    assert!(of_kind(&log, RequestKind::Put).len() > 2, "parts were sent: {}", log.len());
    nothing_remains(&instance).await
}

/// Waits until no query runs any more.
async fn all_ended(instance: &Instance) {
    while !instance.engine.queries().list_running().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn a_dropped_future_leaves_nothing() -> Result<(), Failed> {
    let instance = instance().await;
    let target = create("t", large().schema(), &[]);
    let (waits, mut waiting) = tokio::sync::mpsc::channel::<()>(1);
    let pause = stream::once(async move {
        waits.send(()).await.ok();
        std::future::pending().await
    });
    {
        let ingest = std::pin::pin!(instance.engine.ingest(&instance.session, target, more_than_memory().chain(pause)));
        tokio::select! {
            _ = ingest => return Err("it waits for rows".into()),
            _ = waiting.recv() => {}
        }
        assert_eq!(endpoint(&instance).open_uploads(), 1);
    }
    all_ended(&instance).await;
    nothing_remains(&instance).await?;
    // And while its files are being made visible.
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Put).nth(10));
    {
        let ingest = std::pin::pin!(partitioned(&instance));
        tokio::select! {
            _ = ingest => return Err("it waits for the store".into()),
            () = gate.arrived() => {}
        }
    }
    gate.release();
    all_ended(&instance).await;
    nothing_remains(&instance).await?;
    instance.engine.history().flush().await?;
    let filter = QueryFilter { state: Some(QueryState::Cancelled), ..QueryFilter::default() };
    assert_eq!(instance.engine.history().list(filter).await?.len(), 2);
    Ok(())
}

async fn a_cancel_while_the_store_hangs_is_obeyed() -> Result<(), Failed> {
    let instance = instance().await;
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Put).nth(10));
    let (engine, session, rows) = (instance.engine.clone(), instance.session.clone(), rows());
    let ingest = tokio::spawn(async move {
        let target = create("t", rows.schema(), &["k"]);
        engine.ingest(&session, target, stream::iter([Ok(rows)])).await
    });
    gate.arrived().await;
    let id = instance.engine.queries().list_running()[0].query_id;
    instance.engine.queries().kill(id, "admin").await?;
    gate.release();
    let failure = ingest.await?.err().ok_or("it succeeded")?;
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Aborted, QueryState::Cancelled));
    assert_eq!(failure.error.message(), format!("the query was killed by {:?}", "admin"));
    assert_eq!(failure.report.bill.billed_bytes, 0);
    nothing_remains(&instance).await
}

async fn what_cannot_be_removed_is_named() -> Result<(), Failed> {
    let instance = instance().await;
    endpoint(&instance).fail(Fault::on(RequestKind::Put).key("k=13").always().status(403, "AccessDenied"));
    endpoint(&instance).fail(Fault::on(RequestKind::Delete).always().status(403, "AccessDenied"));
    let failure = fails(&instance, ErrorKind::Denied).await?;
    for key in endpoint(&instance).keys(BUCKET) {
        assert!(failure.error.to_string().contains(&key), "{} does not name {key}", failure.error);
    }
    Ok(())
}
