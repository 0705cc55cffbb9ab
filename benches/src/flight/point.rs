//! Point queries: one row of one partition, warm, by the ways that clients have, and beside them the embedded engine on the same queries.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use arrow_flight::FlightInfo;
use futures::{StreamExt, future::try_join_all};
use glaux_engine::query::Parameters;
use glaux_tests::instance::Instance;

use super::{
    Options, Result,
    client::{self, Client},
    figures::{Figures, Samples, millis},
    lake,
    server::Server,
};

const WARM_UP: usize = 200;
const ROUNDS: usize = 1_000;
const CLIENTS: usize = 16;

/// How long the clients ask at the same time.
const CONCURRENT: Duration = Duration::from_secs(10);

const P50: Duration = Duration::from_millis(5);
const P99: Duration = Duration::from_millis(20);
const P99_OF_MANY: Duration = Duration::from_millis(100);
const QUERIES_A_SECOND: f64 = 400.0;

/// What one query took: until it was planned, and in all.
#[derive(Debug, Default)]
struct Times {
    planned: Samples,
    rest: Samples,
    total: Samples,
}

impl Times {
    fn add(&mut self, started: Instant, planned: Instant) {
        self.planned.push(planned - started);
        self.rest.push(planned.elapsed());
        self.total.push(started.elapsed());
    }

    fn p50_p99(&self) -> String {
        format!("{} / {}", millis(self.total.median()), millis(self.total.percentile(99)))
    }
}

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    lake::points(&instance).await?;
    let server = Server::start(&options.bin, &instance.data_dir()).await?;
    let mut figures = Figures::new("point: one row of one of 100 partitions, warm");

    let alone = measure(async |at| embedded(&instance, at).await).await?;
    split(&figures, "embedded engine", ["plan", "run and read"], &alone);

    let mut client = client::log_in(server.flight).await?;
    let times = measure(async |at| {
        let started = Instant::now();
        let info = client.execute(lake::point(at), None).await?;
        one_row(&mut client, info, started).await
    });
    report(&mut figures, "ad hoc", &times.await?);

    let mut prepared = client.prepare(lake::point(7), None).await?;
    let times = measure(async |_| {
        let started = Instant::now();
        let info = prepared.execute().await?;
        one_row(&mut client, info, started).await
    });
    report(&mut figures, "prepared", &times.await?);
    prepared.close().await?;

    let alone = concurrently(|_| async { Ok(()) }, async |(), at| embedded(&instance, at).await.map(|_| ())).await?;
    figures.line("16 tasks on the embedded engine, queries a second", format!("{:.0}", rate(&alone)));
    figures.line("16 tasks on the embedded engine, p50", millis(alone.median()));
    figures.line("16 tasks on the embedded engine, p99", millis(alone.percentile(99)));
    let cpu = server.process().cpu()?;
    let served = concurrently(|_| client::log_in(server.flight), async |client, at| one_point(client, at).await).await?;
    let cpu = (server.process().cpu()? - cpu) / u32::try_from(served.len().max(1))?;
    figures.line("16 clients, CPU of the server a query", millis(cpu));
    figures.at_least("16 clients, queries a second", rate(&served), QUERIES_A_SECOND);
    figures.line("16 clients, p50", millis(served.median()));
    figures.time("16 clients, p99", served.percentile(99), P99_OF_MANY);
    trips(&figures, server.flight).await?;
    Ok(figures.met())
}

fn split(figures: &Figures, name: &str, [first, second]: [&str; 2], times: &Times) {
    figures.line(&format!("{name}, p50 / p99"), times.p50_p99());
    figures.line(&format!("{name}, {first}, p50"), millis(times.planned.median()));
    figures.line(&format!("{name}, {second}, p50"), millis(times.rest.median()));
}

fn report(figures: &mut Figures, name: &str, times: &Times) {
    figures.time(&format!("{name}, p50"), times.total.median(), P50);
    figures.time(&format!("{name}, p99"), times.total.percentile(99), P99);
    figures.line(&format!("{name}, GetFlightInfo, p50"), millis(times.planned.median()));
    figures.line(&format!("{name}, DoGet, p50"), millis(times.rest.median()));
}

/// Runs a query often enough that caches are warm, and then as often as it is measured.
async fn measure(mut query: impl AsyncFnMut(usize) -> Result<(Instant, Instant)>) -> Result<Times> {
    let mut times = Times::default();
    for at in 0..WARM_UP + ROUNDS {
        let (started, planned) = query(at).await?;
        if at >= WARM_UP {
            times.add(started, planned);
        }
    }
    Ok(times)
}

async fn embedded(instance: &Instance, at: usize) -> Result<(Instant, Instant)> {
    let started = Instant::now();
    let planned = instance.engine.plan(&instance.session, &lake::point(at), &Parameters::default()).await?;
    let ready = Instant::now();
    let mut query = planned.run().await?;
    let mut rows = 0;
    while let Some(batch) = query.next().await {
        rows += batch?.num_rows();
    }
    expect_one(rows)?;
    Ok((started, ready))
}

async fn one_row(client: &mut Client, info: FlightInfo, started: Instant) -> Result<(Instant, Instant)> {
    let planned = Instant::now();
    expect_one(client::fetch(client, info).await?.rows)?;
    Ok((started, planned))
}

async fn one_point(client: &mut Client, at: usize) -> Result<()> {
    expect_one(client::query(client, &lake::point(at)).await?.rows)
}

fn expect_one(rows: usize) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(format!("a point query gave {rows} rows").into()) }
}

/// Queries of several clients at the same time.
async fn concurrently<C, F>(client: impl Fn(usize) -> F, query: impl AsyncFn(&mut C, usize) -> Result<()>) -> Result<Samples>
where
    F: Future<Output = Result<C>>,
{
    let one = async |number: usize| {
        let mut client = client(number).await?;
        let mut samples = Samples::default();
        let begun = Instant::now();
        let mut at = number;
        while begun.elapsed() < CONCURRENT {
            let started = Instant::now();
            query(&mut client, at).await?;
            samples.push(started.elapsed());
            at += CLIENTS + 1;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(samples)
    };
    let mut all = Samples::default();
    for samples in try_join_all((0..CLIENTS).map(one)).await? {
        all.extend(samples);
    }
    Ok(all)
}

fn rate(samples: &Samples) -> f64 {
    samples.len() as f64 / CONCURRENT.as_secs_f64()
}

/// What calls take that ask nothing of the engine: how much of a query is transport.
async fn trips(figures: &Figures, address: SocketAddr) -> Result<()> {
    let mut client = client::log_in(address).await?;
    let mut samples = Samples::default();
    for at in 0..WARM_UP + ROUNDS {
        let started = Instant::now();
        client.get_table_types().await?;
        if at >= WARM_UP {
            samples.push(started.elapsed());
        }
    }
    figures.line("GetFlightInfo of GetTableTypes, which asks for nothing, p50", millis(samples.median()));
    Ok(())
}
