//! What the server's stream is compared with, each in a process of its own so that its CPU and memory are its own: the embedded engine on
//! the same query, and a bare Flight server on the same batches. Both are this program, started again.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::flight_service_server::FlightServiceServer;
use futures::StreamExt;
use glaux_engine::{Engine, EngineOptions, Session, SessionOptions};
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};

use super::{
    Result,
    batches::Batches,
    lake,
    process::{Ended, Process},
};

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// Until the first rows were there.
    pub(super) first: Duration,
}

/// The program itself, started again for one of the roles.
fn child(role: &str, arguments: &[&str]) -> Result<(Ended, BufReader<std::process::ChildStdout>)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["flight", role]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let out = child.stdout.take().ok_or("a child has no output")?;
    Ok((Ended(child), BufReader::new(out)))
}

/// Runs the query of `events` on the embedded engine: once to be warm, and so often to be measured.
pub(super) fn run_embedded(data_dir: &Path, rounds: usize) -> Result<Vec<Cost>> {
    let (_child, out) = child("embedded", &[&data_dir.display().to_string(), &rounds.to_string()])?;
    let costs = out.lines().map(|line| {
        let numbers: Vec<u64> = line?.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        match numbers.as_slice() {
            [cpu, wall, first] => {
                let [cpu, wall, first] = [*cpu, *wall, *first].map(Duration::from_micros);
                Ok(Cost { cpu, wall, first })
            }
            _ => Err("the embedded engine did not run".into()),
        }
    });
    let costs = costs.collect::<Result<Vec<_>>>()?;
    if costs.len() == rounds { Ok(costs) } else { Err("the embedded engine did not run to its end".into()) }
}

/// A bare Flight server that runs.
#[derive(Debug)]
pub(super) struct Bare {
    child: Ended,
    pub(super) address: SocketAddr,
}

impl Bare {
    /// Starts one, with all rows of `events` in memory.
    pub(super) fn start(data_dir: &Path) -> Result<Self> {
        let (child, mut out) = child("bare", &[&data_dir.display().to_string()])?;
        let mut line = String::new();
        out.read_line(&mut line)?;
        let address = line.trim().parse().map_err(|_| "the bare server did not start")?;
        Ok(Self { child, address })
    }

    pub(super) fn process(&self) -> Process {
        Process::new(self.child.0.id())
    }
}

/// The role of the embedded engine: `DATA_DIR ROUNDS`. Prints a line a round: CPU, wall and first rows, in microseconds.
pub(super) async fn embedded(arguments: &[String]) -> Result<()> {
    let [data_dir, rounds] = arguments else { return Err("usage: embedded DATA_DIR ROUNDS".into()) };
    let rounds: usize = rounds.parse()?;
    let engine = open(data_dir).await?;
    for round in 0..=rounds {
        let (cpu, started) = (Process::own().cpu()?, Instant::now());
        let mut first = None;
        read(&engine, |_| {
            first.get_or_insert_with(|| started.elapsed());
        })
        .await?;
        let (cpu, wall) = (Process::own().cpu()? - cpu, started.elapsed());
        if round > 0 {
            println!("{} {} {}", cpu.as_micros(), wall.as_micros(), first.unwrap_or(wall).as_micros());
        }
    }
    Ok(())
}

/// The role of the bare server: `DATA_DIR`. Prints its address and serves until it is ended.
pub(super) async fn bare(arguments: &[String]) -> Result<()> {
    let [data_dir] = arguments else { return Err("usage: bare DATA_DIR".into()) };
    let mut batches = Vec::new();
    let schema = read(&open(data_dir).await?, |batch| batches.push(batch)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let service = FlightServiceServer::new(Batches { schema, batches }).max_encoding_message_size(usize::MAX);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
}

async fn open(data_dir: &str) -> Result<Engine> {
    let options = EngineOptions { data_dir: data_dir.into(), ..EngineOptions::default() };
    Ok(Engine::open(options).await?)
}

/// Reads all rows of `events`.
async fn read(engine: &Engine, mut each: impl FnMut(RecordBatch)) -> Result<SchemaRef> {
    let session = Session::new(SessionOptions::default());
    let mut query = engine.submit(&session, lake::EVENTS).await?;
    while let Some(batch) = query.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            each(batch);
        }
    }
    Ok(query.schema())
}
