//! How queries end that do not come to their end: by a cancel, by a client that goes away, by a deadline, and by a server that shuts down.

use std::time::Duration;

use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Any, ProstMessageExt},
};
use glaux_engine::{ErrorKind, accounting::RequestKind, query::QueryState};
use glaux_tests::{
    flight,
    lake::Lake,
    s3_endpoint::{Fault, Gate, S3Endpoint},
};
use libtest_mimic::{Failed, Trial};
use prost::Message;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{
    client::{Raw, on_s3, read, server, text, ticket},
    timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        cancelled_by_its_info,
        a_cancel_before_and_after,
        a_stream_that_is_dropped_ends_its_query,
        a_connection_that_is_closed_ends_its_query,
        a_deadline_ends_the_query,
        a_kill_and_a_timeout_are_no_cancel,
        joins_that_match_nothing_keep_nobody_waiting,
        signs_of_life_while_rows_are_waited_for,
        a_server_that_shuts_down_lets_queries_end,
        what_runs_beyond_the_end_of_the_server_is_aborted,
    ]
}

/// Rows without end, for all that a test waits.
const LONG: &str = "SELECT a.value AS x FROM generate_series(1, 10000) AS a CROSS JOIN generate_series(1, 10000) AS b \
                    CROSS JOIN generate_series(1, 10000) AS c";

/// Pairs for days, none of which is a row.
const FRUITLESS: &str = "SELECT count(*) AS n FROM generate_series(1, 10000000) AS a(x) CROSS JOIN generate_series(1, 10000000) AS b(y) \
                         WHERE x + y < 0";

/// A query whose files do not come.
const SUM: &str = "SELECT sum(n) AS s FROM t";

fn endpoint(lake: &Lake) -> &S3Endpoint {
    match lake {
        Lake::S3(endpoint) => endpoint,
        Lake::Folder(_) => unreachable!("this lake is on S3"),
    }
}

/// Every file that is read from now on is waited for.
fn hang(lake: &Lake) -> Gate {
    endpoint(lake).hang(Fault::on(RequestKind::Get).always())
}

async fn cancel_flight_info(raw: &mut Raw, info: &FlightInfo) -> Result<CancelStatus, tonic::Status> {
    let request = CancelFlightInfoRequest { info: Some(info.clone()) };
    let results = raw.action("CancelFlightInfo", request.encode_to_vec()).await?;
    let result = CancelFlightInfoResult::decode(results[0].clone()).expect("a result");
    Ok(CancelStatus::try_from(result.status).expect("a status"))
}

async fn cancel_query(raw: &mut Raw, info: &FlightInfo) -> Result<i32, tonic::Status> {
    let request = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    let results = raw.action("CancelQuery", request.as_any().encode_to_vec()).await?;
    let result: ActionCancelQueryResult =
        Any::decode(results[0].clone()).expect("a result").unpack().expect("a result").expect("a result");
    Ok(result.result)
}

async fn cancelled_by_its_info() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    for (at, way) in ["CancelFlightInfo", "CancelQuery"].into_iter().enumerate() {
        // One that streams rows, and one that waits for the store.
        for sql in [LONG, SUM] {
            let gate = (sql == SUM).then(|| hang(&lake));
            let (id, info, mut stream) = raw.begin(sql).await;
            stream.message().await?.ok_or("a schema")?;
            if let Some(gate) = &gate {
                gate.arrived().await;
            }
            let cancelled = match at {
                0 => cancel_flight_info(&mut raw, &info).await? == CancelStatus::Cancelled,
                _ => cancel_query(&mut raw, &info).await? == 1,
            };
            assert!(cancelled, "{way}: {sql}");
            let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
            assert_eq!(ended.code(), Code::Cancelled, "{way}: {sql}: {ended}");
            assert_eq!(text(ended.metadata(), "x-glaux-state"), "CANCELLED");
            assert_eq!(raw.state(&id).await, "CANCELLED", "{way}: {sql}");
            if let Some(gate) = gate {
                gate.release();
            }
            endpoint(&lake).clear_faults();
        }
    }
    Ok(())
}

async fn a_cancel_before_and_after() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    // Before it is fetched.
    let info = raw.info(LONG).await?;
    let metadata: serde_json::Value = serde_json::from_slice(&info.app_metadata)?;
    let id = metadata["query_id"].as_str().ok_or("an id")?;
    assert_eq!(cancel_flight_info(&mut raw, &info).await?, CancelStatus::Cancelled);
    assert_eq!(raw.get(ticket(&info.endpoint[0])).await.expect_err("it is refused").code(), Code::NotFound);
    assert_eq!(raw.state(id).await, "CANCELLED");
    // After its end, and after a cancel: it is not there any more, or not to be cancelled.
    let done = raw.info("SELECT 1 AS x").await?;
    raw.get(ticket(&done.endpoint[0])).await?;
    for info in [done, info] {
        match cancel_flight_info(&mut raw, &info).await {
            Ok(status) => assert_eq!(status, CancelStatus::NotCancellable),
            Err(refused) => assert_eq!(refused.code(), Code::NotFound, "{refused}"),
        }
    }
    Ok(())
}

