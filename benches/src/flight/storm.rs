//! Bad input and too much of it: ten thousand handshakes at once, bytes that are no gRPC, messages, headers and statements that are too
//! large. What the server answers is counted by code; then it must serve the next client as if nothing had been.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow_flight::{Action, HandshakeRequest, Ticket, flight_service_client::FlightServiceClient};
use futures::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tonic::{Code, Status, transport::Channel};

use super::{
    Options, Result,
    client::{self, code},
    figures::{Figures, mebibytes, millis},
    lake,
    process::Process,
    server::Server,
};

const HANDSHAKES: usize = 10_000;

/// Connections that share the handshakes, in the second form.
const SHARED: usize = 50;

/// Files and sockets of this process that are not for handshakes.
const SPARE_FILES: usize = 256;

const PATIENCE: Duration = Duration::from_secs(60);

/// How many answers there were of each kind.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, usize>);

impl Counts {
    fn add(&mut self, answer: impl Into<String>) {
        *self.0.entry(answer.into()).or_default() += 1;
    }

    fn of(&self, answer: &str) -> usize {
        self.0.get(answer).copied().unwrap_or_default()
    }

    fn text(&self) -> String {
        let parts: Vec<_> = self.0.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
        parts.join(", ")
    }
}

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    let server = Server::start(&options.bin, &instance.data_dir()).await?;
    client::query(&mut client::log_in(server.flight).await?, "SELECT 1 AS one").await?;
    let (files, idle) = (server.process().open_files()?, server.process().resident()?);
    let mut figures = Figures::new("storm: ten thousand handshakes, garbage, and what is too large");

    let started = Instant::now();
    let counts = handshakes_on_connections_of_their_own(server.flight).await?;
    figures.line("handshakes, each on its connection", counts.text());
    figures.line("they took", millis(started.elapsed()));
    figures.goal("of them answered, or refused as too many", answered(&counts), HANDSHAKES, answered(&counts) == HANDSHAKES);
    let refused = server.metrics().await?.sum("glaux_connections_refused_total");
    figures.line("connections refused by the server's count", refused);
    next_client(&mut figures, &server, "handshakes").await?;

    let counts = handshakes_on_shared_connections(server.flight).await?;
    let answered = counts.of("Ok");
    figures.goal("handshakes on 50 connections", counts.text(), format!("Ok {HANDSHAKES}"), answered == HANDSHAKES);
    next_client(&mut figures, &server, "shared connections").await?;

    let counts = garbage(server.flight).await;
    figures.goal("garbage on the port", counts.text(), "all closed", counts.of("left open") == 0);
    next_client(&mut figures, &server, "garbage").await?;

    too_large(&mut figures, server.flight).await?;
    next_client(&mut figures, &server, "too large").await?;

    let open = server.closes_down_to(files, PATIENCE).await?;
    figures.goal("open files at the end", open, format!("<= {files}"), open <= files);
    figures.line("memory over idle at the end", mebibytes(server.process().resident()?.saturating_sub(idle)));
    figures.goal("panics in the log", server.panics()?, 0, server.panics()? == 0);
    Ok(figures.met())
}

fn answered(counts: &Counts) -> usize {
    counts.of("Ok") + counts.of("closed") + counts.of("ResourceExhausted") + counts.of("Unavailable")
}

async fn next_client(figures: &mut Figures, server: &Server, after: &str) -> Result<()> {
    let started = Instant::now();
    let served = timeout(PATIENCE, async {
        client::query(&mut client::log_in(server.flight).await?, "SELECT 1 AS one").await.map_err(Into::into)
    });
    let rows = match served.await {
        Ok(Ok(fetched)) => fetched.rows,
        Ok(Err(error)) => {
            let error: Box<dyn Error + Send + Sync> = error;
            figures.line("the next client's error", error);
            0
        }
        Err(_) => 0,
    };
    figures.goal(&format!("the next client after: {after}"), millis(started.elapsed()), "served", rows == 1);
    Ok(())
}

async fn handshake(channel: Channel) -> std::result::Result<(), Status> {
    let mut client = FlightServiceClient::new(channel);
    let mut answers = client.handshake(stream::iter([HandshakeRequest::default()])).await?.into_inner();
    while answers.message().await?.is_some() {}
    Ok(())
}

fn outcome(answer: &std::result::Result<(), Status>) -> String {
    match answer {
        Ok(()) => "Ok".to_owned(),
        // What the client itself says of a connection that was closed is no answer of the server's.
        Err(status) if status.source().is_some() => "closed".to_owned(),
        Err(status) => format!("{:?}", status.code()),
    }
}

/// All at once, or as many as files may be open.
async fn handshakes_on_connections_of_their_own(address: SocketAddr) -> Result<Counts> {
    let own = Process::own();
    let room = own.max_open_files()?.saturating_sub(own.open_files()? + SPARE_FILES).max(1);
    let places = Arc::new(Semaphore::new(room));
    let mut tasks = JoinSet::new();
    for _ in 0..HANDSHAKES {
        let places = Arc::clone(&places);
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            match timeout(PATIENCE, client::channel(address)).await {
                Ok(Ok(channel)) => {
                    timeout(PATIENCE, handshake(channel)).await.map_or_else(|_| "no answer".to_owned(), |answer| outcome(&answer))
                }
                Ok(Err(_)) => "closed".to_owned(),
                Err(_) => "no connection".to_owned(),
            }
        });
    }
    Ok(count(tasks).await)
}

