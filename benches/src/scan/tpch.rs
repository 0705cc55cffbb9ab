//! `tpch`: TPC-H's 22 queries with the parameters that validate them, over local files, Glaux and DataFusion's listing table in turns.

mod questions;
mod tables;

use std::time::Duration;

use super::{
    measure::Ground,
    queries::NO_SLOWER,
    query::{Answer, Sameness},
};
use crate::{
    Result,
    contestant::{Contestant, Taken, Who},
    figures::Figures,
};

pub(super) fn run(ground: &Ground) -> Result<bool> {
    let folder = tables::find_or_make(&ground.options.dir, ground.options.scale)?;
    let title = format!("TPC-H at scale {} as local files", ground.options.scale);
    println!("\n==== {title}");
    let mut contestants = Vec::new();
    for who in ground.contestants([Who::Glaux, Who::DataFusion]) {
        let Some(mut contestant) = Contestant::start(who, &ground.local(), &ground.data_dir("tpch"))? else { continue };
        for table in tables::NAMES {
            let columns = tables::columns(&folder, table)?;
            let url = format!("file://{}/", folder.join(table).display());
            contestant.define(table, &url, &columns)?;
        }
        contestants.push(contestant);
    }
    println!("  {:<6} {:>12} {:>12} {:>8} {:>10} {:>10}", "", "glaux s", "datafusion s", "ratio", "glaux CPU", "their CPU");
    let mut figures = Figures::new(&title);
    let (mut wrong, mut logs) = (Vec::new(), Vec::new());
    for question in questions::all(ground.options.scale)? {
        let medians = in_turns(&mut contestants, &question.sql, ground.options.runs);
        let taken = |who: Who| {
            let at = contestants.iter().position(|contestant| contestant.who == who)?;
            medians[at].as_ref().ok()
        };
        for error in medians.iter().filter_map(|median| median.as_ref().err()) {
            wrong.push(format!("{}: {error}", question.name));
        }
        let (Some(ours), Some(theirs)) = (taken(Who::Glaux), taken(Who::DataFusion)) else {
            if let Some(alone) = taken(Who::Glaux) {
                println!("  {:<6} {:>12.3} {:>35.3}", question.name, alone.wall.as_secs_f64(), alone.cpu.as_secs_f64());
            }
            continue;
        };
        let ratio = ours.wall.as_secs_f64() / theirs.wall.as_secs_f64();
        println!(
            "  {:<6} {:>12.3} {:>12.3} {ratio:>8.2} {:>10.3} {:>10.3}",
            question.name,
            ours.wall.as_secs_f64(),
            theirs.wall.as_secs_f64(),
            ours.cpu.as_secs_f64(),
            theirs.cpu.as_secs_f64()
        );
        figures.at_most(&format!("{}: time, of DataFusion's", question.name), ratio, NO_SLOWER);
        logs.push(ratio.ln());
        let answer = |taken: &Taken| Answer::new(&taken.rows, Sameness::Rows, usize::MAX);
        if let Err(error) = answer(ours).compare(&answer(theirs)) {
            wrong.push(format!("{}: {error}", question.name));
        }
    }
    if !logs.is_empty() {
        let mean = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        figures.at_most("geometric mean of times, of DataFusion's", mean, NO_SLOWER);
    }
    figures.goal("answers that differ or did not come", wrong.len(), 0, wrong.is_empty());
    wrong.iter().for_each(|fault| println!("    {fault}"));
    Ok(figures.met())
}

/// Each contestant's run of median time; one run before those that count, and then one after the other.
fn in_turns(contestants: &mut [Contestant], sql: &str, runs: usize) -> Vec<Result<Taken>> {
    let mut taken: Vec<Result<Vec<Taken>>> = contestants.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..=runs {
        for (contestant, taken) in contestants.iter_mut().zip(&mut taken) {
            let Ok(runs) = taken else { continue };
            match contestant.run("", sql) {
                Ok(run) => runs.push(run),
                Err(error) => *taken = Err(error),
            }
        }
    }
    let median = |mut runs: Vec<Taken>| {
        let mut runs = runs.split_off(1);
        runs.sort_by_key(|run| run.wall);
        let at = runs.len() / 2;
        if runs.is_empty() { Taken { wall: Duration::ZERO, ..Taken::default() } } else { runs.swap_remove(at) }
    };
    taken.into_iter().map(|taken| taken.map(median)).collect()
}
