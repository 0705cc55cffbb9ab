//! Two layouts side by side: what a question scanned on each, and what it costs.

use glaux_engine::{Result, query::QueryReport};

use super::queries::Answered;
use crate::{cli::say, figures, output::table::Layout};

/// The figures of one question on both layouts.
pub(super) fn side_by_side(answered: &Answered) -> String {
    let names = ["layout", "partitions", "files", "scanned", "requests", "billed", "cost (USD)", "time"];
    let mut layout = Layout::new(names.into_iter().map(|name| (name.to_owned(), name != "layout")).collect());
    let rows = [("partitioned", &answered.partitioned), ("flat", &answered.flat)].map(|(name, report)| figures_of(name, report));
    let table = layout.render(&rows);
    let lines: String = table.lines().map(|line| format!("  {line}\n")).collect();
    format!("{lines}  {}", verdict(answered.partitioned.usage.data_scanned_bytes, answered.flat.usage.data_scanned_bytes))
}

fn figures_of(name: &str, report: &QueryReport) -> Vec<String> {
    let usage = &report.usage;
    let of = |scanned: glaux_engine::accounting::Scanned| match scanned.total {
        Some(0) => "-".to_owned(),
        Some(total) => format!("{}/{}", figures::grouped(scanned.scanned), figures::grouped(total)),
        None => figures::grouped(scanned.scanned),
    };
    vec![
        name.to_owned(),
        of(usage.partitions),
        of(usage.files),
        figures::bytes(usage.data_scanned_bytes),
        figures::grouped(usage.requests.total()),
        figures::bytes(report.bill.billed_bytes),
        report.bill.cost_usd(),
        figures::millis(report.timings.total),
    ]
}

/// Who scanned less, and by how much.
fn verdict(partitioned: u64, flat: u64) -> String {
    match (partitioned, flat) {
        (0, 0) => "Neither scanned any data: statistics answered.".to_owned(),
        (0, flat) => format!("Partitioned, no data is scanned at all; flat, {}.", figures::bytes(flat)),
        (partitioned, 0) => format!("Flat, no data is scanned at all; partitioned, {}.", figures::bytes(partitioned)),
        (partitioned, flat) if flat >= partitioned => format!("Partitioned scans {} times less.", ratio(flat, partitioned)),
        (partitioned, flat) => format!("Flat scans {} times less.", ratio(partitioned, flat)),
    }
}

fn ratio(more: u64, less: u64) -> String {
    let tenths = (u128::from(more) * 10 + u128::from(less) / 2) / u128::from(less).max(1);
    if tenths >= 100 { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// All questions in one table.
///
/// # Errors
/// If standard output cannot be written.
pub(super) fn summary(answers: &[Answered]) -> Result<()> {
    let names = ["question", "partitioned", "flat", "flat / partitioned"];
    let mut layout = Layout::new(names.into_iter().map(|name| (name.to_owned(), name != "question")).collect());
    let rows: Vec<_> = answers
        .iter()
        .map(|answered| {
            let (partitioned, flat) = (answered.partitioned.usage.data_scanned_bytes, answered.flat.usage.data_scanned_bytes);
            let ratio = if partitioned == 0 { "-".to_owned() } else { ratio(flat, partitioned) };
            let title = answered.title.split(" (").next().unwrap_or_default();
            vec![title.to_owned(), figures::bytes(partitioned), figures::bytes(flat), ratio]
        })
        .collect();
    say(&format!("\nBytes scanned, which is what is billed:\n{}", layout.render(&rows).trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_who_scans_less() {
        assert_eq!(verdict(1_000, 65_400), "Partitioned scans 65 times less.");
        assert_eq!(verdict(1_000, 1_540), "Partitioned scans 1.5 times less.");
        assert_eq!(verdict(3_000, 1_000), "Flat scans 3.0 times less.");
        assert_eq!(verdict(0, 2_000_000), "Partitioned, no data is scanned at all; flat, 2 MB.");
        assert!(verdict(0, 0).contains("Neither"));
    }
}
