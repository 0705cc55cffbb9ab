//! The figures of one question on both layouts.

use glaux_engine::query::QueryReport;

/// The figures of one question on both layouts.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) title: &'static str,
    pub(super) partitioned: QueryReport,
    pub(super) flat: QueryReport,
}

impl Answered {
    /// Whether both layouts cost the same although they scan differently, because each is billed for the least that a query pays for.
    pub(super) fn costs_the_minimum(&self, minimum_bytes: u64) -> bool {
        let is_minimum = |report: &QueryReport| {
            report.bill.billed_bytes == minimum_bytes && (1..minimum_bytes).contains(&report.usage.data_scanned_bytes)
        };
        is_minimum(&self.partitioned) && is_minimum(&self.flat)
    }
}
