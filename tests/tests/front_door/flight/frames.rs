//! Hostile HTTP/2, frame by frame: the server's memory stays bounded, and the next client is served.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use glaux_tests::{lake::Lake, server::Server};
use libtest_mimic::{Failed, Trial};

use super::{client::Raw, timed};

pub(super) fn trials() -> Vec<Trial> {
    timed![
        calls_that_are_reset_at_once,
        pings_and_settings_that_nobody_reads_the_answers_of,
        headers_without_end,
        more_calls_than_are_allowed,
        messages_that_promise_to_be_long,
    ]
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// How much the server's memory may grow by any of these.
const GROWTH: u64 = 64 << 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A call's headers, as literals that nothing remembers.
fn headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

const CALL: &str = "/arrow.flight.protocol.FlightService/GetFlightInfo";

/// A connection that has begun. It writes until the server closes, or takes no more.
struct Hostile(TcpStream);

impl Hostile {
    fn connect(server: &Server) -> Result<Self, Failed> {
        let mut connection = TcpStream::connect(server.flight())?;
        connection.set_write_timeout(Some(Duration::from_millis(300)))?;
        connection.write_all(PREFACE)?;
        connection.write_all(&frame(SETTINGS, 0, 0, &[]))?;
        Ok(Self(connection))
    }

    /// `false` once the server has closed, or takes no more.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Takes and forgets what has come.
    fn take(&mut self) {
        self.0.set_nonblocking(true).ok();
        let mut bytes = [0; 65536];
        while self.0.read(&mut bytes).is_ok_and(|read| read > 0) {}
        self.0.set_nonblocking(false).ok();
    }
}

/// Memory of the server that is resident; 0 where the system does not tell.
fn resident(server: &Server) -> u64 {
    let metrics = (|| {
        let mut connection = TcpStream::connect(server.http()).ok()?;
        connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let line = answer.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ").map(str::to_owned));
        line?.parse::<f64>().ok()
    })();
    metrics.unwrap_or_default() as u64
}

/// What a client of good will sees while and after `attack` goes on.
async fn survives(attack: impl FnOnce(&Server) -> Result<(), Failed>) -> Result<(), Failed> {
    let lake = Lake::in_folder();
    let mut server = Server::start(Some(&lake), "");
    let mut ada = Raw::login(&server, "ada").await;
    assert_eq!(ada.lines("SELECT 1 AS x").await, ["1"]);
    let before = resident(&server);
    attack(&server)?;
    assert_eq!(ada.lines("SELECT 2 AS x").await, ["2"]);
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < GROWTH, "memory grew by {grown} bytes");
    let mut next = Raw::login(&server, "bea").await;
    assert_eq!(next.lines("SELECT 3 AS x").await, ["3"]);
    assert!(server.is_running(), "{}", server.log());
    Ok(())
}

async fn calls_that_are_reset_at_once() -> Result<(), Failed> {
    survives(|server| {
        let mut hostile = Hostile::connect(server)?;
        let block = headers(CALL);
        for call in 0..20_000_u32 {
            let stream = 2 * call + 1;
            let cancel = 8_u32.to_be_bytes();
            let both = [frame(HEADERS, END_HEADERS, stream, &block), frame(RST_STREAM, 0, stream, &cancel)].concat();
            if !hostile.send(&both) {
                break;
            }
            hostile.take();
        }
        Ok(())
    })
    .await
}

async fn pings_and_settings_that_nobody_reads_the_answers_of() -> Result<(), Failed> {
    survives(|server| {
        for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255])] {
            let mut hostile = Hostile::connect(server)?;
            let many = flood.repeat(1_000);
            for _ in 0..300 {
                if !hostile.send(&many) {
                    break;
                }
            }
        }
        Ok(())
    })
    .await
}

async fn headers_without_end() -> Result<(), Failed> {
    survives(|server| {
        // One header of 16 kilobytes a frame, and never the last.
        let mut field = vec![0, 1, b'x', 0x7f, 0xfb, 0x7b];
        field.resize(6 + 15_994, b'y');
        let mut hostile = Hostile::connect(server)?;
        hostile.send(&frame(HEADERS, 0, 1, &headers(CALL)));
        for _ in 0..4_000 {
            if !hostile.send(&frame(CONTINUATION, 0, 1, &field)) {
                break;
            }
        }
        // Frames with nothing in them, and lists that are whole but too long, on many calls.
        let mut hostile = Hostile::connect(server)?;
        hostile.send(&frame(HEADERS, 0, 1, &headers(CALL)));
        let empty = frame(CONTINUATION, 0, 1, &[]).repeat(1_000);
        for _ in 0..300 {
            if !hostile.send(&empty) {
                break;
            }
        }
        let mut hostile = Hostile::connect(server)?;
        for call in 0..500_u32 {
            let stream = 2 * call + 1;
            let mut list = frame(HEADERS, 0, stream, &headers(CALL));
            for part in 0..8 {
                list.extend(frame(CONTINUATION, if part == 7 { END_HEADERS } else { 0 }, stream, &field));
            }
            if !hostile.send(&list) {
                break;
            }
            hostile.take();
        }
        Ok(())
    })
    .await
}

async fn more_calls_than_are_allowed() -> Result<(), Failed> {
    survives(|server| {
        let mut hostile = Hostile::connect(server)?;
        let block = headers(CALL);
        for call in 0..10_000_u32 {
            if !hostile.send(&frame(HEADERS, END_HEADERS, 2 * call + 1, &block)) {
                break;
            }
            hostile.take();
        }
        Ok(())
    })
    .await
}

async fn messages_that_promise_to_be_long() -> Result<(), Failed> {
    survives(|server| {
        let block = headers(CALL);
        let mut all = Vec::new();
        for _ in 0..20 {
            let mut hostile = Hostile::connect(server)?;
            for call in 0..50_u32 {
                let stream = 2 * call + 1;
                // 60 megabytes are promised, and a few bytes come.
                let message = [&[0, 3, 0x93, 0x87, 0][..], &[7; 100]].concat();
                if !hostile.send(&[frame(HEADERS, END_HEADERS, stream, &block), frame(DATA, 0, stream, &message)].concat()) {
                    break;
                }
            }
            // One that is whole, and no request.
            hostile.send(&[frame(HEADERS, END_HEADERS, 201, &block), frame(DATA, END_STREAM, 201, &[0, 0, 0, 0, 0])].concat());
            all.push(hostile);
        }
        Ok(())
    })
    .await
}
