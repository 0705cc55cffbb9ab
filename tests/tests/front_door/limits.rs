//! What workgroups enforce, through the front door: cut-offs, quotes, queues, timeouts, memory, filters on partition keys, and who may use them. Budgets
//! and hooks are in `budgets`.

mod budgets;

use std::sync::Arc;

use glaux_engine::{
    ErrorKind, Role, Session, SessionOptions,
    accounting::{RequestKind, Usd},
    query::{Failure, QueryState},
};
use glaux_tests::{
    instance::{Instance, Outcome},
    lake::Lake,
    s3_endpoint::Fault,
};
use libtest_mimic::{Failed, Trial};
use tokio::task::JoinHandle;

use crate::scan::{BIG, endpoint, logged, put};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time![
        "limits";
        a_cut_off_holds_for_sixteen_clients,
        a_session_tightens_a_cut_off_and_never_widens_it,
        queries_are_refused_by_their_quotes,
        a_full_queue_refuses_and_shows_places,
        the_time_in_the_queue_counts,
        a_query_holds_no_more_than_its_workgroup_allows,
        a_workgroup_requires_filters_on_partition_keys,
        a_workgroup_is_for_those_it_names,
    ];
    trials.extend(budgets::trials());
    trials
}

const CLIENTS: usize = 16;

/// The least cut-off that a workgroup may have.
const CUT_OFF: u64 = 10_000_000;

/// Scans about 20 MB, and about 3 MB of that.
const ALL: &str = "SELECT sum(length(word)), sum(x), sum(n), sum(id) FROM wide";
const SOME: &str = "SELECT sum(n) FROM wide";

/// An administrator in a workgroup.
fn session(user: &str, workgroup: &str) -> Session {
    Session::new(SessionOptions { user: user.to_owned(), workgroup: workgroup.to_owned(), ..SessionOptions::default() })
}

/// An instance with `wide`, of 12 files on S3, that knows their footers.
async fn wide() -> Arc<Instance> {
    let lake = Lake::on_s3().await;
    for file in 0..12 {
        let options = "group=5000 page=1000 dictionary=false";
        put(&lake, &format!("wide/{file}.parquet"), file * BIG..(file + 1) * BIG, options);
    }
    let instance = Instance::start(lake).await;
    let columns = "id BIGINT, word STRING, x DOUBLE, n BIGINT";
    instance.run(&format!("CREATE EXTERNAL TABLE wide ({columns}) STORED AS PARQUET LOCATION '{{lake}}/wide/'")).await;
    instance.run(SOME).await;
    drop(endpoint(&instance).take_log());
    Arc::new(instance)
}

/// A statement that runs by itself.
fn begin(instance: &Arc<Instance>, session: Session, sql: &'static str) -> JoinHandle<Result<Outcome, Failure>> {
    let instance = Arc::clone(instance);
    tokio::spawn(async move { instance.try_run_as(&session, sql).await })
}

/// What a statement gives to all clients at the same time, each a user in a workgroup.
async fn at_once(instance: &Arc<Instance>, workgroup: &str, sql: &'static str) -> Result<Vec<Result<Outcome, Failure>>, Failed> {
    let running: Vec<_> =
        (0..CLIENTS).map(|client| begin(instance, session(&format!("user {client}"), workgroup), sql)).collect();
    let mut ended = Vec::new();
    for task in running {
        ended.push(task.await?);
    }
    Ok(ended)
}

