//! The history as clients see it: what is asked of `system.queries` and `system.usage` is what is answered, however much of it SQLite does,
//! and a disk that is full loses nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::{
    ErrorKind,
    accounting::{Bill, Usd},
    query::{Ending, QueryId, QueryRecord, QueryState},
};
use glaux_tests::{flight::Client, instance::Instance, lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time!["history"; filters_orders_and_limits_are_exact, usage_is_filtered_by_all_its_columns];
    if cfg!(target_os = "linux") {
        trials.extend(crate::trials_in_time!["history"; a_full_disk_loses_no_query]);
    }
    trials
}

/// When the first of the made queries was submitted.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("the time exists")
}

/// Queries that never ran, some of them at the same time, more than one page holds.
fn made() -> Vec<QueryRecord> {
    let users = ["ada", "bob", "eve", "Ädam"];
    let made = |at: usize| {
        let (state, ending, error_kind) = match at % 5 {
            0 => (QueryState::Failed, Ending::Failed, Some(ErrorKind::NotFound)),
            1 => (QueryState::Cancelled, Ending::Aborted, Some(ErrorKind::Aborted)),
            _ => (QueryState::Succeeded, Ending::Succeeded, None),
        };
        let submitted_at = start() + TimeDelta::seconds((at / 3 * 977) as i64);
        let mut record = QueryRecord {
            state,
            user: users[at % users.len()].to_owned(),
            workgroup: format!("w{}", at % 7),
            database: "made".to_owned(),
            statement: format!("SELECT {at} AS x{}", "%_\\".repeat(at % 2)),
            fingerprint: (!at.is_multiple_of(3)).then_some(at as u64 % 50),
            ended_at: Some(submitted_at + TimeDelta::seconds(1)),
            ending: Some(ending),
            error_kind,
            bill: Bill { billed_bytes: at as u64, scan: Usd::from_atto(at as u128 * 1_000_000_000_000), ..Bill::default() },
            ..QueryRecord::received(QueryId::next(), submitted_at)
        };
        record.origin.root_id = at.is_multiple_of(2).then(|| format!("r{}", at % 11));
        record.usage.rows = at as u64;
        record
    };
    (0..700).map(made).collect()
}

async fn instance(made: &[QueryRecord]) -> Result<Instance, Failed> {
    let instance = Instance::start(Lake::in_folder()).await;
    for record in made {
        instance.engine.history().end(record.clone()).await?;
    }
    Ok(instance)
}

type Passes = fn(&QueryRecord) -> bool;

async fn filters_orders_and_limits_are_exact() -> Result<(), Failed> {
    let made = made();
    let instance = instance(&made).await?;
    let day = "TIMESTAMP '2023-11-16 00:00:00 UTC'";
    let since = |record: &QueryRecord| record.submitted_at.timestamp() >= 1_700_092_800;
    let conditions: [(String, Passes); 25] = [
        ("true".to_owned(), |_| true),
        ("\"user\" = 'ada'".to_owned(), |query| query.user == "ada"),
        ("\"user\" IN ('bob', 'nobody', 'Ädam')".to_owned(), |query| ["bob", "Ädam"].contains(&query.user.as_str())),
        ("\"user\" = 'ada' OR \"user\" = 'bob'".to_owned(), |query| ["ada", "bob"].contains(&query.user.as_str())),
        ("\"user\" <> 'ada'".to_owned(), |query| query.user != "ada"),
        ("\"user\" = 'ada' AND \"user\" = 'bob'".to_owned(), |_| false),
        ("\"user\" > 'bob'".to_owned(), |query| query.user.as_str() > "bob"),
        ("\"user\" BETWEEN 'b' AND 'eve'".to_owned(), |query| ("b"..="eve").contains(&query.user.as_str())),
        ("\"user\" LIKE 'Ä%'".to_owned(), |query| query.user.starts_with('Ä')),
        ("statement LIKE 'SELECT 10%'".to_owned(), |query| query.statement.starts_with("SELECT 10")),
        ("statement LIKE 'SELECT 1_ AS%'".to_owned(), |query| (10..20).contains(&query.usage.rows)),
        ("statement NOT LIKE 'SELECT 1%'".to_owned(), |query| !query.statement.starts_with("SELECT 1")),
        ("state = 'FAILED' AND workgroup = 'w3'".to_owned(), |query| {
            query.state == QueryState::Failed && query.workgroup == "w3"
        }),
        ("error_kind = 'ABORTED'".to_owned(), |query| query.error_kind == Some(ErrorKind::Aborted)),
        ("ending = 'aborted'".to_owned(), |query| query.ending == Some(Ending::Aborted)),
        ("rows >= 100 AND rows < 300".to_owned(), |query| (100..300).contains(&query.usage.rows)),
        ("rows BETWEEN 10 AND 20 OR rows = 30".to_owned(), |query| {
            (10..=20).contains(&query.usage.rows) || query.usage.rows == 30
        }),
        ("billed_bytes > 650.5".to_owned(), |query| query.bill.billed_bytes > 650),
        ("cost_usd > 0.0005 AND workgroup IN ('w1', 'w2')".to_owned(), |query| {
            query.usage.rows > 500 && ["w1", "w2"].contains(&query.workgroup.as_str())
        }),
        ("root_id = 'r4'".to_owned(), |query| query.origin.root_id.as_deref() == Some("r4")),
        ("root_id IS NULL AND state <> 'SUCCEEDED'".to_owned(), |query| {
            query.origin.root_id.is_none() && query.state != QueryState::Succeeded
        }),
        ("fingerprint IN ('000000000000002a', 'none')".to_owned(), |query| query.fingerprint == Some(42)),
        ("error_kind IS NULL".to_owned(), |query| query.error_kind.is_none()),
        (format!("submitted_at >= {day} AND rows % 2 = 0"), |query| {
            query.submitted_at.timestamp() >= 1_700_092_800 && query.usage.rows.is_multiple_of(2)
        }),
        (format!("submitted_at < {day} AND \"user\" = 'eve'"), |query| {
            query.submitted_at.timestamp() < 1_700_092_800 && query.user == "eve"
        }),
    ];
    assert!(made.iter().any(since) && !made.iter().all(since));
    for (condition, passes) in conditions {
        let mut expected: Vec<_> = made.iter().filter(|query| passes(query)).collect();
        expected.sort_by_key(|query| (query.submitted_at, query.query_id.to_string()));
        let rows = |rows: &[&QueryRecord]| rows.iter().map(|query| query.usage.rows.to_string()).collect::<Vec<_>>();
        let from = format!("FROM system.queries WHERE database = 'made' AND ({condition})");
        let all = instance.run(&format!("SELECT rows {from} ORDER BY submitted_at, query_id")).await;
        assert_eq!(all.lines(), rows(&expected), "{condition}");
        let count = instance.run(&format!("SELECT count(*) {from}")).await;
        assert_eq!(count.lines(), [expected.len().to_string()], "{condition}");
        // Rows of the same time come as they may: only times are compared.
        let times =
            |rows: Vec<&&QueryRecord>| rows.iter().map(|query| query.submitted_at.timestamp().to_string()).collect::<Vec<_>>();
        for (direction, expected) in
            [("ASC", times(expected.iter().take(70).collect())), ("DESC", times(expected.iter().rev().take(70).collect()))]
        {
            let sql =
                format!("SELECT CAST(to_unixtime(submitted_at) AS bigint) {from} ORDER BY submitted_at {direction} LIMIT 70");
            assert_eq!(instance.run(&sql).await.lines(), expected, "{sql}");
        }
        let few = instance.run(&format!("SELECT rows {from} LIMIT 5")).await;
        assert_eq!(few.lines().len(), expected.len().min(5), "{condition}");
    }
    Ok(())
}

