//! Bad input: the right code, a short text, never a crash, and the next client is served.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::Arc,
};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, Ticket,
    sql::{
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
        CommandStatementQuery, CommandStatementUpdate, ProstMessageExt,
    },
    utils::batches_to_flight_data,
};
use futures::stream;
use glaux_tests::{lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};
use prost::Message;
use tonic::{Code, Status};

use super::{
    client::{Raw, command, server},
    timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        garbage_on_the_port_harms_nobody,
        statements_of_ten_megabytes_are_refused,
        messages_over_the_limit_are_refused,
        what_does_not_decode_is_the_clients_mistake,
        batches_that_do_not_decode_are_the_clients_mistake,
        what_is_not_offered_says_so,
    ]
}

/// The status is a client's mistake, told in few words, with a kind.
fn check(status: &Status, codes: &[Code]) {
    assert!(codes.contains(&status.code()), "{status:?}");
    assert!(!status.message().is_empty() && status.message().len() < 1_000, "{status:?}");
}

async fn is_alive(server: &mut Server) {
    assert!(server.is_running(), "{}", server.log());
    let mut raw = Raw::login(server, "next").await;
    assert_eq!(raw.lines("SELECT 1 AS x").await, ["1"]);
}

async fn garbage_on_the_port_harms_nobody() -> Result<(), Failed> {
    let (mut server, _lake) = server();
    let noise: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let client_hello = [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3];
    let mut broken_frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    broken_frames.extend_from_slice(&noise[..5_000]);
    for garbage in [&noise[..], &client_hello, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &broken_frames, b"\0", b""] {
        let mut connection = TcpStream::connect(server.flight())?;
        // The server may close before all of it is written.
        connection.write_all(garbage).ok();
        connection.shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).ok();
        assert!(answer.len() < 10_000);
    }
    // One that says nothing and stays.
    let _silent = TcpStream::connect(server.flight())?;
    is_alive(&mut server).await;
    Ok(())
}

