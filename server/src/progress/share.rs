//! How much of a query's scans is done, and how long the rest will take: calculated from row groups, which are more alike than files.

use std::{thread::available_parallelism, time::Duration};

use glaux_engine::query::QueryReport;

/// With fewer row groups than this, a share would say nothing: they are read all at once.
const LEAST_ROW_GROUPS: u64 = 8;

/// No time is told before the query has run this long, and has done this much.
const LEAST_TIME: Duration = Duration::from_secs(1);
const LEAST_SHARE: f64 = 0.02;

/// The part of a query's row groups that is done, from 0 to 1; `None` where that is not known.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(super) fn share(report: &QueryReport) -> Option<f64> {
    let files = report.usage.files.total.filter(|files| *files > 0)?;
    let scan = report.scan.as_ref()?;
    let known = report.usage.row_groups.total.filter(|known| *known > 0)?;
    let opened = (scan.footers.read + scan.footers.known).clamp(1, files);
    // The files that are not opened yet have as many as the others.
    let all = known as f64 * files as f64 / opened as f64;
    if all < LEAST_ROW_GROUPS as f64 {
        return None;
    }
    let left_out = &scan.row_groups_pruned;
    let left_out = left_out.statistics + left_out.bloom_filter + left_out.page_index + left_out.dynamic_filter + left_out.limit;
    let scanned = report.usage.row_groups.scanned;
    // A row group counts as scanned with its first bytes; those that are under way are half done.
    let under_way = scanned.min(available_parallelism().map_or(1, |threads| threads.get() as u64));
    let done = (scanned + left_out) as f64 - under_way as f64 / 2.0;
    Some((done / all).clamp(0.0, 1.0))
}

/// How long the rest of a query takes if it goes on as it went; `None` while that is a guess.
pub(super) fn time_left(share: f64, report: &QueryReport) -> Option<Duration> {
    let gone = Duration::from_millis(report.timings.execution);
    let is_known = gone >= LEAST_TIME && share >= LEAST_SHARE;
    is_known.then(|| gone.mul_f64((1.0 - share) / share))
}

#[cfg(test)]
mod tests {
    use glaux_engine::{
        accounting::{Bill, ScanDetails, Scanned, Timings, Usage},
        query::{QueryId, QueryState},
    };

    use super::*;

    fn report(files: u64, row_groups: Scanned, footers: u64) -> QueryReport {
        let mut scan = ScanDetails::default();
        scan.footers.read = footers;
        QueryReport {
            query_id: QueryId::next(),
            state: QueryState::Running,
            usage: Usage { files: Scanned { scanned: 0, total: Some(files) }, row_groups, ..Usage::default() },
            bill: Bill::default(),
            tariff: None,
            timings: Timings { execution: 10_000, ..Timings::default() },
            scan: Some(scan),
            listing: None,
            repair: None,
        }
    }

    #[test]
    fn a_share_counts_the_row_groups_of_all_files() {
        // 100 files of 100 row groups, of which 10 are opened: 1,000 of 10,000 are known, and 500 are scanned.
        let half_of_a_tenth = report(100, Scanned { scanned: 500, total: Some(1_000) }, 10);
        let share = share(&half_of_a_tenth).unwrap();
        assert!((0.04..=0.05).contains(&share), "{share}");
        let left = time_left(share, &half_of_a_tenth).unwrap();
        assert!((190..=240).contains(&left.as_secs()), "{left:?}");
    }

    #[test]
    fn what_is_left_out_is_done() {
        let mut all = report(1, Scanned { scanned: 0, total: Some(100) }, 1);
        assert_eq!(share(&all), Some(0.0));
        assert_eq!(time_left(0.0, &all), None);
        if let Some(scan) = &mut all.scan {
            scan.row_groups_pruned.statistics = 100;
        }
        assert_eq!(share(&all), Some(1.0));
    }

    #[test]
    fn there_is_no_share_of_little_or_of_the_unknown() {
        assert_eq!(share(&report(1, Scanned { scanned: 1, total: Some(4) }, 1)), None);
        assert_eq!(share(&report(0, Scanned { scanned: 0, total: Some(0) }, 0)), None);
        let unknown = QueryReport { scan: None, ..report(10, Scanned { scanned: 5, total: Some(100) }, 1) };
        assert_eq!(share(&unknown), None);
    }
}
