//! What a scan is to read, as planning settled it. Nothing here runs.

use std::{collections::HashMap, sync::Arc};

use arrow::{compute::SortOptions, datatypes::SchemaRef};
use datafusion::{
    common::ScalarValue,
    datasource::table_schema::TableSchema,
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, DynamicFilterTracking},
        projection::ProjectionExprs,
        split_conjunction,
    },
    physical_expr_adapter::PhysicalExprAdapterFactory,
};

use crate::scan::provider::{PlannedFile, TableScan};

/// What is to be read: settled by planning, the same for every execution.
#[derive(Debug, Clone)]
pub(super) struct ScanSpec {
    pub table: Arc<TableScan>,
    pub schema: TableSchema,
    pub adapters: Arc<dyn PhysicalExprAdapterFactory>,
    /// In the order of reading, by partition and path.
    pub files: Vec<Arc<PlannedFile>>,
    pub projection: ProjectionExprs,
    pub output: SchemaRef,
    /// Rows that fail it are not in the result: nothing above checks again.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// No more rows than these are needed of each stream.
    pub limit: Option<usize>,
    /// Somebody above may stop before the rows end.
    pub is_limited: bool,
    /// Only these rows are needed; keys are over the output.
    pub top: Option<TopRows>,
}

impl ScanSpec {
    /// Whether all rows are wanted, but for bounds that whoever asks has set.
    pub(super) fn is_unfiltered(&self) -> bool {
        let is_moving = |conjunct: &&Arc<dyn PhysicalExpr>| DynamicFilterTracking::classify(conjunct).contains_dynamic_filter();
        self.predicate.iter().flat_map(split_conjunction).all(|conjunct| is_moving(&conjunct))
    }

    /// A file's values of the table's partition columns and hidden columns, by name.
    pub(super) fn literals(&self, file: &PlannedFile) -> HashMap<String, ScalarValue> {
        let names = self.schema.table_partition_cols().iter().map(|field| field.name().clone());
        names.zip(file.values.iter().cloned()).collect()
    }
}

/// The best `fetch` rows by these keys, over the rows of some node: no other row is needed of it.
#[derive(Debug, Clone)]
pub(super) struct TopRows {
    pub keys: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
    pub fetch: usize,
}

impl TopRows {
    /// Whether the keys of rows can be told: plain columns of the output.
    pub(super) fn tells_keys(&self) -> bool {
        self.keys.iter().all(|(key, _)| key.is::<Column>())
    }
}
