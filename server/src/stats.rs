//! The bill of a statement on standard error or in a file: one human line, or the contract's JSON object on one line.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use glaux_engine::{
    Error, Result,
    accounting::Scanned,
    query::{QueryReport, QueryState},
};

use crate::{
    diagnostic, figures,
    terminal::{Paint, paint, stderr_is_colored},
};

/// How a statement's figures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    /// Not at all
    None,
    /// One line for people
    Text,
    /// One JSON object a statement, on one line
    Json,
}

/// Where figures go, and in which form.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) format: StatsFormat,
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Stats {
    /// Without a format: JSON into a file, else text on a terminal, else nothing.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(crate) fn open(format: Option<StatsFormat>, file: Option<&Path>) -> Result<Self> {
        let default = match file {
            Some(_) => StatsFormat::Json,
            None if io::stderr().is_terminal() => StatsFormat::Text,
            None => StatsFormat::None,
        };
        let create = |path: &Path| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), BufWriter::new(file))),
            Err(error) => Err(diagnostic::io_error("create the statistics file", path, error)),
        };
        Ok(Self { format: format.unwrap_or(default), file: file.map(create).transpose()? })
    }

    /// Shows one statement's figures. `columns` tells a statement that returns rows from one that does not.
    ///
    /// # Errors
    /// If the file cannot be written; a closed standard error is no error.
    pub(crate) fn show(&mut self, report: &QueryReport, columns: bool) -> Result<()> {
        let line = match self.format {
            StatsFormat::None => return Ok(()),
            StatsFormat::Text => text(report, columns),
            StatsFormat::Json => json(report)?,
        };
        match &mut self.file {
            Some((path, file)) => {
                writeln!(file, "{line}").and_then(|()| file.flush()).map_err(|error| diagnostic::io_error("write", path, error))
            }
            None => {
                let is_dimmed = self.format == StatsFormat::Text && stderr_is_colored();
                let line = if is_dimmed { paint(&line, Paint::Dim) } else { line };
                let _ = writeln!(io::stderr().lock(), "{line}");
                Ok(())
            }
        }
    }
}

/// The contract's object, on one line, with how the scans got their files and bytes, and what a repair did.
fn json(report: &QueryReport) -> Result<String> {
    let written = || {
        let mut object = serde_json::to_value(report)?;
        let Some(members) = object.as_object_mut() else { return serde_json::to_string(&object) };
        if let Some(scan) = &report.scan {
            members.insert("scan".to_owned(), serde_json::to_value(scan)?);
        }
        if let Some(listing) = &report.listing {
            members.insert("listing".to_owned(), serde_json::to_value(listing)?);
        }
        if let Some(repair) = &report.repair {
            members.insert("repair".to_owned(), serde_json::to_value(repair)?);
        }
        serde_json::to_string(&object)
    };
    written().map_err(|error: serde_json::Error| Error::internal("cannot write the statistics as JSON").with_source(error))
}

/// One line for people: `3 rows in 41 ms, scanned 1.24 MB of data in 1 of 84 files, 1 of 84 partitions; 4 requests; billed 10 MB = 0.00005 USD`.
pub(crate) fn text(report: &QueryReport, columns: bool) -> String {
    let usage = &report.usage;
    let outcome = match report.state {
        QueryState::Failed => "failed".to_owned(),
        QueryState::Cancelled => "cancelled".to_owned(),
        QueryState::Queued | QueryState::Running | QueryState::Succeeded if columns => figures::count(usage.rows, "row"),
        QueryState::Queued | QueryState::Running | QueryState::Succeeded => "done".to_owned(),
    };
    let mut line = format!("{outcome} in {}", figures::millis(report.timings.total));
    let touched = usage.files.total.unwrap_or(0) > 0 || usage.partitions.total != Some(0) || usage.data_scanned_bytes > 0;
    if touched {
        let _ = write!(line, ", scanned {} of data in {}", figures::bytes(usage.data_scanned_bytes), part(usage.files, "file"));
        if usage.partitions.total != Some(0) {
            let _ = write!(line, ", {}", part(usage.partitions, "partition"));
        }
    }
    if usage.requests.total() > 0 {
        let _ = write!(line, "; {}", figures::count(usage.requests.total(), "request"));
    }
    if touched {
        let bill = report.bill;
        let _ = write!(line, "; billed {} = {bill}", figures::bytes(bill.billed_bytes));
        // A bill for the scan alone has no parts.
        if bill.total() != bill.scan {
            let parts = [("scan", bill.scan), ("requests", bill.requests), ("transfer", bill.transfer)];
            let parts = parts.into_iter().filter(|(_, cost)| !cost.is_zero()).map(|(part, cost)| format!("{part} {cost}"));
            let _ = write!(line, " ({})", parts.collect::<Vec<_>>().join(", "));
        }
    }
    line
}

