//! An upper bound of what a planned query will read, from its plan alone: the whole files that survived pruning.
//!
//! It looks at no file, and so does not know where in them the columns are that the query needs.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::walk;
use crate::accounting::{Bill, Scanned, Tariff, UsageDetail};

/// An upper bound of what one run of a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Files that survived pruning; a file that two scans read counts twice, as it is billed.
    pub files: u64,
    /// Their sizes.
    pub bytes: u64,
    /// The price of scanning these bytes by the tariff.
    pub bill: Bill,
    /// The partitions that survived pruning, and how many there are.
    pub partitions: Scanned,
    /// Whether the query reads files again with every step of a recursion: then nothing is known of how often.
    pub is_unbounded: bool,
}

impl Estimate {
    /// Of plans that run one after another, and what planning them counted.
    pub(crate) fn of(plans: &[Arc<dyn ExecutionPlan>], planning: &UsageDetail, tariff: &Tariff) -> Self {
        let (mut files, mut bytes, mut is_unbounded) = (0, 0, false);
        for found in plans.iter().flat_map(walk::scans) {
            for size in found.scan.files() {
                (files, bytes) = (files + 1, bytes + size);
                is_unbounded |= found.repeats;
            }
        }
        let bill = tariff.bill(&UsageDetail::of_scan(bytes));
        Self { files, bytes, bill, partitions: planning.total.partitions, is_unbounded }
    }
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        let bounded = |bytes: u64| (!self.is_unbounded).then_some(bytes);
        map.serialize_entry("data_scanned_bytes_at_most", &bounded(self.bytes))?;
        map.serialize_entry("billed_bytes_at_most", &bounded(self.bill.billed_bytes))?;
        map.serialize_entry("cost_usd_at_most", &(!self.is_unbounded).then(|| self.bill.cost_usd()))?;
        map.serialize_entry("files", &self.files)?;
        map.serialize_entry("partitions", &self.partitions)?;
        map.end()
    }
}
