//! Idle sessions: the memory that connected clients take which ask for nothing.

use std::time::Duration;

use arrow_flight::sql::SqlInfo;

use super::{
    Options, Result,
    client::{self, Client},
    figures::{Figures, mebibytes},
    lake,
    server::Server,
};

const SESSIONS: usize = 1_000;
const MEMORY: u64 = 64 << 20;

/// How long the server may take to see that connections have gone.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    let server = Server::start(&options.bin, &instance.data_dir()).await?;
    // What the first client brings into memory is not its session's.
    let process = server.process();
    let files = process.open_files()?;
    drop(connect(&server).await?);
    let files = server.closes_down_to(files, PATIENCE).await?;
    let idle = process.resident()?;
    let mut clients = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        clients.push(connect(&server).await?);
    }
    let (resident, open) = (process.resident()?, process.open_files()?);
    let metrics = server.metrics().await?;
    let mut figures = Figures::new("sessions: 1,000 clients, each with its connection, that have logged in and ask for nothing");
    figures.line("sessions by the server's count", metrics.sum("glaux_sessions"));
    figures.line("open files", format!("{files} -> {open}"));
    figures.line("memory before", mebibytes(idle));
    figures.bytes("memory over that", resident.saturating_sub(idle), MEMORY);
    drop(clients);
    let left = server.closes_down_to(files, PATIENCE).await?;
    figures.goal("open files when the clients have gone", left, format!("<= {files}"), left <= files);
    figures.line("memory over that, when the clients have gone", mebibytes(process.resident()?.saturating_sub(idle)));
    Ok(figures.met())
}

async fn connect(server: &Server) -> Result<Client> {
    let mut client = client::log_in(server.flight).await?;
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await?;
    client::fetch(&mut client, info).await?;
    Ok(client)
}
