//! Floods by one user while another works undisturbed: more results, sessions, prepared statements, connections and logins than are allowed.
//! The limits are small here, so that a few show what thousands do.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use glaux_tests::{
    flight::{Client, KIND, channel},
    lake::Lake,
    server::Server,
};
use http_body_util::StreamBody;
use hyper::body::Frame;
use libtest_mimic::{Failed, Trial};
use tokio::task::JoinSet;
use tonic::{Code, Status, body::Body, client::GrpcService, transport::Channel};

use super::{
    client::{Raw, ticket},
    options, timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        planned_results_give_way_to_newer_ones_of_the_same_session,
        clients_without_a_session_have_their_connections,
        a_users_sessions_share_what_a_user_may_hold,
        statements_that_are_carried_out_lock_out_nobody,
        results_go_with_their_session_and_soon_after_their_connection,
        sessions_give_way_to_newer_ones_of_the_same_user,
        prepared_statements_give_way_the_longest_idle_first,
        connections_that_are_not_used_keep_nobody_out,
        half_a_request_of_http_keeps_nobody_out_and_ends_in_time,
        half_a_request_of_flight_keeps_nobody_out,
        half_a_request_of_flight_ends_in_time,
        guesses_wait_and_those_who_work_do_not,
    ]
}

fn server(config: &str) -> (Server, Lake) {
    let lake = Lake::in_folder();
    (Server::start(Some(&lake), config), lake)
}

/// An answer of the HTTP port.
fn http(server: &Server, path: &str) -> Result<String, Failed> {
    let mut connection = TcpStream::connect(server.http())?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A metric as it is now.
fn metric(server: &Server, name: &str) -> Result<f64, Failed> {
    let metrics = http(server, "/metrics")?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.ok_or_else(|| format!("{name} is not among the metrics"))?.parse()?)
}

/// Waits until a metric is as it should be.
async fn becomes(server: &Server, name: &str, wanted: f64) -> Result<(), Failed> {
    while metric(server, name)? != wanted {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn planned_results_give_way_to_newer_ones_of_the_same_session() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_held_statements = 3\nmax_held_statements_per_user = 100\n");
    let mut ada = Raw::login(&server, "ada").await;
    let mut same_name = Raw::login(&server, "mallory").await;
    let (first, second) = (ada.info("SELECT 'ada' AS x").await?, same_name.info("SELECT 'same name' AS x").await?);
    let mut mallory = Raw::login(&server, "mallory").await;
    let mut flood = Vec::new();
    for number in 0..10 {
        flood.push(mallory.info(&format!("SELECT {number} AS x")).await?);
    }
    assert_eq!(metric(&server, "glaux_held_statements")?, 5.0);
    for info in &flood[..7] {
        let refused = mallory.get(ticket(&info.endpoint[0])).await.expect_err("it is refused");
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
        assert!(refused.message().contains("dropped for newer ones: at most 3 results of one session"), "{refused}");
        assert!(refused.message().contains("flight.max_held_statements "), "{refused}");
    }
    for (number, info) in flood.iter().enumerate().skip(7) {
        assert_eq!(mallory.get(ticket(&info.endpoint[0])).await?.lines().await, [number.to_string()]);
    }
    assert_eq!(ada.get(ticket(&first.endpoint[0])).await?.lines().await, ["ada"]);
    assert_eq!(same_name.get(ticket(&second.endpoint[0])).await?.lines().await, ["same name"]);
    // What was displaced has ended.
    let displaced: serde_json::Value = serde_json::from_slice(&flood[0].app_metadata)?;
    assert_eq!(mallory.state(displaced["query_id"].as_str().ok_or("an id")?).await, "CANCELLED");
    Ok(())
}

/// A client that keeps neither token nor cookie.
async fn forgetful(server: &Server) -> Raw {
    let client = Client::anonymous(server).await;
    Raw { rpc: client.sql.inner().clone(), client }
}

async fn clients_without_a_session_have_their_connections() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_held_statements = 3\nmax_prepared_statements = 3\n");
    let (mut one, mut other) = (forgetful(&server).await, forgetful(&server).await);
    let info = one.info("SELECT 'one' AS x").await?;
    let mut prepared = one.client.sql.prepare("SELECT 'prepared' AS x".to_owned(), None).await?;
    let mut flood = Vec::new();
    for _ in 0..5 {
        flood.push(other.info("SELECT 'other' AS x").await?);
        other.client.sql.prepare("SELECT 'other' AS x".to_owned(), None).await?;
    }
    let refused = other.get(ticket(&flood[0].endpoint[0])).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert_eq!(other.get(ticket(&flood[4].endpoint[0])).await?.lines().await, ["other"]);
    assert_eq!(one.get(ticket(&info.endpoint[0])).await?.lines().await, ["one"]);
    let info = prepared.execute().await?;
    assert_eq!(one.get(ticket(&info.endpoint[0])).await?.lines().await, ["prepared"]);
    Ok(())
}