/// Waits until so many queries run and so many wait.
async fn wait_for(instance: &Instance, running: usize, queued: usize) {
    loop {
        let queries = instance.engine.queries().list_running();
        let run = queries.iter().filter(|query| query.state == QueryState::Running).count();
        // Others are being planned.
        let wait = queries.iter().filter(|query| query.queue_position.is_some()).count();
        if (run, wait) == (running, queued) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Why a statement fails that must.
async fn failure(instance: &Instance, session: &Session, sql: &str) -> Result<Failure, Failed> {
    let ended = instance.try_run_as(session, sql).await;
    ended.err().ok_or_else(|| format!("{sql} succeeds").into())
}

async fn a_cut_off_holds_for_sixteen_clients() -> Result<(), Failed> {
    let instance = wide().await;
    instance.run("CREATE WORKGROUP narrow WITH (bytes_scanned_cutoff_per_query = 10000000)").await;
    let mut most = 0;
    for ended in at_once(&instance, "narrow", ALL).await? {
        let failure = ended.err().ok_or("more is scanned than the cut-off allows")?;
        assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::LimitExceeded, QueryState::Cancelled));
        assert!(failure.error.hint().is_some_and(|hint| hint.contains("workgroup \"narrow\"")), "{:?}", failure.error);
        let scanned = failure.report.usage.data_scanned_bytes;
        assert!((CUT_OFF / 2..=CUT_OFF).contains(&scanned), "scanned {scanned}");
        most = most.max(scanned);
    }
    let (sent, _) = logged(&endpoint(&instance).take_log());
    println!("cut-off of {CUT_OFF} bytes: each of {CLIENTS} clients scanned {most} at most; the store sent {sent} in all");
    // What was read in vain and read again is little.
    assert!(sent <= CLIENTS as u64 * CUT_OFF / 10 * 11, "sent {sent}");
    let expected = instance.run(SOME).await.lines();
    for ended in at_once(&instance, "narrow", SOME).await? {
        assert_eq!(ended?.lines(), expected);
    }
    Ok(())
}

async fn a_session_tightens_a_cut_off_and_never_widens_it() -> Result<(), Failed> {
    let instance = wide().await;
    instance.run("CREATE WORKGROUP narrow WITH (bytes_scanned_cutoff_per_query = 10000000)").await;
    instance.run("CREATE WORKGROUP lenient WITH (bytes_scanned_cutoff_per_query = 10000000, enforce = false)").await;
    for (workgroup, max_scan, limit) in
        [("narrow", "1MB", 1_000_000), ("narrow", "1TB", CUT_OFF), ("lenient", "", CUT_OFF), ("lenient", "1MB", 1_000_000)]
    {
        let session = session("ada", workgroup);
        session.set("max_scan", max_scan)?;
        let failure = failure(&instance, &session, ALL).await?;
        assert_eq!(failure.error.message(), format!("the query would scan more than its limit of {limit} bytes"));
        assert!(failure.report.usage.data_scanned_bytes <= limit, "{:?}", failure.report.usage);
    }
    let widened = session("ada", "lenient");
    widened.set("max_scan", "1TB")?;
    instance.try_run_as(&widened, ALL).await?;
    // What is changed holds at once, for sessions that there are too.
    let narrow = session("ada", "narrow");
    for (alter, told) in [
        ("SET (bytes_scanned_cutoff_per_query = 100000000)", None),
        ("DISABLE", Some((ErrorKind::Denied, "workgroup \"narrow\" is disabled"))),
        ("ENABLE", None),
        ("SET (bytes_scanned_cutoff_per_query = 20000000)", Some((ErrorKind::LimitExceeded, "limit of 20000000 bytes"))),
    ] {
        instance.run(&format!("ALTER WORKGROUP narrow {alter}")).await;
        let ended = instance.try_run_as(&narrow, ALL).await.err().map(|failure| failure.error);
        let is_told = |(kind, message): (ErrorKind, &str)| {
            ended.as_ref().is_some_and(|error| error.kind() == kind && error.message().ends_with(message))
        };
        assert!(told.map_or_else(|| ended.is_none(), is_told), "{alter}: {ended:?}");
    }
    Ok(())
}

async fn queries_are_refused_by_their_quotes() -> Result<(), Failed> {
    let instance = wide().await;
    instance.run("CREATE WORKGROUP judged WITH (bytes_scanned_cutoff_per_query = 10000000, refuse_over_quote = true)").await;
    instance.run("CREATE WORKGROUP poor WITH (budget_per_day_usd = 0.00005, refuse_over_quote = true)").await;
    for (workgroup, told) in [("judged", "more than its limit of 10000000 bytes"), ("poor", "has no room for it")] {
        let session = session("ada", workgroup);
        let failure = failure(&instance, &session, ALL).await?;
        assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::LimitExceeded, QueryState::Failed));
        assert!(failure.error.message().contains(told), "{:?}", failure.error);
        assert_eq!((failure.report.usage.data_scanned_bytes, failure.report.bill.total()), (0, Usd::ZERO));
        // The quote of what is refused can be seen.
        instance.try_run_as(&session, &format!("EXPLAIN (TYPE COST) {ALL}")).await?;
        instance.try_run_as(&session, SOME).await?;
    }
    Ok(())
}

