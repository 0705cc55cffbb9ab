//! Two layouts side by side: what a question scanned on each, and what it costs.

use glaux_engine::{Result, query::QueryReport};

use super::answered::Answered;
use crate::{
    cli::say::say,
    figures,
    output::{Cell, Layout, Style},
};

/// The figures of one question on both layouts. A query that scans anything is billed for at least `minimum_bytes`.
pub(super) fn side_by_side(answered: &Answered, minimum_bytes: u64) -> String {
    let names = ["layout", "partitions", "files", "scanned", "requests", "billed", "cost (USD)", "time"];
    let rows = [("partitioned", &answered.partitioned), ("flat", &answered.flat)].map(|(name, report)| figures_of(name, report));
    let lines: String = table(&names, &rows).lines().map(|line| format!("  {line}\n")).collect();
    let scanned = [&answered.partitioned, &answered.flat].map(|report| report.usage.data_scanned_bytes);
    let mut text = format!("{lines}  {}", verdict(scanned[0], scanned[1]));
    if answered.costs_the_minimum(minimum_bytes) {
        let minimum = figures::bytes(minimum_bytes);
        text.push_str(&format!("\n  Both cost the same: a query that scans less than {minimum} is billed for {minimum}."));
    }
    text
}

/// A table whose first column is text, and the others numbers.
fn table(names: &[&str], rows: &[Vec<Cell>]) -> String {
    let columns = names.iter().enumerate().map(|(index, name)| ((*name).to_owned(), index > 0)).collect();
    Layout::new(columns, Style::default()).render(rows)
}

fn figures_of(name: &str, report: &QueryReport) -> Vec<Cell> {
    let usage = &report.usage;
    let of = |scanned: glaux_engine::accounting::Scanned| match scanned.total {
        Some(0) => "-".to_owned(),
        Some(total) => format!("{}/{}", figures::grouped(scanned.scanned), figures::grouped(total)),
        None => figures::grouped(scanned.scanned),
    };
    let cells = [
        name.to_owned(),
        of(usage.partitions),
        of(usage.files),
        figures::bytes(usage.data_scanned_bytes),
        figures::grouped(usage.requests.total()),
        figures::bytes(report.bill.billed_bytes),
        report.bill.cost_usd(),
        figures::millis(report.timings.total),
    ];
    cells.map(Cell::from).to_vec()
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
    let rows: Vec<Vec<Cell>> = answers
        .iter()
        .map(|answered| {
            let (partitioned, flat) = (answered.partitioned.usage.data_scanned_bytes, answered.flat.usage.data_scanned_bytes);
            let ratio = if partitioned == 0 { "-".to_owned() } else { ratio(flat, partitioned) };
            let title = answered.title.split(" (").next().unwrap_or_default();
            [title.to_owned(), figures::bytes(partitioned), figures::bytes(flat), ratio].map(Cell::from).to_vec()
        })
        .collect();
    say(&format!("\nBytes scanned, which is what is billed:\n{}", table(&names, &rows).trim_end()))
}

#[cfg(test)]
mod tests {
    use glaux_engine::{
        accounting::{Tariff, Timings, Usage, UsageDetail},
        query::{QueryId, QueryState},
    };

    use super::*;

    fn scanning(data_scanned_bytes: u64) -> QueryReport {
        QueryReport {
            query_id: QueryId::next(),
            state: QueryState::Succeeded,
            usage: Usage { data_scanned_bytes, ..Usage::default() },
            bill: Tariff::default().bill(&UsageDetail::of_scan(data_scanned_bytes)),
            tariff: Some(Tariff::default().id()),
            timings: Timings::default(),
            scan: None,
            listing: None,
            repair: None,
        }
    }

    #[test]
    fn equal_prices_of_unequal_scans_are_explained() {
        let minimum = Tariff::default().minimum_bytes;
        let explains = |partitioned, flat| {
            let answered = Answered { title: "A question", partitioned: scanning(partitioned), flat: scanning(flat) };
            side_by_side(&answered, minimum).contains("a query that scans less than 10 MB is billed for 10 MB")
        };
        assert!(explains(100_000, 7_000_000));
        for (partitioned, flat) in [(0, 7_000_000), (100_000, 12_000_000), (10_000_000, 10_000_000), (0, 0)] {
            assert!(!explains(partitioned, flat), "{partitioned} {flat}");
        }
    }

    #[test]
    fn the_verdict_says_who_scans_less() {
        assert_eq!(verdict(1_000, 65_400), "Partitioned scans 65 times less.");
        assert_eq!(verdict(1_000, 1_540), "Partitioned scans 1.5 times less.");
        assert_eq!(verdict(3_000, 1_000), "Flat scans 3.0 times less.");
        assert_eq!(verdict(0, 2_000_000), "Partitioned, no data is scanned at all; flat, 2 MB.");
        assert!(verdict(0, 0).contains("Neither"));
    }
}
