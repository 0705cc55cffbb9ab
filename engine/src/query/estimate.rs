//! What a planned query will read at most, told from its plan before it runs: the files that survived pruning, whole.
//!
//! It opens no file, and so does not know which of their columns the query needs.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    datasource::{physical_plan::FileScanConfig, source::DataSourceExec},
    physical_plan::ExecutionPlan,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::accounting::{Bill, Tariff};

/// An upper bound of what one run of a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Files that survived pruning; a file that two scans read counts twice, as it is billed.
    pub files: u64,
    /// Their sizes.
    pub bytes: u64,
    /// What the tariff makes of these bytes.
    pub bill: Bill,
}

impl Estimate {
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>, tariff: &Tariff) -> Self {
        let (mut files, mut bytes) = (0, 0);
        let walked = plan.apply(|node| {
            let scan = node.downcast_ref::<DataSourceExec>().and_then(|exec| exec.data_source().downcast_ref::<FileScanConfig>());
            for file in scan.iter().flat_map(|scan| &scan.file_groups).flat_map(|group| group.iter()) {
                // A range of a file stands for its part of it: the ranges of one file add up to the whole.
                let size = file.range.as_ref().map_or(file.object_meta.size, |range| range.end.abs_diff(range.start));
                let begins = file.range.as_ref().is_none_or(|range| range.start == 0);
                (files, bytes) = (files + u64::from(begins), bytes + size);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(walked.is_ok(), "looking at a plan cannot fail");
        Self { files, bytes, bill: tariff.bill(bytes) }
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
