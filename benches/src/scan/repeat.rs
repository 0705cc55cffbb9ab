//! `repeat`: the same query again. In the same process and in one that was started again on the same data directory, no footer is read;
//! with the data cache nothing is, and the time is that of local files.

use std::time::Duration;

use super::{
    measure::{Ground, Measured},
    query::{BIG, LI, queries},
};
use crate::{
    Result,
    contestant::{Contestant, Setting, Table, Who},
    figures::Figures,
};

/// The goal: time with the data cache over that of local files.
const OF_LOCAL: f64 = 1.3;

pub(super) async fn run(ground: &Ground) -> Result<bool> {
    ground.set_latencies(ground.options.latency, Duration::ZERO);
    if ground.contestants([Who::Glaux]).is_empty() {
        return Ok(true);
    }
    let mut met = true;
    for table in [LI, BIG] {
        let mut figures = Figures::new(&format!("repeat on {}", table.name));
        footers(ground, &table, &mut figures).await?;
        cached(ground, &table, &mut figures).await?;
        met &= figures.met();
    }
    Ok(met)
}

/// Every query in one process twice, and again in another with the same data directory.
async fn footers(ground: &Ground, table: &Table, figures: &mut Figures) -> Result<()> {
    let data_dir = ground.data_dir(&format!("repeat-{}", table.name));
    let setting = ground.remote();
    let mut first = 0;
    for (name, is_known) in [("in the same process", false), ("after a restart", true)] {
        let Some(mut glaux) = Contestant::start(Who::Glaux, &setting, &data_dir)? else { return Ok(()) };
        glaux.open(table, &Ground::s3_url(table), is_known)?;
        let mut gets = 0;
        for query in queries(table, &ground.lake.facts) {
            let sql = &query.sql;
            if !is_known {
                let run = ground.measured(&mut glaux, table, |glaux| glaux.run(table.name, sql)).await?;
                first += run.footer_gets;
            }
            gets += ground.measured(&mut glaux, table, |glaux| glaux.run(table.name, sql)).await?.footer_gets;
        }
        figures.goal(&format!("GETs of footers {name} (at first {first})"), gets, 0, gets == 0);
    }
    Ok(())
}

/// Every query with the data cache, against the same engine on local files.
async fn cached(ground: &Ground, table: &Table, figures: &mut Figures) -> Result<()> {
    let remote = ground.remote();
    let with_cache = Setting { options: remote.options.iter().chain(&ground.options.cache).cloned().collect(), ..remote };
    let url = ground.local_url(table);
    let cached = all(ground, table, &with_cache, &Ground::s3_url(table), "cached").await?;
    let local = all(ground, table, &ground.local(), &url, "uncached").await?;
    for ((name, cached), (_, local)) in cached.iter().zip(&local) {
        figures.goal(&format!("\"{name}\": GETs with the data cache"), cached.gets, 0, cached.gets == 0);
        let ratio = cached.wall.as_secs_f64() / local.wall.as_secs_f64();
        figures.at_most(&format!("\"{name}\": time with the data cache, of local files"), ratio, OF_LOCAL);
    }
    Ok(())
}

/// The median of every query, each after a run that fills what caches there are.
async fn all(ground: &Ground, table: &Table, setting: &Setting, url: &str, name: &str) -> Result<Vec<(&'static str, Measured)>> {
    let data_dir = ground.data_dir(&format!("repeat-{}-{name}", table.name));
    let mut runs = Vec::new();
    let Some(mut glaux) = Contestant::start(Who::Glaux, setting, &data_dir)? else { return Ok(runs) };
    glaux.open(table, url, false)?;
    for query in queries(table, &ground.lake.facts) {
        runs.push((query.name, ground.median(&mut glaux, table, &query.sql).await?.0));
    }
    Ok(runs)
}