/// An instance with `t` of two partitions and `u` of one row, whose store may hang for long.
async fn table() -> Arc<Instance> {
    let change = |options: &mut glaux_engine::EngineOptions| options.storage.defaults.stall_timeout_ms = Some(600_000);
    let instance = Instance::start_with(Lake::on_s3().await, change).await;
    instance.write("t/p=1/a.parquet", "SELECT value AS n FROM generate_series(1, 500)").await;
    instance.write("t/p=2/a.parquet", "SELECT value AS n FROM generate_series(501, 1000)").await;
    instance.write("u/a.parquet", "SELECT 7 AS n").await;
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    instance.run("CREATE EXTERNAL TABLE u (n INT) STORED AS PARQUET LOCATION '{lake}/u/'").await;
    instance.run("MSCK REPAIR TABLE t").await;
    drop(endpoint(&instance).take_log());
    Arc::new(instance)
}

const SUM: &str = "SELECT sum(n) AS s FROM t";

/// Whose queries wait, and where.
const PLACES: &str = "SELECT \"user\", queue_position FROM system.queries WHERE state = 'QUEUED' ORDER BY queue_position";

async fn a_full_queue_refuses_and_shows_places() -> Result<(), Failed> {
    let instance = table().await;
    instance.run("CREATE WORKGROUP narrow WITH (max_concurrent_queries = 1, max_queued_queries = 2)").await;
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("t/").always());
    let mut tasks = Vec::new();
    for (queued, user) in ["ada", "bob", "eve"].into_iter().enumerate() {
        tasks.push(begin(&instance, session(user, "narrow"), SUM));
        wait_for(&instance, 1, queued).await;
    }
    let ada = session("ada", "narrow");
    let refused = failure(&instance, &ada, SUM).await?;
    assert_eq!(
        (refused.error.kind(), refused.report.state),
        (ErrorKind::LimitExceeded, QueryState::Failed),
        "{:?}",
        refused.error
    );
    assert_eq!(refused.error.message(), "the queue of workgroup \"narrow\" is full: 2 queries wait in it");
    assert!(refused.error.hint().is_some_and(|hint| hint.contains("max_queued_queries")), "{:?}", refused.error);
    assert_eq!(refused.report.bill.total(), Usd::ZERO);

    // What scans nothing does not wait, and neither do other workgroups.
    assert_eq!(instance.try_run_as(&ada, PLACES).await?.lines(), ["bob|1", "eve|2"]);
    assert_eq!(instance.try_run_as(&session("bob", "primary"), "SELECT n FROM u").await?.lines(), ["7"]);

    // One that waits is ended there, and leaves its place.
    let bob = instance.engine.queries().list_running().into_iter().find(|query| query.user == "bob").ok_or("bob waits")?;
    assert_eq!(bob.queue_position, Some(1));
    instance.try_run_as(&ada, &format!("KILL QUERY '{}'", bob.query_id)).await?;
    let killed = tasks.remove(1).await?.err().ok_or("it was killed")?;
    assert_eq!((killed.error.kind(), killed.report.bill.total()), (ErrorKind::Aborted, Usd::ZERO));
    assert_eq!(instance.try_run_as(&ada, PLACES).await?.lines(), ["eve|1"]);
    gate.release();
    for task in tasks {
        assert_eq!(task.await??.lines(), ["500500"]);
    }
    Ok(())
}

async fn the_time_in_the_queue_counts() -> Result<(), Failed> {
    let instance = table().await;
    instance.run("CREATE WORKGROUP brief WITH (max_concurrent_queries = 1, timeout_ms = 300)").await;
    let _gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("t/").always());
    let brief = session("ada", "brief");
    brief.set("timeout", "1h")?;
    let tasks: Vec<_> = (0..3).map(|_| begin(&instance, brief.clone(), SUM)).collect();
    for task in tasks {
        let failure = task.await?.err().ok_or("it takes long")?;
        assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::TimedOut, QueryState::Failed));
        let hint = failure.error.hint().unwrap_or_default();
        assert!(hint.contains("timeout_ms of workgroup \"brief\""), "{hint}");
    }
    Ok(())
}

const SORTED: &str = "SELECT id, word FROM wide ORDER BY word";