async fn statements_of_ten_megabytes_are_refused() -> Result<(), Failed> {
    let (mut server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let sql = format!("SELECT '{}' AS x", "x".repeat(10 << 20));
    let codes = [Code::InvalidArgument, Code::ResourceExhausted];
    check(&raw.info(&sql).await.expect_err("it is refused"), &codes);
    check(&raw.schema_of(command(&sql)).await.expect_err("it is refused"), &codes);
    check(&raw.get(Ticket::new(command(&sql))).await.expect_err("it is refused"), &codes);
    check(&status(raw.client.sql.execute_update(sql.clone(), None).await.expect_err("it is refused")), &codes);
    check(&status(raw.client.sql.prepare(sql.clone(), None).await.expect_err("it is refused")), &codes);
    is_alive(&mut server).await;
    Ok(())
}

fn status(error: arrow_flight::error::FlightError) -> Status {
    error.into()
}

async fn messages_over_the_limit_are_refused() -> Result<(), Failed> {
    let lake = Lake::in_folder();
    let mut server = Server::start(Some(&lake), "[flight]\nmax_message_bytes = 100000\n");
    let mut raw = Raw::login(&server, "ada").await;
    let sql = format!("SELECT '{}' AS x", "x".repeat(200_000));
    let codes = [Code::OutOfRange, Code::ResourceExhausted];
    check(&raw.info(&sql).await.expect_err("it is refused"), &codes);
    check(&status(raw.client.sql.execute_update(sql.clone(), None).await.expect_err("it is refused")), &codes);
    check(&raw.action("GetQueryStats", vec![b'x'; 200_000]).await.expect_err("it is refused"), &codes);
    is_alive(&mut server).await;
    Ok(())
}

async fn what_does_not_decode_is_the_clients_mistake() -> Result<(), Failed> {
    let (mut server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let mistake = [Code::InvalidArgument];
    let cut = command("SELECT 1 AS x");
    let cut = cut[..cut.len() - 3].to_vec();
    for bytes in [Vec::new(), b"nonsense".to_vec(), vec![0xff; 64], cut] {
        check(&raw.info_of(bytes.clone()).await.expect_err("it is refused"), &mistake);
        check(&raw.schema_of(bytes.clone()).await.expect_err("it is refused"), &mistake);
        check(&raw.get(Ticket::new(bytes.clone())).await.expect_err("it is refused"), &mistake);
        let put = FlightData { flight_descriptor: Some(FlightDescriptor::new_cmd(bytes)), ..FlightData::default() };
        let request = raw.request(stream::iter([put]));
        check(&raw.rpc.do_put(request).await.expect_err("it is refused"), &mistake);
    }
    for action in [
        "CreatePreparedStatement",
        "ClosePreparedStatement",
        "CancelQuery",
        "CancelFlightInfo",
        "RenewFlightEndpoint",
        "SetSessionOptions",
    ] {
        check(&raw.action(action, vec![0xff; 20]).await.expect_err("it is refused"), &mistake);
    }
    for action in ["CancelFlightInfo", "RenewFlightEndpoint"] {
        check(&raw.action(action, Vec::new()).await.expect_err("it is refused"), &mistake);
    }
    // DoPut without a message, and without a descriptor.
    let request = raw.request(stream::iter(Vec::<FlightData>::new()));
    check(&raw.rpc.do_put(request).await.expect_err("it is refused"), &mistake);
    let request = raw.request(stream::iter([FlightData::default()]));
    check(&raw.rpc.do_put(request).await.expect_err("it is refused"), &mistake);
    // A command of the wrong sort for the call.
    let update = CommandStatementUpdate { query: "SELECT 1".to_owned(), transaction_id: None }.as_any().encode_to_vec();
    check(&raw.info_of(update).await.expect_err("it is refused"), &mistake);
    is_alive(&mut server).await;
    Ok(())
}

/// A DoPut of a batch, for a prepared statement or a table.
fn put(command: Vec<u8>, batch: &RecordBatch) -> Vec<FlightData> {
    let mut messages = batches_to_flight_data(&batch.schema(), vec![batch.clone()]).expect("a batch is encoded");
    messages[0].flight_descriptor = Some(FlightDescriptor::new_cmd(command));
    messages
}

async fn batches_that_do_not_decode_are_the_clients_mistake() -> Result<(), Failed> {
    let (mut server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let query = "SELECT CAST(? AS varchar) AS x, CAST(? AS bigint) AS y".to_owned();
    let prepare = ActionCreatePreparedStatementRequest { query, transaction_id: None }.as_any().encode_to_vec();
    let prepared = raw.action("CreatePreparedStatement", prepare).await?;
    let prepared: ActionCreatePreparedStatementResult = Any::decode(&*prepared[0])?.unpack()?.ok_or("a statement")?;
    let bind = CommandPreparedStatementQuery { prepared_statement_handle: prepared.prepared_statement_handle };
    let bind = bind.as_any().encode_to_vec();
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a text"), None]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let batch = RecordBatch::try_from_iter_with_nullable([("x", texts, true), ("y", numbers, true)])?;
    let whole = put(bind, &batch);
    let request = raw.request(stream::iter(whole.clone()));
    raw.rpc.do_put(request).await?;
    let mut refused = 0;
    for at in 0..whole.len() {
        for byte in (0..whole[at].data_header.len()).step_by(3) {
            let mut damaged = whole.clone();
            let mut header = damaged[at].data_header.to_vec();
            header[byte] ^= 0x80;
            damaged[at].data_header = header.into();
            let request = raw.request(stream::iter(damaged));
            if let Err(status) = raw.rpc.do_put(request).await {
                check(&status, &[Code::InvalidArgument, Code::ResourceExhausted, Code::Unimplemented]);
                refused += 1;
            }
        }
    }
    assert!(refused > 30, "{refused} were refused");
    assert!(!server.log().contains("panicked"), "{}", server.log());
    is_alive(&mut server).await;
    Ok(())
}

async fn what_is_not_offered_says_so() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let unimplemented = [Code::Unimplemented];
    for action in ["NoSuchAction", "BeginTransaction", "EndTransaction", "CreatePreparedSubstraitPlan", ""] {
        check(&raw.action(action, Vec::new()).await.expect_err("it is refused"), &unimplemented);
    }
    let request = raw.request(FlightDescriptor::new_path(vec!["t".to_owned()]));
    check(&raw.rpc.get_flight_info(request).await.expect_err("it is refused"), &unimplemented);
    let request = raw.request(stream::iter([FlightData::default()]));
    check(&raw.rpc.do_exchange(request).await.expect_err("it is refused"), &unimplemented);
    let unknown = "type.googleapis.com/arrow.flight.protocol.sql.CommandFoo".to_owned();
    let unknown = Any { type_url: unknown, value: bytes::Bytes::new() }.encode_to_vec();
    let put = FlightData { flight_descriptor: Some(FlightDescriptor::new_cmd(unknown.clone())), ..FlightData::default() };
    let request = raw.request(stream::iter([put]));
    for refused in [
        raw.info_of(unknown.clone()).await.expect_err("it is refused"),
        raw.schema_of(unknown.clone()).await.expect_err("it is refused"),
        raw.get(Ticket::new(unknown)).await.expect_err("it is refused"),
        raw.rpc.do_put(request).await.expect_err("it is refused"),
    ] {
        check(&refused, &unimplemented);
        assert!(refused.message().starts_with("command \"CommandFoo\" is not supported"), "{refused:?}");
    }
    let made_up = Some(bytes::Bytes::from_static(b"transaction"));
    let query = CommandStatementQuery { query: "SELECT 1 AS x".to_owned(), transaction_id: made_up };
    check(&raw.info_of(query.as_any().encode_to_vec()).await.expect_err("it is refused"), &unimplemented);
    // An action's type that is long is not repeated at length.
    let request = raw.request(Action { r#type: "x".repeat(100_000), body: bytes::Bytes::new() });
    let refused = raw.rpc.do_action(request).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().len() < 4_096, "{} bytes", refused.message().len());
    Ok(())
}
