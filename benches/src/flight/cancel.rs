//! Cancelling: how long a query goes on that nobody wants any more, by each of the ways in which clients say so.

use std::time::{Duration, Instant};

use arrow_flight::{CancelFlightInfoRequest, FlightClient, FlightInfo, Ticket, flight_service_client::FlightServiceClient};
use tokio::{
    task::JoinHandle,
    time::{timeout, timeout_at},
};
use tonic::{Request, transport::Channel};

use super::{
    Options, Result,
    client::{self, Client},
    figures::{Figures, Samples, millis},
    lake,
    metrics::Metrics,
    proxy::Proxy,
    server::Server,
};

const ROUNDS: usize = 20;
const GOAL: Duration = Duration::from_millis(100);

/// How long anything may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a query runs before it is cancelled.
const RUNS: Duration = Duration::from_millis(150);

/// How long the server must take next to no CPU to count as having stopped.
const QUIET: Duration = Duration::from_millis(100);

/// CPU that an idle server may take meanwhile: what the system can tell, and a tick for what goes on anyhow.
const IDLE_CPU: Duration = Duration::from_millis(10);

/// How often the CPU is looked at.
const POLL: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, Copy)]
enum Way {
    /// The client drops the stream.
    Dropped,
    /// Another connection asks for it.
    CancelFlightInfo,
    /// The deadline that the client gave is over.
    Deadline,
    /// The connection breaks.
    Cut,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Dropped, "stream dropped"),
    (Way::CancelFlightInfo, "CancelFlightInfo"),
    (Way::Deadline, "client's deadline"),
    (Way::Cut, "connection cut"),
];

const QUERIES: [(&str, &str); 3] = [("scan", lake::SCANS), ("rows", lake::STREAMS), ("cross join", lake::JOINS)];

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    lake::numbers(&instance).await?;
    let mut figures = Figures::new("cancel: until the query is recorded as cancelled and its work has stopped");
    for (kind, sql) in QUERIES {
        for (way, name) in WAYS {
            // What goes on of one must not slow the next.
            let server = Server::start(&options.bin, &instance.data_dir()).await?;
            measure(&mut figures, &server, sql, way, &format!("{kind}, {name}")).await;
        }
    }
    Ok(figures.met())
}

async fn measure(figures: &mut Figures, server: &Server, sql: &str, way: Way, name: &str) {
    let (mut recorded, mut stopped) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        let once =
            timeout(4 * PATIENCE, once(server, sql, way)).await.unwrap_or_else(|_| Err("the server answers nobody".into()));
        match once {
            Ok(once) => {
                recorded.push(once.recorded);
                stopped.push(once.stopped);
            }
            Err(error) => {
                figures.goal(&format!("{name}: stopped {} of {ROUNDS} times", stopped.len()), error, "all", false);
                return;
            }
        }
    }
    figures.line(&format!("{name}: recorded, median"), millis(recorded.median()));
    figures.time(&format!("{name}: stopped, median"), stopped.median(), GOAL);
    figures.time(&format!("{name}: stopped, max"), stopped.max(), GOAL);
}

/// One cancelled query.
#[derive(Debug)]
struct Once {
    /// Until it was recorded as cancelled.
    recorded: Duration,
    /// Until the server took no more CPU.
    stopped: Duration,
}

fn cancelled(metrics: &Metrics) -> f64 {
    metrics.sum_where("glaux_queries_total", "state=\"CANCELLED\"")
}

async fn once(server: &Server, sql: &str, way: Way) -> Result<Once> {
    let proxy = Proxy::to(server.flight).await?;
    let mut client = Client::new(client::channel(proxy.address).await?);
    // Connected before, since connecting takes time that is not the server's.
    let mut other = FlightClient::new(client::channel(server.flight).await?);
    let ended = cancelled(&server.metrics().await?);
    let info = client.execute(sql.to_owned(), None).await?;
    let runs_until = Instant::now() + RUNS;
    let deadline = matches!(way, Way::Deadline).then_some(runs_until);
    let reader = read(client.inner().clone(), info.clone(), deadline)?;
    if !server.settles(PATIENCE, |metrics| metrics.sum("glaux_queries_running") >= 1.0).await? {
        return Err("the query does not run".into());
    }
    tokio::time::sleep_until(runs_until.into()).await;

    let (started, mut proxy) = (Instant::now(), Some(proxy));
    match way {
        Way::Dropped => reader.abort(),
        Way::Cut => proxy = None,
        Way::CancelFlightInfo => {
            other.cancel_flight_info(CancelFlightInfoRequest::new(info)).await?;
        }
        // The reader looks at the clock itself.
        Way::Deadline => {}
    }
    let once = watch(server, started, ended).await;
    reader.abort();
    drop(proxy);
    once
}

/// Reads until the deadline, if there is one; then gives the stream up, as clients do by themselves.
fn read(mut client: FlightServiceClient<Channel>, info: FlightInfo, deadline: Option<Instant>) -> Result<JoinHandle<()>> {
    let ticket: Ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket).ok_or("a result has no ticket")?;
    let mut request = Request::new(ticket);
    if let Some(deadline) = deadline {
        request.set_timeout(deadline - Instant::now());
    }
    let read = async move {
        if let Ok(answer) = client.do_get(request).await {
            let mut messages = answer.into_inner();
            while let Ok(Some(_)) = messages.message().await {}
        }
    };
    Ok(tokio::spawn(async move {
        match deadline {
            Some(deadline) => drop(timeout_at(deadline.into(), read).await),
            None => read.await,
        }
    }))
}

/// Waits until the query has ended, and then until nothing is done for it any more.
async fn watch(server: &Server, started: Instant, ended: f64) -> Result<Once> {
    let over = |metrics: &Metrics| cancelled(metrics) > ended && metrics.sum("glaux_queries_running") == 0.0;
    if !server.settles(PATIENCE, over).await? {
        return Err("goes on".into());
    }
    let recorded = started.elapsed();
    let (mut stopped, mut cpu) = (recorded, server.process().cpu()?);
    while started.elapsed() < stopped + QUIET {
        if stopped > PATIENCE {
            return Err("recorded, but its work goes on".into());
        }
        tokio::time::sleep(POLL).await;
        let now = server.process().cpu()?;
        if now > cpu + IDLE_CPU {
            (stopped, cpu) = (started.elapsed(), now);
        }
    }
    Ok(Once { recorded, stopped })
}
