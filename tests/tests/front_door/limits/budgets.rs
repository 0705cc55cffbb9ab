//! Budgets: sixteen clients exceed none, they are known after restarts and kills, and a hook that hangs delays no query. A query costs at least
//! 50 millionths of a USD.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use glaux_engine::{ErrorKind, accounting::Usd, config::HookOptions, query::QueryState};
use glaux_tests::{flight::Client, instance::Instance, lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{ALL, CLIENTS, SOME, SUM, at_once, begin, failure, session, table, wide};
use crate::scan::{SMALL, put};

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "limits";
        a_budget_holds_for_sixteen_clients_and_is_known_after_a_restart,
        queries_end_where_their_budget_does,
        a_budget_holds_over_the_kill_of_a_server,
        a_hook_that_hangs_delays_no_query,
    ]
}

/// What the queries of workgroup `bi` have cost, in millionths of a USD.
const SPENT: &str =
    "SELECT CAST(round(CAST(sum(cost_usd) AS double) * 1000000) AS bigint) FROM system.queries WHERE workgroup = 'bi'";

async fn spent(instance: &Instance) -> Result<u64, Failed> {
    let lines = instance.run(SPENT).await.lines();
    Ok(lines.first().ok_or("no sum")?.parse()?)
}

async fn a_budget_holds_for_sixteen_clients_and_is_known_after_a_restart() -> Result<(), Failed> {
    let instance = table().await;
    // For twenty queries.
    instance.run("CREATE WORKGROUP bi WITH (budget_per_day_usd = 0.001, budget_per_month_usd = 1)").await;
    let user = |at: usize| session(&format!("user {}", at % CLIENTS), "bi");
    let running: Vec<_> = (0..3 * CLIENTS).map(|at| begin(&instance, user(at), SUM)).collect();
    let mut answered = 0;
    for task in running {
        match task.await? {
            Ok(outcome) => {
                assert_eq!(outcome.lines(), ["500500"]);
                answered += 1;
            }
            Err(failure) => {
                assert_eq!(failure.error.kind(), ErrorKind::LimitExceeded);
                assert!(failure.error.message().starts_with("the budget of workgroup \"bi\" for 2025-06-15 is used up"));
                assert_eq!(failure.report.bill.total(), Usd::ZERO);
            }
        }
    }
    println!("budget of 1000 millionths: {} were spent by {answered} of {} queries", spent(&instance).await?, 3 * CLIENTS);
    assert_eq!((answered, spent(&instance).await?), (20, 1000));

    let instance = Arc::into_inner(instance).ok_or("all queries have ended")?.restart_with(|_| {}).await;
    let bi = session("ada", "bi");
    let refused = failure(&instance, &bi, SUM).await?;
    assert_eq!((refused.error.kind(), refused.report.state), (ErrorKind::LimitExceeded, QueryState::Failed));
    assert!(refused.error.message().ends_with("is used up: 0.001 of 0.001 USD are spent"), "{:?}", refused.error);
    // What scans nothing goes on, and so do others.
    instance.try_run_as(&bi, "SELECT count(*) AS c FROM system.queries").await?;
    instance.try_run_as(&bi, "SHOW TABLES").await?;
    assert_eq!(instance.run(SUM).await.lines(), ["500500"]);
    Ok(())
}

async fn queries_end_where_their_budget_does() -> Result<(), Failed> {
    let instance = wide().await;
    // For 80 MB; the clients want 16 times 20 MB.
    instance.run("CREATE WORKGROUP bi WITH (budget_per_month_usd = 0.0004)").await;
    for ended in at_once(&instance, "bi", ALL).await? {
        if let Err(failure) = ended {
            assert_eq!(failure.error.kind(), ErrorKind::LimitExceeded, "{:?}", failure.error);
            assert!(failure.error.message().contains("for 2025-06"), "{:?}", failure.error);
        }
    }
    let spent = spent(&instance).await?;
    println!("budget of 400 millionths: {spent} were spent by {CLIENTS} queries that wanted more");
    assert!((200..=400).contains(&spent), "{spent}");
    // A warning alone ends nothing.
    instance.run("CREATE WORKGROUP soft WITH (budget_per_month_usd = 0.0001, budget_hard_stop = false)").await;
    for _ in 0..3 {
        instance.try_run_as(&session("ada", "soft"), SOME).await?;
    }
    Ok(())
}