async fn usage_is_filtered_by_all_its_columns() -> Result<(), Failed> {
    let made = made();
    let instance = instance(&made).await?;
    // The same before and after the older half is nothing but sums.
    for pruned in [0, made.len() / 2] {
        instance.engine.history().prune(made[pruned].submitted_at).await?;
        let conditions: [(&str, Passes); 4] = [
            ("true", |_| true),
            ("day >= DATE '2023-11-16' AND \"user\" IN ('ada', 'bob')", |query| {
                query.submitted_at.timestamp() >= 1_700_092_800 && ["ada", "bob"].contains(&query.user.as_str())
            }),
            ("day = DATE '2023-11-15' AND workgroup = 'w3'", |query| {
                (1_700_006_400..1_700_092_800).contains(&query.submitted_at.timestamp()) && query.workgroup == "w3"
            }),
            ("day < DATE '2023-11-15' AND workgroup LIKE 'w%'", |query| query.submitted_at.timestamp() < 1_700_006_400),
        ];
        for (condition, passes) in conditions {
            let sql = format!("SELECT sum(queries) FROM system.usage WHERE database = 'made' AND {condition}");
            let expected = made.iter().filter(|query| passes(query)).count();
            assert!(expected > 0, "{condition}");
            assert_eq!(instance.run(&sql).await.lines(), [expected.to_string()], "{sql}, {pruned} pruned");
        }
    }
    Ok(())
}

/// Status and body of an answer to GET.
fn get(address: &str, path: &str) -> Result<(String, String), Failed> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: glaux\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    Ok((head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned()))
}

async fn a_full_disk_loses_no_query() -> Result<(), Failed> {
    let server = Server::start(None, "[engine.history]\nmax_waiting = 60\n");
    let mut client = Client::login(&server, "ada", "").await?;
    assert_eq!(get(server.http(), "/readyz")?.0, "200");
    // What a full disk does: no file may grow.
    server.limit_files(Some(1));
    let mut answered = 0;
    let refused = loop {
        match client.run(&format!("SELECT {answered} AS answered")).await {
            Ok(fetched) => assert_eq!(fetched.lines(), [answered.to_string()]),
            Err(refused) => break refused,
        }
        answered += 1;
        let (status, body) = get(server.http(), "/readyz")?;
        assert_eq!(status, "503", "after {answered}: {body}");
        assert!(body.contains("wait to be written to the history"), "{body}");
    };
    assert_eq!(answered, 60, "{refused}");
    assert_eq!(get(server.http(), "/healthz")?.0, "200");
    assert!(refused.to_string().contains("new statements are refused"), "{refused}");

    server.limit_files(None);
    while get(server.http(), "/readyz")?.0 != "200" {
        tokio::task::yield_now().await;
    }
    let sql = "SELECT count(*) FROM system.queries WHERE statement LIKE '% AS answered' AND state = 'SUCCEEDED'";
    assert_eq!(client.run(sql).await?.lines(), [answered.to_string()]);
    Ok(())
}
