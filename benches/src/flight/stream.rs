//! A scan's whole result over the wire: what it costs beside the embedded engine that reads the same rows, and a bare Flight server that
//! sends the same batches.

use std::time::{Duration, Instant};

use arrow_flight::Ticket;
use futures::TryStreamExt;

use super::{
    Options, Result,
    client::{self, Client, Fetched},
    compared::{self, Bare, Cost},
    figures::{Figures, Samples, mebibytes, millis},
    lake,
    process::Process,
    server::Server,
};

const ROUNDS: usize = 5;

const CPU: f64 = 1.1;
const WALL: f64 = 0.9;
const FIRST: f64 = 1.2;
const MEMORY: u64 = 256 << 20;

/// The medians of several runs, and what the client took for its part.
#[derive(Debug, Clone, Copy)]
struct Medians {
    server: Cost,
    client: Duration,
}

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    lake::events(&instance, options.rows).await?;
    let data_dir = instance.data_dir();
    let mut figures = Figures::new(&format!("stream: {} rows of 4 numbers and 2 strings", options.rows));

    let embedded = tokio::task::block_in_place(|| compared::run_embedded(&data_dir, ROUNDS))?;
    let embedded = median(&embedded);
    line(&figures, "embedded engine", embedded);

    let bare = {
        let bare = tokio::task::block_in_place(|| Bare::start(&data_dir))?;
        let mut client = Client::new(client::channel(bare.address).await?);
        measure(bare.process(), options.rows, async || {
            let mut fetched = Fetched::default();
            let mut batches = client.do_get(Ticket::new("")).await?;
            while let Some(batch) = batches.try_next().await? {
                fetched.add(&batch);
            }
            Ok(fetched)
        })
        .await?
    };
    line(&figures, "bare Flight server", bare.server);
    figures.line("bare Flight server, CPU of the client", millis(bare.client));

    let server = Server::start(&options.bin, &data_dir).await?;
    let mut client = client::log_in(server.flight).await?;
    client::query(&mut client, &format!("{} WHERE id < 10", lake::EVENTS)).await?;
    let idle = server.process().resident()?;
    server.process().reset_peak()?;
    let served = measure(server.process(), options.rows, async || Ok(client::query(&mut client, lake::EVENTS).await?)).await?;
    let peak = server.process().peak()?.saturating_sub(idle);
    line(&figures, "server", served.server);
    figures.line("server, CPU of the client", millis(served.client));
    figures.line("server, memory when idle", mebibytes(idle));

    let cores = std::thread::available_parallelism()?.get() as f64;
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(1e-6);
    figures.at_most("CPU : embedded + bare", ratio(served.server.cpu, embedded.cpu + bare.server.cpu), CPU);
    // Neither can go faster than by itself, and together they have these cores, which the client needs too.
    let work = (embedded.cpu + bare.server.cpu + bare.client).div_f64(cores);
    let allowed = embedded.wall.max(bare.server.wall).max(work);
    figures.line("wall that embedded and bare allow", millis(allowed));
    figures.at_least("wall that they allow : wall", ratio(allowed, served.server.wall), WALL);
    figures.at_most("first rows : embedded engine's", ratio(served.server.first, embedded.first), FIRST);
    figures.bytes("peak memory over idle", peak, MEMORY);
    Ok(figures.met())
}

fn line(figures: &Figures, name: &str, cost: Cost) {
    figures.line(&format!("{name}, CPU"), millis(cost.cpu));
    figures.line(&format!("{name}, wall"), millis(cost.wall));
    figures.line(&format!("{name}, first rows"), millis(cost.first));
}

fn median(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> Duration| {
        let mut samples = Samples::default();
        costs.iter().for_each(|cost| samples.push(part(cost)));
        samples.median()
    };
    Cost { cpu: of(|cost| cost.cpu), wall: of(|cost| cost.wall), first: of(|cost| cost.first) }
}

/// Fetches the rows once to be warm, and then as often as it is measured.
async fn measure(server: Process, rows: usize, mut fetch: impl AsyncFnMut() -> Result<Fetched>) -> Result<Medians> {
    let own = Process::own();
    let (mut costs, mut clients) = (Vec::new(), Samples::default());
    for round in 0..=ROUNDS {
        let (cpu, client, started) = (server.cpu()?, own.cpu()?, Instant::now());
        let fetched = fetch().await?;
        let wall = started.elapsed();
        if fetched.rows != rows {
            return Err(format!("{} rows came instead of {rows}", fetched.rows).into());
        }
        if round > 0 {
            let first = fetched.first.map_or(wall, |first| first - started);
            costs.push(Cost { cpu: server.cpu()? - cpu, wall, first });
            clients.push(own.cpu()? - client);
        }
    }
    Ok(Medians { server: median(&costs), client: clients.median() })
}