async fn a_stream_that_is_dropped_ends_its_query() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let (id, _, mut stream) = raw.begin(LONG).await;
    for _ in 0..3 {
        stream.message().await?.ok_or("rows")?;
    }
    drop(stream);
    assert_eq!(raw.state(&id).await, "CANCELLED");

    let gate = hang(&lake);
    let (id, _, stream) = raw.begin(SUM).await;
    gate.arrived().await;
    drop(stream);
    assert_eq!(raw.state(&id).await, "CANCELLED");
    gate.release();
    endpoint(&lake).clear_faults();

    // Of several streams, one that is dropped ends the query for the others.
    assert_eq!(super::options::set(&mut raw, "parallel_endpoints", serde_json::json!(2)).await, None);
    let info = raw.info(LONG).await?;
    let (headers, mut first) = raw.open(ticket(&info.endpoint[0])).await?;
    let (_, mut second) = raw.open(ticket(&info.endpoint[1])).await?;
    first.message().await?.ok_or("a schema")?;
    second.message().await?.ok_or("a schema")?;
    drop(first);
    let ended = read(tonic::metadata::MetadataMap::new(), second).await.expect_err("it is refused");
    assert_eq!(ended.code(), Code::Cancelled, "{ended}");
    assert_eq!(raw.state(&text(&headers, "x-glaux-query-id")).await, "CANCELLED");
    Ok(())
}

async fn a_connection_that_is_closed_ends_its_query() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut other = Raw::login(&server, "bob").await;
    let mut raw = Raw::login(&server, "ada").await;
    let (long, _, mut stream) = raw.begin(LONG).await;
    stream.message().await?.ok_or("a schema")?;
    let gate = hang(&lake);
    let (waiting, _, still) = raw.begin(SUM).await;
    gate.arrived().await;
    drop((raw, stream, still));
    assert_eq!(other.state(&long).await, "CANCELLED");
    assert_eq!(other.state(&waiting).await, "CANCELLED");
    gate.release();
    Ok(())
}

/// The deadline goes over the wire: the server keeps it, whether or not the client hangs up.
async fn a_deadline_ends_the_query() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let gate = hang(&lake);
    let info = raw.info(SUM).await?;
    let planned: serde_json::Value = serde_json::from_slice(&info.app_metadata)?;
    let mut request = raw.request(ticket(&info.endpoint[0]));
    request.set_timeout(Duration::from_millis(1_500));
    // A slow machine may not have come as far as the headers by then.
    let ended = match raw.rpc.do_get(request).await.map(tonic::Response::into_parts) {
        Ok((headers, stream, _)) => read(headers, stream).await.expect_err("it is refused"),
        Err(refused) => refused,
    };
    assert!(matches!(ended.code(), Code::DeadlineExceeded | Code::Cancelled), "{ended}");
    assert_eq!(raw.state(planned["query_id"].as_str().ok_or("an id")?).await, "CANCELLED");
    gate.release();
    Ok(())
}

/// Clients take CANCELLED for a wish of their own: pyarrow makes a KeyboardInterrupt of it.
async fn a_kill_and_a_timeout_are_no_cancel() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let gate = endpoint(&lake).hang(Fault::on(RequestKind::Get).key("p=2").always());
    let (id, _, stream) = raw.begin(SUM).await;
    gate.arrived().await;
    let mut killer = Raw::login(&server, "ada").await;
    killer.lines(&format!("KILL QUERY '{id}'")).await;
    let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
    assert_eq!(ended.code(), Code::Aborted, "{ended}");
    assert_eq!(text(ended.metadata(), "x-glaux-error-kind"), "ABORTED");
    assert_eq!(text(ended.metadata(), "x-glaux-state"), "CANCELLED");
    assert_eq!(recorded(&mut killer, &id).await, "CANCELLED|ABORTED");

    assert_eq!(super::options::set(&mut raw, "timeout", serde_json::json!("300ms")).await, None);
    let (id, _, stream) = raw.begin(SUM).await;
    let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    assert_eq!(text(ended.metadata(), "x-glaux-error-kind"), "TIMED_OUT");
    assert_eq!(text(ended.metadata(), "x-glaux-state"), "FAILED");
    assert_eq!(recorded(&mut killer, &id).await, "FAILED|TIMED_OUT");
    gate.release();
    Ok(())
}

