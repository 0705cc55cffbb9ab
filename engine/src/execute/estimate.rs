//! An upper bound of what a planned query will read, from its plan before it runs: the whole files that survived pruning.
//!
//! It opens no file, and so does not know where in them the columns are that the query needs.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    physical_plan::ExecutionPlan,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    accounting::{Bill, Tariff, UsageDetail},
    scan::LakeScan,
};

/// An upper bound of what one run of a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Files that survived pruning; a file that two scans read counts twice, as it is billed.
    pub files: u64,
    /// Their sizes.
    pub bytes: u64,
    /// The price of scanning these bytes by the tariff.
    pub bill: Bill,
}

impl Estimate {
    /// Of plans that run one after another.
    pub(super) fn of(plans: &[Arc<dyn ExecutionPlan>], tariff: &Tariff) -> Self {
        let (mut files, mut bytes) = (0, 0);
        let mut walk = |node: &Arc<dyn ExecutionPlan>| {
            for size in node.downcast_ref::<LakeScan>().into_iter().flat_map(LakeScan::files) {
                (files, bytes) = (files + 1, bytes + size);
            }
            Ok(TreeNodeRecursion::Continue)
        };
        let walked = plans.iter().try_for_each(|plan| plan.apply(&mut walk).map(drop));
        debug_assert!(walked.is_ok(), "looking at a plan cannot fail");
        Self { files, bytes, bill: tariff.bill(&UsageDetail::of_scan(bytes)) }
    }
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("data_scanned_bytes_at_most", &self.bytes)?;
        map.serialize_entry("billed_bytes_at_most", &self.bill.billed_bytes)?;
        map.serialize_entry("cost_usd_at_most", &self.bill.cost_usd())?;
        map.serialize_entry("files", &self.files)?;
        map.end()
    }
}