async fn a_users_sessions_share_what_a_user_may_hold() -> Result<(), Failed> {
    let (server, _lake) =
        server("[flight]\nmax_held_statements = 2\nmax_held_statements_per_user = 4\nmax_held_statements_total = 6\n");
    let mut ada = Raw::login(&server, "ada").await;
    let info = ada.info("SELECT 'ada' AS x").await?;
    let (mut sessions, mut flood) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let mut mallory = Raw::login(&server, "mallory").await;
        flood.push(mallory.info(&format!("SELECT {number} AS x")).await?);
        sessions.push(mallory);
    }
    assert_eq!(metric(&server, "glaux_held_statements")?, 5.0);
    let refused = sessions[0].get(ticket(&flood[0].endpoint[0])).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert!(refused.message().contains("4 results of one user") && refused.message().contains("_per_user"), "{refused}");
    assert_eq!(ada.get(ticket(&info.endpoint[0])).await?.lines().await, ["ada"]);
    Ok(())
}

async fn statements_that_are_carried_out_lock_out_nobody() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_held_statements = 2\nmax_held_statements_per_user = 2\n");
    let mut raw = Raw::login(&server, "ada").await;
    for number in 0..6 {
        raw.info(&format!("CREATE DATABASE d{number}")).await?;
    }
    assert_eq!(raw.lines("SHOW DATABASES LIKE 'd0|d5'").await, ["d0", "d5"]);
    // Answers that were fetched may be fetched again, and make room first.
    let waiting = raw.info("SELECT 'waiting' AS x").await?;
    for _ in 0..4 {
        assert_eq!(raw.run("SHOW DATABASES LIKE 'd1'").await?.lines().await, ["d1"]);
    }
    assert_eq!(raw.get(ticket(&waiting.endpoint[0])).await?.lines().await, ["waiting"]);
    Ok(())
}

async fn results_go_with_their_session_and_soon_after_their_connection() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\norphan_lifetime = \"0s\"\n");
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    raw.info("SELECT 2 AS x").await?;
    raw.action("CloseSession", Vec::new()).await?;
    assert_eq!(metric(&server, "glaux_held_statements")?, 0.0);
    assert_eq!(raw.get(ticket(&info.endpoint[0])).await.expect_err("it is refused").code(), Code::NotFound);
    let mut other = Raw::login(&server, "ada").await;
    for _ in 0..3 {
        other.info("SELECT 3 AS x").await?;
    }
    let mut forgetful = forgetful(&server).await;
    forgetful.info("SELECT 4 AS x").await?;
    assert_eq!(metric(&server, "glaux_held_statements")?, 4.0);
    drop((other, forgetful));
    becomes(&server, "glaux_held_statements", 0.0).await?;
    assert_eq!(raw.run("SELECT 5 AS x").await?.lines().await, ["5"]);
    Ok(())
}

async fn sessions_give_way_to_newer_ones_of_the_same_user() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_sessions_per_user = 3\nmax_sessions = 6\n");
    let mut ada = Raw::login(&server, "ada").await;
    ada.run("CREATE DATABASE mine").await?;
    ada.run("USE mine").await?;
    let mut first = Raw::login(&server, "mallory").await;
    first.run("USE mine").await?;
    let mut bare = Raw::login(&server, "mallory").await;
    assert_eq!(bare.lines("SELECT 'bare' AS x").await, ["bare"]);
    for _ in 0..8 {
        let mut mallory = Raw::login(&server, "mallory").await;
        mallory.run("USE mine").await?;
    }
    assert_eq!(metric(&server, "glaux_sessions")?, 4.0);
    assert_eq!(options::get(&mut ada).await["schema"], "mine");
    // In another database its client would be wrong without knowing; with nothing set, nothing is lost.
    let refused = first.run("SELECT 1 AS x").await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    assert!(
        refused.message().contains("ended for newer ones: there may be at most 3 (flight.max_sessions_per_user)"),
        "{refused}"
    );
    assert_eq!(bare.lines("SELECT 'bare' AS x").await, ["bare"]);
    Ok(())
}