async fn handshakes_on_shared_connections(address: SocketAddr) -> Result<Counts> {
    let mut tasks = JoinSet::new();
    for _ in 0..SHARED {
        let channel = client::channel(address).await?;
        for _ in 0..HANDSHAKES / SHARED {
            let channel = channel.clone();
            tasks.spawn(async move {
                timeout(PATIENCE, handshake(channel)).await.map_or_else(|_| "no answer".to_owned(), |answer| outcome(&answer))
            });
        }
    }
    Ok(count(tasks).await)
}

async fn count(mut tasks: JoinSet<String>) -> Counts {
    let mut counts = Counts::default();
    while let Some(answer) = tasks.join_next().await {
        counts.add(answer.unwrap_or_else(|error| error.to_string()));
    }
    counts
}

/// Bytes that are no gRPC, and connections that say nothing; each must be closed, now or when its time is over.
async fn garbage(address: SocketAddr) -> Counts {
    let noise: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut broken_frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    broken_frames.extend_from_slice(&noise);
    let hello = [&[0x16, 0x03, 0x01, 0x02, 0x00][..], &noise[..512]].concat();
    let sent: [(&str, Vec<u8>); 5] = [
        ("noise", noise.clone()),
        ("HTTP/1.1", b"POST /arrow.flight.protocol.FlightService/DoGet HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("broken frames", broken_frames),
        ("TLS", hello),
        ("nothing", Vec::new()),
    ];
    let mut tasks = JoinSet::new();
    for (_, bytes) in sent {
        for _ in 0..40 {
            let bytes = bytes.clone();
            tasks.spawn(async move {
                match timeout(PATIENCE, say(address, &bytes)).await {
                    Ok(()) => "closed".to_owned(),
                    Err(_) => "left open".to_owned(),
                }
            });
        }
    }
    count(tasks).await
}

/// Sends bytes and reads until the other side closes.
async fn say(address: SocketAddr, bytes: &[u8]) {
    if let Ok(mut stream) = TcpStream::connect(address).await
        && stream.write_all(bytes).await.is_ok()
    {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
}

/// Statements, messages and headers beyond what is taken in.
async fn too_large(figures: &mut Figures, address: SocketAddr) -> Result<()> {
    let mut client = client::log_in(address).await?;
    let deep = 500_000;
    for (name, sql) in [
        ("SQL of 10 MB", format!("SELECT {} AS s", vec!["1"; 5_000_000].join("+"))),
        ("SQL of 10 MB, one literal", format!("SELECT '{}' AS s", "x".repeat(10 << 20))),
        ("SQL of half a MB, nested", format!("SELECT {}1{} AS n", "(".repeat(deep / 2), ")".repeat(deep / 2))),
        ("SQL of half a MB, a long sum", format!("SELECT {} AS n", vec!["1"; deep / 2].join("+"))),
        ("SQL of half a MB of NOT", format!("SELECT {} true AS b", "NOT ".repeat(deep / 4))),
    ] {
        let started = Instant::now();
        let answer = timeout(PATIENCE, client::query(&mut client, &sql)).await;
        let code = answer.map_or(Code::DeadlineExceeded, |answer| answer.map_or_else(|error| code(&error), |_| Code::Ok));
        // What fits may as well be carried out.
        let fits = sql.len() < 1 << 20 && code == Code::Ok;
        figures.goal(name, format!("{code:?}"), "a client's error", fits || is_clients(code));
        figures.line(&format!("{name}: took"), millis(started.elapsed()));
    }
    let mut flight = FlightServiceClient::new(client::channel(address).await?);
    let large = vec![7_u8; 80 << 20];
    let answer = flight.do_action(Action::new("CreatePreparedStatement", large.clone())).await;
    refusal(figures, "action of 80 MiB", answer.map_or_else(|status| status.code(), |_| Code::Ok));
    let mut flight = FlightServiceClient::new(client::channel(address).await?);
    let answer = flight.do_get(Ticket::new(large)).await;
    refusal(figures, "ticket of 80 MiB", answer.map_or_else(|status| status.code(), |_| Code::Ok));
    let mut client = client::log_in(address).await?;
    client.set_header("x-large", "x".repeat(1 << 20));
    let answer = client.get_catalogs().await;
    let code = answer.map_or_else(|error| code(&error), |_| Code::Ok);
    figures.goal("headers of 1 MiB", format!("{code:?}"), "an error", code != Code::Ok);
    Ok(())
}

fn refusal(figures: &mut Figures, name: &str, code: Code) {
    figures.goal(name, format!("{code:?}"), "a client's error", is_clients(code));
}

/// Whether a code says that the client asked for too much, or wrongly.
fn is_clients(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted | Code::Unimplemented)
}
