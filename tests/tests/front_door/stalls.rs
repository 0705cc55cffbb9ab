//! Stores that hang: what stalls is asked for again, as what breaks off is, and whoever waits for one store keeps nobody else out.

use std::sync::Arc;

use glaux_engine::{ErrorKind, Session, SessionOptions, accounting::RequestKind, query::QueryState};
use glaux_tests::{
    instance::{Instance, Outcome},
    lake::Lake,
    s3_endpoint::{Action, Fault, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "stalls";
        a_first_byte_that_does_not_come_is_asked_for_again,
        a_body_that_stalls_is_asked_for_again,
        a_listing_that_stalls_is_asked_for_again,
        a_slow_answer_is_no_stalled_one,
        a_store_that_stays_silent_fails_the_query,
        what_scans_nothing_needs_no_place,
        one_users_hanging_queries_leave_places_for_others,
        requests_that_hang_leave_some_to_every_query,
    ]
}

/// A table `t` of two partitions, 1 to 1000 and 1001 to 2000, and a table `u` with one row.
async fn instance(stall_ms: u64) -> Instance {
    let change = move |options: &mut glaux_engine::EngineOptions| {
        options.storage.defaults.stall_timeout_ms = Some(stall_ms);
        options.storage.defaults.max_retries = Some(2);
    };
    let instance = Instance::start_with(Lake::on_s3().await, change).await;
    instance.write("t/p=1/a.parquet", "SELECT value AS n FROM generate_series(1, 1000)").await;
    instance.write("t/p=2/a.parquet", "SELECT value AS n FROM generate_series(1001, 2000)").await;
    instance.write("u/a.parquet", "SELECT 7 AS n").await;
    instance.run("CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (p INT) STORED AS PARQUET LOCATION '{lake}/t/'").await;
    instance.run("CREATE EXTERNAL TABLE u (n INT) STORED AS PARQUET LOCATION '{lake}/u/'").await;
    instance.run("MSCK REPAIR TABLE t").await;
    instance
}

fn endpoint(instance: &Instance) -> &S3Endpoint {
    match &instance.lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => unreachable!("these lakes are on S3"),
    }
}

/// Whether the figures are the store's.
fn check(outcome: &Outcome, log: &[glaux_tests::s3_endpoint::Request]) {
    let usage = &outcome.report.usage;
    let of = |kind| log.iter().filter(|request| request.kind == kind).count() as u64;
    let sent: u64 = log.iter().filter(|request| request.kind == RequestKind::Get).map(|request| request.bytes_sent).sum();
    let expected = (of(RequestKind::Get), of(RequestKind::List), sent);
    assert_eq!((usage.requests.get, usage.requests.list, usage.fetched_bytes), expected, "{log:?}");
}

const SUM: &str = "SELECT sum(n) AS s FROM t";

async fn a_first_byte_that_does_not_come_is_asked_for_again() -> Result<(), Failed> {
    let instance = instance(200).await;
    drop(endpoint(&instance).take_log());
    // Never released: only giving it up goes on.
    let _gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("p=2"));
    let outcome = instance.run(SUM).await;
    assert_eq!(outcome.lines(), ["2001000"]);
    let log = endpoint(&instance).take_log();
    assert_eq!(log.iter().filter(|request| request.status == 0).count(), 1, "{log:?}");
    check(&outcome, &log);
    Ok(())
}

async fn a_body_that_stalls_is_asked_for_again() -> Result<(), Failed> {
    let instance = instance(200).await;
    drop(endpoint(&instance).take_log());
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=1").action(Action::Stall(100)));
    let outcome = instance.run(SUM).await;
    assert_eq!(outcome.lines(), ["2001000"]);
    let log = endpoint(&instance).take_log();
    assert!(log.iter().any(|request| request.bytes_sent == 100), "the part that arrived counts too: {log:?}");
    check(&outcome, &log);
    Ok(())
}

async fn a_listing_that_stalls_is_asked_for_again() -> Result<(), Failed> {
    let instance = instance(200).await;
    instance.write("t/p=3/a.parquet", "SELECT 7 AS n").await;
    for action in [Action::Hang(glaux_tests::s3_endpoint::Gate::default()), Action::Stall(50)] {
        drop(endpoint(&instance).take_log());
        endpoint(&instance).fail(Fault::on(RequestKind::List).action(action.clone()));
        let outcome = instance.run("MSCK REPAIR TABLE t").await;
        let asked = endpoint(&instance).take_log().len() as u64;
        assert_eq!((outcome.report.usage.requests.list, outcome.report.usage.requests.total()), (asked, asked), "{action:?}");
    }
    assert_eq!(instance.run("SELECT sum(n) AS s FROM t WHERE p = 3").await.lines(), ["7"]);
    Ok(())
}