async fn prepared_statements_give_way_the_longest_idle_first() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_prepared_statements = 3\nmax_prepared_statements_per_user = 4\n");
    let mut ada = Client::login(&server, "ada", "").await?;
    let mut of_ada = ada.sql.prepare("SELECT 'ada' AS x".to_owned(), None).await?;
    let mut mallory = Client::login(&server, "mallory", "").await?;
    let mut used = mallory.sql.prepare("SELECT 'used' AS x".to_owned(), None).await?;
    let mut idle = mallory.sql.prepare("SELECT 'idle' AS x".to_owned(), None).await?;
    // As a driver that prepares for each execution and closes none.
    for number in 0..10 {
        let mut next = mallory.sql.prepare(format!("SELECT {number} AS x"), None).await?;
        let info = next.execute().await?;
        assert_eq!(mallory.fetch(info).await?.lines(), [number.to_string()]);
        used.execute().await?;
    }
    let refused = Status::from(idle.execute().await.expect_err("it is refused"));
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    assert!(refused.message().contains("one session may have at most 3 (flight.max_prepared_statements)"), "{refused}");
    let info = of_ada.execute().await?;
    assert_eq!(ada.fetch(info).await?.lines(), ["ada"]);
    Ok(())
}

async fn connections_that_are_not_used_keep_nobody_out() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_connections = 8\n");
    let mut ada = Raw::login(&server, "ada").await;
    let long = "SELECT a.value AS x FROM generate_series(1, 100000) AS a CROSS JOIN generate_series(1, 100000) AS b";
    let (_, _, mut stream) = ada.begin(long).await;
    stream.message().await?.ok_or("a schema")?;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Silent ones, half a preface, and connections on which nothing is asked.
    let begun: [&[u8]; 3] = [b"", &preface[..10], &[&preface[..], &settings].concat()];
    let mut flood = Vec::new();
    for number in 0..60 {
        let mut connection = TcpStream::connect(server.flight())?;
        connection.write_all(begun[number % 3])?;
        flood.push(connection);
        if number % 20 == 19 {
            let mut next = Raw::login(&server, "bea").await;
            assert_eq!(next.lines("SELECT 1 AS x").await, ["1"]);
        }
    }
    // Whose call runs has kept the connection.
    stream.message().await?.ok_or("rows")?;
    let mut again = Vec::new();
    flood[0].read_to_end(&mut again).ok();
    assert!(metric(&server, "glaux_connections_displaced_total")? >= 50.0);
    Ok(())
}

async fn half_a_request_of_http_keeps_nobody_out_and_ends_in_time() -> Result<(), Failed> {
    let (server, _lake) = server("[server]\nhttp_max_connections = 4\nhttp_header_timeout = \"1s\"\n");
    let half: [&[u8]; 4] =
        [b"G", b"GET /metrics HTTP/1.1\r\nHost: x\r\n", b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"];
    let mut flood = Vec::new();
    for number in 0..40 {
        let mut connection = TcpStream::connect(server.http())?;
        connection.write_all(half[number % half.len()])?;
        flood.push(connection);
        if number % 10 == 9 {
            assert!(http(&server, "/healthz")?.starts_with("HTTP/1.1 200"));
        }
    }
    drop(flood);
    for half in half {
        let mut connection = TcpStream::connect(server.http())?;
        connection.write_all(half)?;
        let mut answer = Vec::new();
        // Ends without a word more of the client's.
        connection.read_to_end(&mut answer).ok();
        let refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 4");
        assert!(refused, "{}", String::from_utf8_lossy(&answer));
    }
    assert!(http(&server, "/readyz")?.starts_with("HTTP/1.1 200"));
    Ok(())
}

/// Calls GetFlightInfo with a request that begins with these bytes and does not go on; gives the code and the kind that it ends with.
async fn half_a_call(mut channel: Channel, bytes: Vec<u8>) -> Result<(String, String), Failed> {
    let sent = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from(bytes)))]);
    let request = http::Request::post("http://glaux/arrow.flight.protocol.FlightService/GetFlightInfo")
        .version(http::Version::HTTP_2)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(sent.chain(stream::pending()))))?;
    std::future::poll_fn(|context| GrpcService::<Body>::poll_ready(&mut channel, context)).await?;
    let answer = GrpcService::call(&mut channel, request).await?;
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Ok((header("grpc-status"), header(KIND)))
}

