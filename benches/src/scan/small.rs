//! `small`: many files of a few kilobytes. A sum over all of them, first with nothing known and then again: in all one GET a file, and no
//! more than reading its data after that.

use super::{
    compared::{header, line},
    measure::{Ground, Measured},
    query::{SMALL, Sameness},
};
use crate::{
    Result,
    contestant::{Contestant, Who},
    figures::Figures,
    scan::{queries::NO_SLOWER, query::Answer},
};

const SUM: &str = "SELECT count(*) AS n, sum(amount) AS total FROM {t}";

pub(super) async fn run(ground: &Ground) -> Result<bool> {
    let files = ground.footers(&SMALL).files();
    ground.set_latencies(ground.options.latency, ground.options.list_latency);
    let latencies =
        format!("{} ms a GET, {} ms a LIST", ground.options.latency.as_millis(), ground.options.list_latency.as_millis());
    println!("\n==== {files} small files: {latencies}, one run each");
    header();
    let mut ran: Vec<(Who, Measured, Measured)> = Vec::new();
    for who in ground.contestants(Who::OURS.into_iter().chain(Who::PEERS)) {
        let Some(mut contestant) = Contestant::start(who, &ground.remote(), &ground.data_dir("small"))? else { continue };
        match thrice(ground, &mut contestant).await {
            Ok([opened, first, again]) => {
                line(&format!("{}: defined", who.name()), &opened, None, None);
                let default = ran.iter().find(|(who, ..)| *who == Who::DataFusion);
                line(&format!("{}: first", who.name()), &first, default.map(|(_, first, _)| first.wall.as_secs_f64()), None);
                line(&format!("{}: again", who.name()), &again, default.map(|(.., again)| again.wall.as_secs_f64()), None);
                ran.push((who, first, again));
            }
            Err(error) => println!("  {:<32} FAILED: {error}", who.name()),
        }
    }
    let mut figures = Figures::new(&format!("{files} small files"));
    let mut answers = ran.iter().map(|(who, first, _)| (who, Answer::new(&first.rows, Sameness::Rows, usize::MAX)));
    if let Some((_, right)) = answers.next() {
        let wrong: Vec<_> = answers.filter_map(|(who, answer)| Some((who, answer.compare(&right).err()?))).collect();
        figures.goal("answers that differ", wrong.len(), 0, wrong.is_empty());
        wrong.iter().for_each(|(who, error)| println!("    {}: {error}", who.name()));
    }
    let of = |who: Who| ran.iter().find(|(whose, ..)| *whose == who);
    let Some((_, first, again)) = of(Who::Glaux) else { return Ok(figures.met()) };
    figures.goal("GETs of the first run", first.gets, format!("= {files}"), first.gets == files);
    figures.goal("GETs of footers in the second run", again.footer_gets, 0, again.footer_gets == 0);
    let right = [first, again].iter().all(|run| run.is_reported_right());
    figures.goal("reported requests and bytes are the log's", if right { "yes" } else { "no" }, "yes", right);
    if let Some((_, default_first, default_again)) = of(Who::DataFusion) {
        let ratio = |one: &Measured, other: &Measured| one.wall.as_secs_f64() / other.wall.as_secs_f64();
        figures.at_most("first: time, of DataFusion's", ratio(first, default_first), NO_SLOWER);
        figures.at_most("again: time, of DataFusion's", ratio(again, default_again), NO_SLOWER);
    }
    Ok(figures.met())
}

async fn thrice(ground: &Ground, contestant: &mut Contestant) -> Result<[Measured; 3]> {
    let url = Ground::s3_url(&SMALL);
    let opened = ground.measured(contestant, &SMALL, |contestant| contestant.open(&SMALL, &url, false)).await?;
    let first = ground.measured(contestant, &SMALL, |contestant| contestant.run(SMALL.name, SUM)).await?;
    let again = ground.measured(contestant, &SMALL, |contestant| contestant.run(SMALL.name, SUM)).await?;
    Ok([opened, first, again])
}