async fn a_slow_answer_is_no_stalled_one() -> Result<(), Failed> {
    let instance = instance(500).await;
    drop(endpoint(&instance).take_log());
    // All of it takes longer than a stall may, no pause does.
    let slow = Action::SlowBody { piece: 300, pause: std::time::Duration::from_millis(50) };
    endpoint(&instance).fail(Fault::on(RequestKind::Get).key("p=1").always().action(slow));
    let outcome = instance.run("SELECT sum(n) AS s FROM t WHERE p = 1").await;
    assert_eq!(outcome.lines(), ["500500"]);
    let log = endpoint(&instance).take_log();
    assert!(log.iter().map(|request| request.bytes_sent).max() > Some(3_000), "{log:?}");
    check(&outcome, &log);
    Ok(())
}

async fn a_store_that_stays_silent_fails_the_query() -> Result<(), Failed> {
    let instance = instance(100).await;
    let _gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("p=2").always());
    let failure = instance.try_run(SUM).await.err().ok_or("it succeeds")?;
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Unavailable, QueryState::Failed));
    assert!(failure.error.message().contains("does not answer in time"), "{:?}", failure.error);
    Ok(())
}

fn session(user: &str) -> Session {
    Session::new(SessionOptions { user: user.to_owned(), ..SessionOptions::default() })
}

/// So many queries of ada's that hang; those that wait for a place too.
async fn hang(instance: &Arc<Instance>, queries: usize, running: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let tasks: Vec<_> = (0..queries)
        .map(|_| {
            let instance = Arc::clone(instance);
            tokio::spawn(async move {
                let ended = instance.try_run_as(&session("ada"), SUM).await;
                assert_eq!(ended.map(|_| ()).map_err(|failure| failure.error.kind()), Err(ErrorKind::Aborted));
            })
        })
        .collect();
    loop {
        let states: Vec<_> = instance.engine.queries().list_running().iter().map(|query| query.state).collect();
        let count = |state| states.iter().filter(|found| **found == state).count();
        if (count(QueryState::Running), count(QueryState::Queued)) == (running, queries - running) {
            return tasks;
        }
        tokio::task::yield_now().await;
    }
}

/// Ends what hangs.
async fn release(instance: &Instance, tasks: Vec<tokio::task::JoinHandle<()>>) -> Result<(), Failed> {
    for query in instance.engine.queries().list_running() {
        // One that waits may have begun by now; none has ended.
        instance.engine.queries().kill(query.query_id, "the test").await?;
    }
    for task in tasks {
        task.await?;
    }
    Ok(())
}

async fn what_scans_nothing_needs_no_place() -> Result<(), Failed> {
    let instance = Arc::new(instance(60_000).await);
    let _gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("t/").always());
    let tasks = hang(&instance, 16, 14).await;
    // The same user's.
    let ada = session("ada");
    for sql in [
        "SELECT 1 AS x",
        "VALUES (1), (2)",
        "SELECT count(*) AS c FROM system.queries WHERE state = 'RUNNING'",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'default' ORDER BY 1",
        "SELECT * FROM \"t$partitions\"",
        "SHOW TABLES",
        "EXPLAIN SELECT sum(n) FROM t",
    ] {
        let outcome = instance.try_run_as(&ada, sql).await?;
        assert_eq!(outcome.report.state, QueryState::Succeeded, "{sql}");
    }
    release(&instance, tasks).await
}

async fn one_users_hanging_queries_leave_places_for_others() -> Result<(), Failed> {
    let instance = Arc::new(instance(60_000).await);
    let _gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("t/").always());
    let tasks = hang(&instance, 20, 14).await;
    for user in ["bob", "eve", "bob"] {
        assert_eq!(instance.try_run_as(&session(user), "SELECT n FROM u").await?.lines(), ["7"]);
    }
    release(&instance, tasks).await
}

async fn requests_that_hang_leave_some_to_every_query() -> Result<(), Failed> {
    let few = |options: &mut glaux_engine::EngineOptions| options.fetch.requests = 2;
    let instance = Arc::new(instance(60_000).await.restart_with(few).await);
    let gate = endpoint(&instance).hang(Fault::on(RequestKind::Get).key("t/").always());
    let tasks = hang(&instance, 3, 3).await;
    for _ in 0..4 {
        gate.arrived().await;
    }
    assert_eq!(instance.try_run_as(&session("bob"), "SELECT n FROM u").await?.lines(), ["7"]);
    release(&instance, tasks).await
}
