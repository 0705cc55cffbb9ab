//! `first`: the first touch of a table that nobody knows yet. Defining it (for Glaux with finding its partitions), and the first `count(*)`, which
//! needs a listing and, of those who do not answer it from somewhere else, every footer.

use super::{
    compared::{header, line},
    measure::Ground,
    query::{BIG, LI},
};
use crate::{
    Result,
    contestant::{Contestant, Table, Who},
    figures::Figures,
};

const COUNT: &str = "SELECT count(*) AS n FROM {t}";

/// Goals: seconds of the first query, bytes of footers over their size.
const SECONDS: f64 = 0.4;
const FOOTERS: f64 = 2.0;

pub(super) async fn run(ground: &Ground) -> Result<bool> {
    ground.set_latencies(ground.options.latency, ground.options.list_latency);
    let mut met = true;
    for table in [LI, BIG] {
        met &= touch(ground, &table).await?;
    }
    Ok(met)
}

async fn touch(ground: &Ground, table: &Table) -> Result<bool> {
    let latencies =
        format!("{} ms a GET, {} ms a LIST", ground.options.latency.as_millis(), ground.options.list_latency.as_millis());
    println!("\n==== first touch of {}: {latencies}", table.name);
    header();
    let mut glaux = Vec::new();
    for who in ground.contestants(Who::OURS.into_iter().chain(Who::PEERS)) {
        let mut walls = Vec::new();
        for round in 0..ground.options.runs {
            let data_dir = ground.data_dir(&format!("first-{}-{round}", table.name));
            let Some(mut contestant) = Contestant::start(who, &ground.remote(), &data_dir)? else { break };
            let url = Ground::s3_url(table);
            let opened = ground.measured(&mut contestant, table, |contestant| contestant.open(table, &url, false)).await;
            let counted = ground.measured(&mut contestant, table, |contestant| contestant.run(table.name, COUNT)).await;
            match (opened, counted) {
                (Ok(opened), Ok(counted)) => walls.push((opened, counted)),
                (Err(error), _) | (_, Err(error)) => {
                    println!("  {:<32} FAILED: {error}", who.name());
                    break;
                }
            }
        }
        walls.sort_by_key(|(opened, counted)| opened.wall + counted.wall);
        let Some((opened, counted)) = walls.get(walls.len() / 2) else { continue };
        line(&format!("{}: defined", who.name()), opened, None, None);
        line(&format!("{}: counted", who.name()), counted, None, None);
        if who == Who::Glaux {
            glaux.clone_from(&walls);
        }
    }
    let Some((opened, counted)) = glaux.get(glaux.len() / 2) else { return Ok(true) };
    let mut figures = Figures::new(&format!("first touch of {}", table.name));
    let both = opened.wall.as_secs_f64() + counted.wall.as_secs_f64();
    figures.line("seconds with defining it and finding its partitions", format!("{both:.3} s"));
    let seconds = counted.wall.as_secs_f64();
    figures.goal("seconds of the first count(*)", format!("{seconds:.3} s"), format!("<= {SECONDS} s"), seconds <= SECONDS);
    let ratio = (opened.footer_bytes + counted.footer_bytes) as f64 / ground.footers(table).footer_bytes() as f64;
    figures.at_most("bytes read for footers, of the footers", ratio, FOOTERS);
    let right = glaux.iter().filter(|(_, counted)| counted.is_reported_right()).count();
    figures.goal("runs whose requests and bytes are the log's", format!("{right}/{}", glaux.len()), "all", right == glaux.len());
    Ok(figures.met())
}