async fn a_query_holds_no_more_than_its_workgroup_allows() -> Result<(), Failed> {
    let instance = wide().await;
    instance.run("CREATE WORKGROUP small WITH (memory_limit = 1000000, tariff = 'free')").await;
    let failure = failure(&instance, &session("ada", "small"), SORTED).await?;
    assert_eq!(failure.error.kind(), ErrorKind::LimitExceeded);
    let message = failure.error.message();
    assert!(message.starts_with("out of memory: ") && message.contains("a query of this workgroup is limited to"), "{message}");
    assert_eq!(instance.run(SORTED).await.report.usage.rows, 12 * u64::try_from(BIG)?);
    let held = "SELECT state, state = 'FAILED' OR peak_memory_bytes > 1000000, tariff LIKE 'free@%' FROM system.queries \
                WHERE statement LIKE '%ORDER BY word' ORDER BY submitted_at";
    assert_eq!(instance.run(held).await.lines(), ["FAILED|true|true", "SUCCEEDED|true|false"]);
    Ok(())
}

async fn a_workgroup_requires_filters_on_partition_keys() -> Result<(), Failed> {
    let instance = table().await;
    instance.run("CREATE WORKGROUP strict WITH (require_partition_filter = true)").await;
    let strict = session("ada", "strict");
    let joined = "SELECT count(*) FROM t a JOIN t b ON a.n = b.n WHERE a.p = 1";
    for sql in [SUM, "SELECT n FROM t WHERE n = 3", "SELECT n FROM t WHERE p = 1 OR n = 3", joined] {
        if sql == joined {
            assert!(endpoint(&instance).take_log().is_empty(), "nothing is asked for a query that is refused");
        }
        let failure = failure(&instance, &strict, sql).await?;
        assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Invalid, QueryState::Failed));
        let message = "the workgroup requires queries of table \"default.t\" to filter by a partition key: p";
        assert_eq!(failure.error.message(), message, "{sql}");
        assert!(failure.error.hint().is_some_and(|hint| hint.contains("such as WHERE p = ")), "{:?}", failure.error);
    }
    for (sql, lines) in [
        ("SELECT sum(n) AS s FROM t WHERE p = 2", "375250"),
        ("SELECT sum(n) AS s FROM t WHERE p >= 0", "500500"),
        ("SELECT sum(n) AS s FROM (SELECT * FROM t) WHERE p IN (1) AND n > 499", "500"),
        ("SELECT n FROM u", "7"),
    ] {
        assert_eq!(instance.try_run_as(&strict, sql).await?.lines(), [lines], "{sql}");
    }
    assert_eq!(instance.run(SUM).await.lines(), ["500500"]);
    Ok(())
}

async fn a_workgroup_is_for_those_it_names() -> Result<(), Failed> {
    let instance = table().await;
    instance.run("CREATE WORKGROUP ours WITH (allowed_users = ARRAY['ada'], allowed_groups = ARRAY['analysts'])").await;
    let user = |user: &str, group: &str, workgroup: &str| {
        Session::new(SessionOptions {
            user: user.to_owned(),
            groups: vec![group.to_owned()],
            role: Role::User,
            workgroup: workgroup.to_owned(),
            ..SessionOptions::default()
        })
    };
    for allowed in [user("ada", "dev", "ours"), user("bob", "analysts", "ours"), session("root", "ours")] {
        assert_eq!(instance.try_run_as(&allowed, "SELECT n FROM u").await?.lines(), ["7"]);
    }
    let eve = user("eve", "dev", "ours");
    let refused = failure(&instance, &eve, "SELECT n FROM u").await?;
    assert_eq!((refused.error.kind(), refused.report.state), (ErrorKind::Denied, QueryState::Failed));
    assert_eq!(refused.error.message(), "user \"eve\" may not use workgroup \"ours\"");
    let hint = refused.error.hint().unwrap_or_default();
    assert!(hint.contains("primary") && !hint.contains("ours"), "{hint}");
    let unknown = failure(&instance, &user("eve", "dev", "theirs"), "SELECT 1 AS x").await?;
    assert_eq!((unknown.error.kind(), unknown.error.message()), (ErrorKind::NotFound, "workgroup \"theirs\" does not exist"));
    // A session goes to another one by itself.
    instance.try_run_as(&eve, "SET SESSION workgroup = 'primary'").await?;
    assert_eq!(instance.try_run_as(&eve, "SELECT n FROM u").await?.lines(), ["7"]);
    let recorded = "SELECT workgroup, state FROM system.queries WHERE \"user\" = 'eve' AND statement LIKE '%FROM u' ORDER BY 1";
    assert_eq!(instance.run(recorded).await.lines(), ["ours|FAILED", "primary|SUCCEEDED"]);
    Ok(())
}