async fn joins_that_match_nothing_keep_nobody_waiting() -> Result<(), Failed> {
    let (server, _lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let mut joins = Vec::new();
    // More of them than there are threads to run them.
    for _ in 0..8 {
        let (id, _, stream) = raw.begin(FRUITLESS).await;
        joins.push((id, stream));
    }
    // A new connection, a statement that computes little, and one that reads a table.
    let mut other = Raw::login(&server, "bob").await;
    assert_eq!(other.lines("SELECT 1 AS one").await, ["1"]);
    assert_eq!(other.lines(SUM).await, ["2001000"]);
    for (id, stream) in joins {
        other.lines(&format!("KILL QUERY '{id}'")).await;
        let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
        assert_eq!(ended.code(), Code::Aborted, "{ended}");
    }
    assert_eq!(super::options::set(&mut raw, "timeout", serde_json::json!("300ms")).await, None);
    let (_, _, stream) = raw.begin(FRUITLESS).await;
    let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended}");
    Ok(())
}

/// State and kind of a query's end in the history.
async fn recorded(raw: &mut Raw, id: &str) -> String {
    raw.state(id).await;
    raw.lines(&format!("SELECT state, error_kind FROM system.queries WHERE query_id = '{id}'")).await.join("\n")
}

async fn signs_of_life_while_rows_are_waited_for() -> Result<(), Failed> {
    let (server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let gate = hang(&lake);
    let (_, _, mut stream) = raw.begin(SUM).await;
    let mut messages = vec![stream.message().await?.ok_or("a schema")?];
    gate.arrived().await;
    // Nothing can come but a sign of life: the store has not answered.
    let alive = stream.message().await?.ok_or("a sign of life")?;
    assert!(alive.app_metadata.is_empty());
    messages.push(alive);
    gate.release();
    endpoint(&lake).clear_faults();
    let rest = read(tonic::metadata::MetadataMap::new(), stream).await?;
    messages.extend(rest.messages);
    let whole = super::client::Read { messages, headers: rest.headers, trailers: rest.trailers };
    assert_eq!(whole.lines().await, ["2001000"]);
    assert_eq!(whole.figures()["state"], "SUCCEEDED");
    Ok(())
}

async fn a_server_that_shuts_down_lets_queries_end() -> Result<(), Failed> {
    let (mut server, lake) = on_s3().await;
    let mut health = HealthClient::new(flight::channel(&server).await);
    let mut raw = Raw::login(&server, "ada").await;
    let mut watched = health.watch(HealthCheckRequest::default()).await?.into_inner();
    let serving = watched.message().await?.ok_or("a status")?;
    assert_eq!(serving.status(), ServingStatus::Serving);

    let gate = hang(&lake);
    let (_, _, stream) = raw.begin(SUM).await;
    gate.arrived().await;
    server.terminate();
    let draining = watched.message().await?.ok_or("a status")?;
    assert_eq!(draining.status(), ServingStatus::NotServing);
    drop((watched, health));
    // New work is refused, on the connection that is there and on a new one. A call that meets the end of its connection half-way is
    // cancelled by the client itself, which tries again.
    loop {
        let refused = raw.info("SELECT 1 AS x").await.expect_err("it is refused");
        if refused.code() == Code::Unavailable {
            break;
        }
        assert!(refused.code() == Code::Cancelled && std::error::Error::source(&refused).is_some(), "{refused:?}");
    }
    assert!(flight::try_channel(&server).await.is_none(), "nobody listens any more");
    gate.release();
    endpoint(&lake).clear_faults();
    let read = read(tonic::metadata::MetadataMap::new(), stream).await?;
    assert_eq!(read.lines().await, ["2001000"]);
    assert_eq!(read.figures()["state"], "SUCCEEDED");
    drop(raw);
    let status = tokio::task::spawn_blocking(move || (server.wait(), server.log())).await?;
    assert!(status.0.success(), "{status:?}");
    Ok(())
}

async fn what_runs_beyond_the_end_of_the_server_is_aborted() -> Result<(), Failed> {
    let (mut server, lake) = on_s3().await;
    let mut raw = Raw::login(&server, "ada").await;
    let gate = hang(&lake);
    let (id, _, mut stream) = raw.begin(SUM).await;
    stream.message().await?.ok_or("a schema")?;
    gate.arrived().await;
    server.terminate();
    while raw.info("SELECT 1 AS x").await.is_ok() {}
    // The second signal does not wait any more.
    server.terminate();
    let ended = read(tonic::metadata::MetadataMap::new(), stream).await.expect_err("it is refused");
    assert_eq!(ended.code(), Code::Aborted, "{ended}");
    let (status, data) = tokio::task::spawn_blocking(move || {
        let status = server.wait();
        (status, server)
    })
    .await?;
    assert!(status.success(), "{status:?}");
    let history = glaux_engine::query::History::open(&data.data_dir())?;
    let record = history.get(id.parse()?).await?;
    assert_eq!((record.state, record.error_kind), (QueryState::Cancelled, Some(ErrorKind::Aborted)));
    gate.release();
    Ok(())
}
