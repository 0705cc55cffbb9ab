//! The line on standard error while something runs: a spinner with bytes, rows and time, or a bar with a share. Gone when it is done.

mod line;
mod share;

use std::{
    io::{self, IsTerminal},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use glaux_catalog::grpc::RepairStep;
use glaux_engine::query::{QueryReport, RepairFigures};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use line::OneLine;

use crate::{figures, terminal};

/// How often the figures are read.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// The progress of one statement or job. Drawn only on a terminal, and only when it takes longer than a moment.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// The highest share that was shown, in per mille: a share does not go back when more is found to do.
    reached: AtomicU64,
}

impl Progress {
    /// A line that shows nothing.
    pub(crate) fn hidden() -> Self {
        Self { bar: None, reached: AtomicU64::new(0) }
    }

    /// A spinner for a statement, if standard error is a terminal and progress is wanted.
    pub(crate) fn statement(wanted: bool) -> Self {
        if !wanted || !is_drawn() {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(None, target());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar: Some(bar), reached: AtomicU64::new(0) }
    }

    /// A bar over `total` units of work, if standard error is a terminal and progress is wanted.
    pub(crate) fn job(wanted: bool, total: u64, what: &str) -> Self {
        if !wanted || !is_drawn() {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(total), target());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} %  {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self { bar: Some(bar), reached: AtomicU64::new(0) }
    }

    /// Shows a statement's figures so far.
    pub(crate) fn update(&self, report: &QueryReport) {
        if let Some(bar) = &self.bar {
            let reached = self.reach(report);
            bar.set_message(figures_of(report, reached, bar.elapsed()));
            bar.tick();
        }
    }

    /// The share of a statement that is done, if that is known; it only grows.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "from 0 to 1000")]
    fn reach(&self, report: &QueryReport) -> Option<f64> {
        let now = (share::share(report)? * 1000.0) as u64;
        Some(self.reached.fetch_max(now, Relaxed).max(now) as f64 / 1000.0)
    }

    /// Shows how far a repair elsewhere is.
    pub(crate) fn repairing(&self, step: &RepairStep) {
        if let Some(bar) = &self.bar {
            let figures = RepairFigures { found: step.found, added: step.added, dropped: step.dropped };
            bar.set_message(format!("{}  {}", repaired(step.pages, figures), figures::duration(bar.elapsed())));
            bar.tick();
        }
    }

    /// Shows that a statement is being planned.
    pub(crate) fn planning(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("planning  {}", figures::duration(bar.elapsed())));
            bar.tick();
        }
    }

    /// Adds finished units of a job.
    pub(crate) fn advance(&self, units: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(units);
        }
    }

    /// Removes the line; nothing is drawn after this.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Whether standard error is a terminal that has room for a line, and can remove it.
fn is_drawn() -> bool {
    io::stderr().is_terminal() && !terminal::is_dumb() && OneLine::default().has_room()
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(OneLine::default()), 10)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One line; what matters most stands first, as a narrow terminal shows no more.
fn figures_of(report: &QueryReport, share: Option<f64>, elapsed: Duration) -> String {
    let usage = &report.usage;
    if let Some(figures) = report.repair {
        return format!("{}  {}", repaired(usage.requests.list, figures), figures::duration(elapsed));
    }
    let mut text = String::new();
    if let Some(share) = share {
        text.push_str(&format!("{:.0} %  ", (share * 100.0).floor()));
        if let Some(left) = share::time_left(share, report) {
            text.push_str(&format!("about {} left  ", figures::rough(left)));
        }
    }
    text.push_str(&format!("scanned {}", figures::bytes(usage.data_scanned_bytes)));
    if let Some(total) = usage.files.total.filter(|total| *total > 0) {
        text.push_str(&format!(" in {} of {}", figures::grouped(usage.files.scanned), figures::count(total, "file")));
    }
    if usage.rows > 0 {
        text.push_str(&format!("  {}", figures::count(usage.rows, "row")));
    }
    format!("{text}  {}", figures::duration(elapsed))
}

/// How far a repair is.
fn repaired(pages: u64, figures: RepairFigures) -> String {
    let RepairFigures { found, added, dropped } = figures;
    let mut text = format!("{} listed  {} found", figures::count(pages, "page"), figures::count(found, "partition"));
    for (figure, what) in [(added, "added"), (dropped, "dropped")] {
        if figure > 0 {
            text.push_str(&format!("  {} {what}", figures::grouped(figure)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use glaux_engine::{
        accounting::{Bill, Requests, Timings, Usage},
        query::{QueryId, QueryState},
    };

    use super::*;

    #[test]
    fn a_repair_tells_how_far_it_is() {
        let mut report = QueryReport {
            query_id: QueryId::next(),
            state: QueryState::Running,
            usage: Usage { requests: Requests { list: 57, ..Requests::default() }, ..Usage::default() },
            bill: Bill::default(),
            tariff: None,
            timings: Timings::default(),
            scan: None,
            listing: None,
            repair: Some(RepairFigures { found: 41_000, added: 8192, dropped: 0 }),
        };
        let second = Duration::from_secs(1);
        assert_eq!(figures_of(&report, None, second), "57 pages listed  41,000 partitions found  8,192 added  1.0 s");
        report.repair = None;
        assert!(figures_of(&report, None, second).starts_with("scanned 0 B"));
        report.timings.execution = 30_000;
        let text = figures_of(&report, Some(0.25), second);
        assert!(text.starts_with("25 %  about 1 min 30 s left  scanned 0 B"), "{text}");
    }
}
