//! Mixed load for a long time: queries, cancelled ones, broken connections, definitions, prepared statements and metadata, from several
//! clients. At its end the server must hold no more files, tasks and memory than when it was warm.

mod load;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use self::load::{Load, Tally};
use super::{
    Options, Result,
    figures::{Figures, mebibytes},
    lake,
    server::Server,
};

const CLIENTS: usize = 6;

/// How long the load goes on before the server counts as warm; less if the whole is short.
const WARM_UP: Duration = Duration::from_secs(60);

/// How often it is told how things stand.
const REPORT: Duration = Duration::from_secs(60);

/// How long the server may take to come to rest.
const REST: Duration = Duration::from_secs(30);

/// Memory that may come on top: a part of what there was, and so many bytes.
const GROWTH: (u64, u64) = (20, 32 << 20);

/// What the server holds when nobody asks for anything.
#[derive(Debug, Clone, Copy)]
struct AtRest {
    resident: u64,
    files: usize,
    tasks: f64,
    sessions: f64,
    prepared: f64,
    held: f64,
}

pub(super) async fn run(options: &Options) -> Result<bool> {
    let instance = lake::empty().await;
    lake::points(&instance).await?;
    lake::numbers(&instance).await?;
    let server = Arc::new(Server::start(&options.bin, &instance.data_dir()).await?);
    let location = instance.lake.url();
    let whole = Duration::from_secs(options.minutes * 60);
    let mut figures = Figures::new(&format!("soak: {CLIENTS} clients for {} minutes", options.minutes));

    go_on(&figures, &server, &location, WARM_UP.min(whole / 5)).await?;
    let begin = at_rest(&server).await?;
    line(&figures, "warm, at rest", begin);
    let tally = go_on(&figures, &server, &location, whole).await?;
    let end = at_rest(&server).await?;
    line(&figures, "at the end, at rest", end);

    figures.line("operations", tally.done());
    for (operation, outcome, count) in tally.lines() {
        figures.line(&format!("  {operation}: {outcome}"), count);
    }
    let allowed = begin.resident + begin.resident * GROWTH.0 / 100 + GROWTH.1;
    figures.goal("open files", end.files, format!("<= {}", begin.files), end.files <= begin.files);
    figures.goal("tasks", end.tasks, format!("<= {}", begin.tasks), end.tasks <= begin.tasks);
    figures.goal("memory", mebibytes(end.resident), format!("<= {}", mebibytes(allowed)), end.resident <= allowed);
    let faults = tally.unexpected();
    figures.goal("outcomes that nobody expects", faults, 0, faults == 0);
    figures.goal("panics in the log", server.panics()?, 0, server.panics()? == 0);
    Ok(figures.met())
}

fn line(figures: &Figures, name: &str, rest: AtRest) {
    let AtRest { resident, files, tasks, sessions, prepared, held } = rest;
    figures.line(&format!("{name}: memory"), mebibytes(resident));
    figures.line(&format!("{name}: files, tasks"), format!("{files}, {tasks}"));
    figures.line(&format!("{name}: sessions, prepared, held"), format!("{sessions}, {prepared}, {held}"));
}

/// Lets the clients ask for so long.
async fn go_on(figures: &Figures, server: &Arc<Server>, location: &str, time: Duration) -> Result<Tally> {
    let until = Instant::now() + time;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let load = Load::new(number, server.flight, location);
        clients.spawn(load.go_on(until));
    }
    let started = Instant::now();
    let mut next = started + REPORT;
    let mut tally = Tally::default();
    loop {
        tokio::select! {
            done = clients.join_next() => match done {
                Some(done) => tally.add(done??),
                None => return Ok(tally),
            },
            () = tokio::time::sleep_until(next.into()) => {
                next += REPORT;
                let process = server.process();
                let (resident, files) = (mebibytes(process.resident()?), process.open_files()?);
                let tasks = server.metrics().await?.sum("glaux_tasks");
                figures.line(&format!("after {} s: memory, files, tasks", started.elapsed().as_secs()), format!("{resident}, {files}, {tasks}"));
            }
        }
    }
}

/// Waits until nothing runs and connections have gone, and looks what is left.
async fn at_rest(server: &Server) -> Result<AtRest> {
    server.settles(REST, |metrics| metrics.sum("glaux_queries_running") + metrics.sum("glaux_rpc_in_flight") == 0.0).await?;
    // Connections that broke are noticed one by one: the least that is held for a while is what is left.
    let (mut files, mut tasks) = (usize::MAX, f64::INFINITY);
    let started = Instant::now();
    loop {
        let metrics = server.metrics().await?;
        files = files.min(server.process().open_files()?);
        tasks = tasks.min(metrics.sum("glaux_tasks"));
        if started.elapsed() > REST / 10 {
            let [sessions, prepared, held] =
                ["glaux_sessions", "glaux_prepared_statements", "glaux_held_statements"].map(|name| metrics.sum(name));
            return Ok(AtRest { resident: server.process().resident()?, files, tasks, sessions, prepared, held });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
