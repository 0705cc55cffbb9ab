//! `queries`: listing and footers known, data cold. The same queries on the endpoint, at its latency and without any, and on local files.

use std::time::Duration;

use super::{
    compared::{Compared, geometric_mean},
    measure::{Ground, Measured, megabytes},
    query::{self, BIG, LI, Query, queries},
};
use crate::{
    Result,
    contestant::{Contestant, Setting, Table, Who},
    figures::Figures,
};

/// Goals: seconds, ratios of time, ratios of bytes, bytes.
const GEOMETRIC_MEAN: f64 = 0.15;
const ONE_COLUMN_GAIN: f64 = 20.0;
const Q1_GAIN: f64 = 12.0;
const OF_LEAST: f64 = 1.10;
const OF_DEFAULT_BYTES: f64 = 0.1;
const TOP_10_BYTES: f64 = 63e6;
const IN_FLIGHT: usize = 64;

/// How much longer than DataFusion counts as no longer: what two runs of the same differ by.
pub(super) const NO_SLOWER: f64 = 1.05;

/// What all runs of Glaux said and did, against the log.
#[derive(Debug, Default)]
struct Honesty {
    runs: usize,
    wrong: Vec<String>,
    /// GETs of footers in runs that were not the first.
    footer_gets: usize,
    in_flight: usize,
}

impl Honesty {
    fn look(&mut self, query: &str, runs: &[Measured]) {
        for (at, run) in runs.iter().enumerate() {
            self.runs += 1;
            self.in_flight = self.in_flight.max(run.in_flight);
            if at > 0 {
                self.footer_gets += run.footer_gets;
            }
            if let (false, Some(reported)) = (run.is_reported_right(), run.reported) {
                self.wrong.push(format!(
                    "\"{query}\": reported {} requests, {} bytes; the endpoint saw {}, {}",
                    reported.requests, reported.fetched_bytes, run.requests, run.bytes
                ));
            }
        }
    }
}

/// At the endpoint's latency, then without any.
pub(super) async fn run(ground: &Ground) -> Result<bool> {
    let get = ground.options.latency;
    let mut met = true;
    for table in [LI, BIG] {
        ground.set_latencies(get, Duration::ZERO);
        let mut honesty = Honesty::default();
        let who = ground.contestants(Who::OURS.into_iter().chain(Who::PEERS));
        let title = format!("{} at {} ms a GET, listing and footers known, data cold", table.name, get.as_millis());
        let compared = compare(ground, &title, &table, &who, &ground.remote(), &Ground::s3_url(&table), &mut honesty).await?;
        met &= goals(ground, &title, &table, &compared, &honesty);
    }
    ground.set_latencies(Duration::ZERO, Duration::ZERO);
    for table in [LI, BIG] {
        let mut honesty = Honesty::default();
        let who = ground.contestants([Who::Glaux, Who::DataFusion]);
        let title = format!("{} at 0 ms a GET", table.name);
        let compared = compare(ground, &title, &table, &who, &ground.remote(), &Ground::s3_url(&table), &mut honesty).await?;
        let mut figures = Figures::new(&title);
        no_slower(&mut figures, &compared);
        agreement(&mut figures, &table, &compared);
        met &= figures.met();
    }
    Ok(met)
}

/// The files on this machine.
pub(super) async fn local(ground: &Ground) -> Result<bool> {
    let mut met = true;
    for table in [LI, BIG] {
        let who = ground.contestants([Who::Glaux, Who::DataFusion]);
        let title = format!("{} as local files", table.name);
        let url = ground.local_url(&table);
        let compared = compare(ground, &title, &table, &who, &ground.local(), &url, &mut Honesty::default()).await?;
        let mut figures = Figures::new(&title);
        no_slower(&mut figures, &compared);
        agreement(&mut figures, &table, &compared);
        met &= figures.met();
    }
    Ok(met)
}

