//! Contestants side by side: a table a query, whether their answers are the same, and what the goals are judged by.

use super::{
    measure::{Measured, megabytes},
    query::{Answer, Query},
};
use crate::{
    Result,
    contestant::{Table, Who},
};

/// What the contestants took for one query.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) query: Query,
    /// The least bytes, where they are known.
    pub(super) least: Option<u64>,
    pub(super) runs: Vec<(Who, Result<Measured>)>,
}

impl Compared {
    pub(super) fn of(&self, who: Who) -> Option<&Measured> {
        self.runs.iter().find_map(|(whose, run)| run.as_ref().ok().filter(|_| *whose == who))
    }

    /// Seconds of one contestant.
    pub(super) fn seconds(&self, who: Who) -> Option<f64> {
        self.of(who).map(|run| run.wall.as_secs_f64())
    }

    /// How many times faster Glaux is than DataFusion's default.
    pub(super) fn gain(&self) -> Option<f64> {
        Some(self.seconds(Who::DataFusion)? / self.seconds(Who::Glaux)?)
    }

    /// The least bytes that any other contestant read, and whose they are.
    pub(super) fn best_other(&self) -> Option<(Who, u64)> {
        let others = self.runs.iter().filter(|(who, _)| *who != Who::Glaux);
        others.filter_map(|(who, run)| Some((*who, run.as_ref().ok()?.bytes))).min_by_key(|(_, bytes)| *bytes)
    }

    /// Whose answers are not as the first's, or did not come at all.
    pub(super) fn disagreements(&self, table: &Table) -> Vec<String> {
        let mut answers = self.runs.iter().map(|(who, run)| {
            let rows = run.as_ref().map_err(ToString::to_string)?;
            Ok::<_, String>((*who, Answer::new(&rows.rows, self.query.sameness, table.columns.len())))
        });
        let Some(Ok((_, first))) = answers.next() else {
            return vec![format!("\"{}\": no answer to compare with", self.query.name)];
        };
        let faults = answers.filter_map(|answer| match answer {
            Ok((who, answer)) => answer.compare(&first).err().map(|error| format!("{}: {error}", who.name())),
            Err(error) => Some(error),
        });
        faults.map(|fault| format!("\"{}\", {fault}", self.query.name)).collect()
    }

    /// Prints the table.
    pub(super) fn print(&self, table: &Table) {
        let least = self.least.map_or_else(String::new, |least| format!(", at least {:.2} MB", megabytes(least)));
        println!("\n{} · {}{least}\n  {}", table.name, self.query.name, self.query.sql);
        header();
        for (who, run) in &self.runs {
            match run {
                Ok(run) => line(who.name(), run, self.seconds(Who::DataFusion), self.least),
                Err(error) => println!("  {:<32} FAILED: {error}", who.name()),
            }
        }
    }
}

/// The names of a line's figures.
pub(super) fn header() {
    println!(
        "  {:<32} {:>8} {:>8} {:>8} {:>7} {:>5} {:>9} {:>7} {:>5} {:>8} {:>10}",
        "", "wall s", "faster", "CPU s", "GET", "LIST", "MB", "/least", "deep", "peak MB", "billed MB"
    );
}

/// The figures of a run, beside the seconds that it is compared with.
pub(super) fn line(name: &str, run: &Measured, compared: Option<f64>, least: Option<u64>) {
    let wall = run.wall.as_secs_f64();
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let faster = or_dash(compared.map(|compared| format!("{:.2}x", compared / wall)));
    let of_least = or_dash(least.filter(|least| *least > 0).map(|least| format!("{:.2}", run.bytes as f64 / least as f64)));
    let billed = or_dash(run.reported.map(|reported| format!("{:.0}", megabytes(reported.billed_bytes))));
    println!(
        "  {name:<32} {wall:>8.3} {faster:>8} {:>8.3} {:>7} {:>5} {:>9.2} {of_least:>7} {:>5} {:>8.0} {billed:>10}",
        run.cpu.as_secs_f64(),
        run.gets,
        run.lists,
        megabytes(run.bytes),
        run.in_flight,
        megabytes(run.peak),
    );
}

/// The geometric mean of a contestant's seconds for the counted queries, if it answered them all.
pub(super) fn geometric_mean(compared: &[Compared], who: Who) -> Option<f64> {
    let counted: Vec<&Compared> = compared.iter().filter(|compared| compared.query.counted).collect();
    let logs = counted.iter().map(|compared| compared.seconds(who).map(f64::ln)).collect::<Option<Vec<_>>>()?;
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}