async fn a_budget_holds_over_the_kill_of_a_server() -> Result<(), Failed> {
    let lake = Lake::in_folder();
    put(&lake, "t/a.parquet", 0..SMALL, "");
    let server = Server::start(Some(&lake), "");
    let mut admin = Client::login(&server, "ada", "").await?;
    let columns = "id BIGINT, word STRING, x DOUBLE, n BIGINT";
    let table = format!("CREATE EXTERNAL TABLE t ({columns}) STORED AS PARQUET LOCATION '{{lake}}/t/'");
    admin.run(&lake.expand(&table)).await?;
    // For 60 queries.
    admin.run("CREATE WORKGROUP bi WITH (budget_per_month_usd = 0.003)").await?;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for client in 0..CLIENTS {
        let mut client = Client::login(&server, &format!("user{client}"), "").await?;
        let answered = Arc::clone(&answered);
        tasks.push(tokio::spawn(async move {
            if client.run("SET SESSION workgroup = 'bi'").await.is_ok() {
                while client.run("SELECT sum(id) AS s FROM t").await.is_ok() {
                    answered.fetch_add(1, Relaxed);
                }
            }
        }));
    }
    while answered.load(Relaxed) < CLIENTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let server = tokio::task::spawn_blocking(move || server.restart()).await?;
    for task in tasks {
        task.await?;
    }
    let before = answered.load(Relaxed);
    let mut client = Client::login(&server, "ada", "").await?;
    client.run("SET SESSION workgroup = 'bi'").await?;
    let mut after = 0;
    let refused = loop {
        match client.run("SELECT sum(id) AS s FROM t").await {
            Ok(_) => after += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.kind, "LIMIT_EXCEEDED");
    assert!(refused.message.contains("is used up: 0.003 of 0.003 USD are spent"), "{refused}");
    println!("budget for 60 queries: {before} were answered before the kill, {after} after it");
    assert!(before >= CLIENTS && before + after <= 60, "{before} and {after}");
    assert_eq!(client.run(SPENT).await?.lines(), ["3000"]);
    Ok(())
}

async fn a_hook_that_hangs_delays_no_query() -> Result<(), Failed> {
    // Reads what it is sent, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/budget", listener.local_addr()?);
    // Whoever waited for it would wait for longer than a trial may take.
    let hook = HookOptions { url: Some(url), command: Vec::new(), timeout: Duration::from_secs(3600) };
    let instance = table().await;
    let instance = Arc::into_inner(instance).ok_or("nothing runs")?;
    let instance = instance.restart_with(|options| _ = options.hooks.insert("alert".to_owned(), hook)).await;
    let budget = "budget_per_day_usd = 0.0002, budget_warning_levels = ARRAY[50, 75]";
    instance.run(&format!("CREATE WORKGROUP bi WITH ({budget}, hook = 'alert')")).await;
    let bi = session("ada", "bi");
    for _ in 0..2 {
        instance.try_run_as(&bi, SUM).await?;
    }
    let (mut connection, _) = listener.accept().await?;
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        assert!(connection.read_buf(&mut request).await? > 0, "the request ends early");
    }
    // It is being called, and stays so.
    for _ in 0..2 {
        instance.try_run_as(&bi, SUM).await?;
    }
    let refused = failure(&instance, &bi, SUM).await?;
    assert!(refused.error.message().ends_with("is used up: 0.0002 of 0.0002 USD are spent"), "{:?}", refused.error);
    let request = String::from_utf8(request)?;
    assert!(request.starts_with("POST /budget HTTP/1.1\r\n"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").ok_or("no body")?;
    let document: Value = serde_json::from_str(body)?;
    let told = ["event", "workgroup", "period", "begins", "budget_usd", "spent_usd"].map(|key| document[key].as_str());
    let expected = ["budget_warning", "bi", "day", "2025-06-15", "0.0002", "0.0001"].map(Some);
    assert_eq!((told, document["level_percent"].as_u64()), (expected, Some(50)));
    // Otherwise the engine waits a moment for the calls.
    drop((connection, listener));
    Ok(())
}
