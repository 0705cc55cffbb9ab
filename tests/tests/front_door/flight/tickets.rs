//! Tickets: what a result is fetched with is good for its user, for a time, and once.

use arrow_flight::{
    RenewFlightEndpointRequest, Ticket,
    sql::{Any, ProstMessageExt, TicketStatementQuery},
};
use glaux_tests::{lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};
use prost::Message;
use tonic::Code;

use super::{
    client::{Raw, on_s3, server, ticket},
    timed,
};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        forged_tickets_are_refused,
        a_ticket_is_its_users_and_good_once,
        tickets_expire_and_are_renewed,
        renewals_come_to_an_end,
        what_is_never_fetched_is_recorded,
        tickets_of_a_server_before_are_gone,
    ]
}

fn signed(ticket: &Ticket) -> Vec<u8> {
    let any = Any::decode(ticket.ticket.clone()).expect("a ticket is a command");
    let query: TicketStatementQuery = any.unpack().expect("of its type").expect("of its type");
    query.statement_handle.to_vec()
}

fn of(signed: Vec<u8>) -> Ticket {
    Ticket::new(TicketStatementQuery { statement_handle: signed.into() }.as_any().encode_to_vec())
}

async fn forged_tickets_are_refused() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 'secret' AS x").await?;
    let real = signed(&ticket(&info.endpoint[0]));
    assert!(!real.windows(6).any(|window| window == b"secret"), "a ticket does not hold the statement");
    let flipped = |at: usize| {
        let mut forged = real.clone();
        forged[at] ^= 1;
        of(forged)
    };
    let mut forged: Vec<Ticket> = (0..real.len()).map(flipped).collect();
    forged.extend([of(Vec::new()), of(vec![0; real.len()]), of(real[1..].to_vec()), of(real[..real.len() - 1].to_vec())]);
    forged.extend([Ticket::new(Vec::<u8>::new()), Ticket::new("nonsense"), Ticket::new(vec![0xff; 100])]);
    for forged in forged {
        let refused = raw.get(forged.clone()).await.expect_err("it is refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{forged:?}: {refused}");
        assert!(refused.message().len() < 500, "{refused}");
    }
    assert_eq!(raw.get(of(real)).await?.lines().await, ["secret"]);
    Ok(())
}

async fn a_ticket_is_its_users_and_good_once() -> Result<(), Failed> {
    let (server, _lake) = on_s3().await;
    let (mut ada, mut bob) = (Raw::login(&server, "ada").await, Raw::login(&server, "bob").await);
    let info = ada.info("SELECT sum(n) AS s FROM t").await?;
    let it = ticket(&info.endpoint[0]);
    assert_eq!(bob.get(it.clone()).await.expect_err("it is refused").code(), Code::PermissionDenied);
    let cancel = arrow_flight::CancelFlightInfoRequest { info: Some(info.clone()) }.encode_to_vec();
    assert_eq!(bob.action("CancelFlightInfo", cancel).await.expect_err("it is refused").code(), Code::PermissionDenied);
    // Another connection of the same user's will do.
    let mut elsewhere = Raw::login(&server, "ada").await;
    assert_eq!(elsewhere.get(it.clone()).await?.lines().await, ["2001000"]);
    let again = ada.get(it).await.expect_err("it is refused");
    assert_eq!(again.code(), Code::NotFound, "{again}");
    Ok(())
}

fn short_lived() -> (Server, Lake) {
    let lake = Lake::in_folder();
    (Server::start(Some(&lake), "[flight]\nticket_lifetime = \"1s\"\n"), lake)
}

async fn tickets_expire_and_are_renewed() -> Result<(), Failed> {
    let (server, _lake) = short_lived();
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    let it = ticket(&info.endpoint[0]);
    let renew = RenewFlightEndpointRequest { endpoint: Some(info.endpoint[0].clone()) }.encode_to_vec();
    let renewed = raw.action("RenewFlightEndpoint", renew.clone()).await?;
    let renewed = arrow_flight::FlightEndpoint::decode(renewed[0].clone())?;
    while !raw.waiting().await.is_empty() {
        tokio::task::yield_now().await;
    }
    for late in [it, ticket(&renewed)] {
        let refused = raw.get(late).await.expect_err("it is refused");
        assert_eq!(refused.code(), Code::NotFound, "{refused}");
        assert!(refused.message().contains("it expired"), "{refused}");
    }
    assert_eq!(raw.action("RenewFlightEndpoint", renew).await.expect_err("it is refused").code(), Code::NotFound);
    // One that is fetched in time.
    assert_eq!(raw.run("SELECT 2 AS x").await?.lines().await, ["2"]);
    Ok(())
}

async fn renewals_come_to_an_end() -> Result<(), Failed> {
    let (server, lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    let mut endpoint = info.endpoint[0].clone();
    for _ in 0..3 {
        let renew = RenewFlightEndpointRequest { endpoint: Some(endpoint) }.encode_to_vec();
        endpoint = arrow_flight::FlightEndpoint::decode(raw.action("RenewFlightEndpoint", renew).await?[0].clone())?;
    }
    assert_eq!(raw.get(ticket(&endpoint)).await?.lines().await, ["1"]);
    // A plan's whole time may be shorter than a ticket's.
    let server = Server::start(Some(&lake), "[flight]\nmax_ticket_lifetime = \"1s\"\n");
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    while !raw.waiting().await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.get(ticket(&info.endpoint[0])).await.expect_err("it is over").code(), Code::NotFound);
    Ok(())
}

async fn what_is_never_fetched_is_recorded() -> Result<(), Failed> {
    let (server, _lake) = short_lived();
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    let metadata: serde_json::Value = serde_json::from_slice(&info.app_metadata)?;
    let id = metadata["query_id"].as_str().ok_or("an id")?;
    assert_eq!(raw.state(id).await, "CANCELLED");
    Ok(())
}

async fn tickets_of_a_server_before_are_gone() -> Result<(), Failed> {
    let (server, _lake) = server();
    let mut raw = Raw::login(&server, "ada").await;
    let info = raw.info("SELECT 1 AS x").await?;
    let token = raw.client.sql.token().cloned().ok_or("a token")?;
    let server = server.restart();
    let mut raw = Raw::login(&server, "ada").await;
    let refused = raw.get(ticket(&info.endpoint[0])).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    // The token outlives the server that gave it.
    raw.client.sql.set_token(token);
    assert_eq!(raw.run("SELECT 2 AS x").await?.lines().await, ["2"]);
    Ok(())
}