async fn half_a_request_of_flight_keeps_nobody_out() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nmax_message_bytes = 65536\n");
    let half = [&[0][..], &60_000_u32.to_be_bytes(), &[7; 20_000]].concat();
    let mut flood = JoinSet::new();
    for _ in 0..5 {
        let channel = channel(&server).await;
        for _ in 0..3 {
            flood.spawn(half_a_call(channel.clone(), half.clone()));
        }
    }
    // One address has room for nine of them, which are three messages of the largest.
    for _ in 0..6 {
        let (code, kind) = flood.join_next().await.ok_or("a call")???;
        assert_eq!((code.as_str(), kind.as_str()), ("8", "LIMIT_EXCEEDED"));
    }
    // From the same address, and more than there is room for.
    let mut ada = Raw::login(&server, "ada").await;
    let sql = format!("SELECT length('{}') AS n", "a".repeat(30_000));
    for _ in 0..5 {
        assert_eq!(ada.lines(&sql).await, ["30000"]);
    }
    Ok(())
}

async fn half_a_request_of_flight_ends_in_time() -> Result<(), Failed> {
    let (server, _lake) = server("[flight]\nrequest_timeout = \"1s\"\n");
    let head = [0, 0, 0, 0, 100];
    let whole = [0, 0, 0, 0, 0];
    // Less than a head, a part of a message, and all of it without its end.
    for begun in [head[..3].to_vec(), [&head[..], b"xyz"].concat(), whole.to_vec()] {
        let (code, kind) = half_a_call(channel(&server).await, begun).await?;
        assert_eq!((code.as_str(), kind.as_str()), ("4", "TIMED_OUT"));
    }
    let mut ada = Raw::login(&server, "ada").await;
    assert_eq!(ada.lines("SELECT 1 AS x").await, ["1"]);
    Ok(())
}

/// Argon2id of "right password" at the least cost, so that what is tested is not how long a hash takes.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$Zmxvb2RzIG9mIGxvZ2lucw$m2r0XwfrCg5fjH+OUQ05Ce4G4yCBTrsFhe6ZSfRh5wU";

async fn guesses_wait_and_those_who_work_do_not() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("users.toml");
    let names = (0..25).map(|number| format!("user{number}")).chain(["ada".to_owned()]);
    let users: String = names.map(|name| format!("[users.{name}]\npassword = \"{HASH}\"\nadministrator = true\n")).collect();
    std::fs::write(&file, users)?;
    let (server, _lake) = server(&format!("[auth]\nidentity = \"users\"\nusers_file = {:?}\n", file.display().to_string()));
    let mut ada = Client::login(&server, "ada", "right password").await?;
    // One name: five guesses, and then a wait.
    for _ in 0..5 {
        let refused = Client::login(&server, "user0", "a guess").await.expect_err("it is refused");
        assert_eq!(refused.code, Code::Unauthenticated, "{refused}");
    }
    let waits = |refused: &glaux_tests::flight::Refused| {
        assert_eq!((refused.code, refused.kind.as_str()), (Code::ResourceExhausted, "THROTTLED"), "{refused}");
        assert!(refused.message.contains("(hint: Try again in 1 seconds)"), "{refused}");
    };
    waits(&Client::login(&server, "user0", "right password").await.expect_err("it is refused"));
    // One password on many names.
    for number in 1..=15 {
        let refused = Client::login(&server, &format!("user{number}"), "a guess").await.expect_err("it is refused");
        assert_eq!(refused.code, Code::Unauthenticated, "{number}: {refused}");
    }
    waits(&Client::login(&server, "user20", "right password").await.expect_err("it is refused"));
    // Who has logged in from here goes on, and may log in again.
    assert_eq!(ada.run("SELECT 1 AS x").await?.lines(), ["1"]);
    assert!(Client::login(&server, "ada", "right password").await.is_ok());
    Ok(())
}