/// `1 of 84 files`, or `1 file` where the total is not known.
pub(crate) fn part(scanned: Scanned, noun: &str) -> String {
    match scanned.total {
        Some(total) => format!("{} of {}", figures::grouped(scanned.scanned), figures::count(total, noun)),
        None => figures::count(scanned.scanned, noun),
    }
}

#[cfg(test)]
mod tests {
    use glaux_engine::{
        accounting::{Requests, StoreUsage, Tariff, Timings, Usage, UsageDetail},
        query::QueryId,
    };

    use super::*;

    fn report() -> QueryReport {
        let usage = Usage {
            data_scanned_bytes: 1_240_000,
            requests: Requests { get: 3, list: 1, ..Requests::default() },
            files: Scanned { scanned: 1, total: Some(84) },
            partitions: Scanned { scanned: 1, total: Some(84) },
            rows: 3,
            ..Usage::default()
        };
        QueryReport {
            query_id: QueryId::next(),
            state: QueryState::Succeeded,
            bill: Tariff::default().bill(&UsageDetail::of_scan(usage.data_scanned_bytes)),
            tariff: Some(Tariff::default().id()),
            usage,
            timings: Timings { total: 41, ..Timings::default() },
            scan: None,
            listing: None,
            repair: None,
        }
    }

    #[test]
    fn a_query_is_told_in_one_line() {
        assert_eq!(
            text(&report(), true),
            "3 rows in 41 ms, scanned 1.24 MB of data in 1 of 84 files, 1 of 84 partitions; 4 requests; billed 10 MB = 0.00005 USD"
        );
        let failed = QueryReport { state: QueryState::Failed, ..report() };
        assert!(text(&failed, true).starts_with("failed in 41 ms, scanned 1.24 MB"));
    }

    /// 1,000 GETs at 0.0004 USD and one page of a listing at 0.000005.
    #[test]
    fn a_bill_with_requests_has_its_parts() {
        let requests = Requests { get: 1_000, list: 1, ..Requests::default() };
        let stores = vec![StoreUsage { store: "s3://lake".to_owned(), requests, fetched_bytes: 0 }];
        let bill = Tariff::athena_s3().bill(&UsageDetail { stores, ..UsageDetail::of_scan(1_240_000) });
        let line = text(&QueryReport { bill, ..report() }, true);
        assert!(line.ends_with("; billed 10 MB = 0.000455 USD (scan 0.00005, requests 0.000405)"), "{line}");
    }

    #[test]
    fn a_statement_without_tables_has_no_bill() {
        let usage = Usage { partitions: Scanned { scanned: 0, total: Some(0) }, ..Usage::default() };
        let ddl = QueryReport { usage, ..report() };
        assert_eq!(text(&ddl, false), "done in 41 ms");
    }

    #[test]
    fn json_is_one_line_with_the_names_of_the_contract() {
        let line = json(&report()).unwrap();
        assert!(!line.contains('\n'));
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["data_scanned_bytes"], 1_240_000);
        assert_eq!(object["cost_usd"], "0.00005");
        assert_eq!(object["cost"], serde_json::json!({ "scan_usd": "0.00005", "requests_usd": "0", "transfer_usd": "0" }));
        assert_eq!(object["tariff"], "athena@2026-11-01");
        assert_eq!(object["partitions"]["total"], 84);
        assert_eq!(object["timings_ms"]["total"], 41);
    }
}