async fn compare(
    ground: &Ground,
    title: &str,
    table: &Table,
    who: &[Who],
    setting: &Setting,
    url: &str,
    honesty: &mut Honesty,
) -> Result<Vec<Compared>> {
    println!("\n==== {title}");
    let queries = queries(table, &ground.lake.facts);
    let mut compared: Vec<Compared> = Vec::new();
    for query in queries {
        let least = match (&query, setting.endpoint.is_some()) {
            (Query { needs: Some(needs), .. }, true) => Some(ground.footers(table).least(needs)?),
            _ => None,
        };
        compared.push(Compared { query, least, runs: Vec::new() });
    }
    for who in who {
        let data_dir = ground.data_dir(&title.replace(' ', "-"));
        let Some(mut contestant) = Contestant::start(*who, setting, &data_dir)? else { continue };
        println!("{}: {}", who.name(), contestant.version);
        contestant.open(table, url, false)?;
        for compared in &mut compared {
            let run = match ground.median(&mut contestant, table, &compared.query.sql).await {
                Ok((median, runs)) => {
                    if *who == Who::Glaux {
                        honesty.look(compared.query.name, &runs);
                    }
                    Ok(median)
                }
                Err(error) => Err(error),
            };
            compared.runs.push((*who, run));
        }
    }
    for compared in &compared {
        compared.print(table);
    }
    println!();
    for who in who {
        if let Some(mean) = geometric_mean(&compared, *who) {
            println!("  geometric mean of the six: {:<24} {mean:.3} s", who.name());
        }
    }
    Ok(compared)
}

fn goals(ground: &Ground, title: &str, table: &Table, compared: &[Compared], honesty: &Honesty) -> bool {
    let mut figures = Figures::new(title);
    if table.name == LI.name {
        if let Some(mean) = geometric_mean(compared, Who::Glaux) {
            let goal = format!("<= {GEOMETRIC_MEAN} s");
            figures.goal("geometric mean of the six", format!("{mean:.3} s"), goal, mean <= GEOMETRIC_MEAN);
        }
        for (name, goal) in [(query::ONE_COLUMN, ONE_COLUMN_GAIN), (query::Q1_LIKE, Q1_GAIN)] {
            let gain = compared.iter().find(|compared| compared.query.name == name).and_then(Compared::gain);
            if let Some(gain) = gain {
                figures.at_least(&format!("\"{name}\": times faster than DataFusion"), gain, goal);
            }
        }
    }
    no_slower(&mut figures, compared);
    for compared in compared {
        let Some(glaux) = compared.of(Who::Glaux) else { continue };
        let name = compared.query.name;
        if let Some(least) = compared.least.filter(|least| compared.query.is_least_known && *least > 0) {
            figures.at_most(&format!("\"{name}\": bytes, of the least"), glaux.bytes as f64 / least as f64, OF_LEAST);
        }
        if let Some((who, bytes)) = compared.best_other().filter(|_| compared.query.needs.is_some()) {
            let value = format!("{:.2} MB", megabytes(glaux.bytes));
            let goal = format!("<= {:.2} ({})", megabytes(bytes), who.name());
            figures.goal(&format!("\"{name}\": bytes, against the best other"), value, goal, glaux.bytes <= bytes);
        }
        if let (true, query::ORDER_KEY, Some(default)) = (table.name == LI.name, name, compared.of(Who::DataFusion)) {
            let ratio = glaux.bytes as f64 / default.bytes as f64;
            figures.at_most(&format!("\"{name}\": bytes, of DataFusion's"), ratio, OF_DEFAULT_BYTES);
        }
        if (table.name, name) == (BIG.name, query::TOP_10) {
            let goal = TOP_10_BYTES * ground.options.scale;
            let value = format!("{:.2} MB", megabytes(glaux.bytes));
            figures.goal(&format!("\"{name}\": bytes"), value, format!("<= {:.2} MB", goal / 1e6), glaux.bytes as f64 <= goal);
        }
    }
    if honesty.runs > 0 {
        let value = format!("{}/{}", honesty.runs - honesty.wrong.len(), honesty.runs);
        figures.goal("runs whose requests and bytes are the log's", value, "all", honesty.wrong.is_empty());
        honesty.wrong.iter().take(3).for_each(|wrong| println!("    {wrong}"));
        figures.goal("GETs of footers after the first run", honesty.footer_gets, 0, honesty.footer_gets == 0);
        let goal = format!("<= {IN_FLIGHT}");
        figures.goal("requests in flight, at most", honesty.in_flight, goal, honesty.in_flight <= IN_FLIGHT);
    }
    agreement(&mut figures, table, compared);
    figures.met()
}

/// No query takes longer than DataFusion's default.
fn no_slower(figures: &mut Figures, compared: &[Compared]) {
    for compared in compared {
        if let Some(gain) = compared.gain() {
            figures.at_most(&format!("\"{}\": time, of DataFusion's", compared.query.name), 1.0 / gain, NO_SLOWER);
        }
    }
}

/// All answers are the same.
fn agreement(figures: &mut Figures, table: &Table, compared: &[Compared]) {
    let faults: Vec<String> = compared.iter().flat_map(|compared| compared.disagreements(table)).collect();
    figures.goal("answers that differ or did not come", faults.len(), 0, faults.is_empty());
    faults.iter().for_each(|fault| println!("    {fault}"));
}
