//! The specification of a scan, as the planner made it: plain data, apart from the handles of the files' stores. Nothing here runs.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    sync::Arc,
};

use arrow::{compute::SortOptions, datatypes::SchemaRef};
use datafusion::{
    common::ScalarValue,
    datasource::table_schema::TableSchema,
    physical_expr::{
        PhysicalExpr, PhysicalExprSimplifier,
        expressions::{Column as ColumnExpr, DynamicFilterTracking, Literal},
        projection::ProjectionExprs,
        split_conjunction,
        utils::collect_columns,
    },
    physical_expr_adapter::replace_columns_with_literals,
    physical_optimizer::pruning::PruningPredicateBuilder,
};
use glaux_catalog::model::{Column, SerDe};

use super::file::DataFile;

/// A file of a planned scan.
#[derive(Debug)]
pub(crate) struct PlannedFile {
    pub file: DataFile,
    /// Its values of the table's partition columns and hidden columns.
    pub values: Vec<ScalarValue>,
    /// What its partition has of its own, if anything.
    pub own: Option<Arc<Own>>,
}

/// How the files of a partition are laid out otherwise than the table's.
#[derive(Debug)]
pub(crate) struct Own {
    pub serde: Option<SerDe>,
    pub columns: Option<Vec<Column>>,
}

/// A range of a file: what begins in it is read with it, be it a row group or a line.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    pub file: Arc<PlannedFile>,
    pub range: Range<u64>,
    /// Its place in the order of reading, by partition, path and range.
    pub position: usize,
    /// The stream that reads it, if streams do not share their work.
    pub stream: usize,
}

impl Split {
    /// Whether it is all of its file.
    pub(crate) fn is_whole(&self) -> bool {
        self.range.start == 0 && self.range.end >= self.file.file.meta.size
    }
}

/// What a query's filters were for pruning the partitions of a table.
#[derive(Debug, Default)]
pub(crate) struct Pruning {
    /// The partition keys.
    pub keys: Vec<String>,
    /// Whether a filter says which values of partition keys are wanted.
    pub is_filtered: bool,
    /// Filters that speak of partition keys and do not say which values are wanted, as text.
    pub unusable: Vec<String>,
}

/// What is to be read: the same for every execution.
#[derive(Debug, Clone)]
pub(crate) struct ScanSpec {
    /// The table's name.
    pub table: Arc<str>,
    /// How its partitions were pruned.
    pub pruning: Arc<Pruning>,
    pub schema: TableSchema,
    /// In the order of reading.
    pub splits: Vec<Arc<Split>>,
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
    pub(crate) fn is_unfiltered(&self) -> bool {
        let is_moving = |conjunct: &&Arc<dyn PhysicalExpr>| DynamicFilterTracking::classify(conjunct).contains_dynamic_filter();
        self.predicate.iter().flat_map(split_conjunction).all(|conjunct| is_moving(&conjunct))
    }

    /// The files, in the order of reading. The splits of one lie side by side.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Arc<PlannedFile>> {
        let is_first = |at: usize| at == 0 || !Arc::ptr_eq(&self.splits[at - 1].file, &self.splits[at].file);
        self.splits.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, split)| &split.file)
    }

    /// A file's values of the table's partition columns and hidden columns, by name.
    pub(crate) fn literals(&self, file: &PlannedFile) -> HashMap<String, ScalarValue> {
        let names = self.schema.table_partition_cols().iter().map(|field| field.name().clone());
        names.zip(file.values.iter().cloned()).collect()
    }

    /// Whether the filter speaks of partition or hidden columns.
    pub(super) fn filters_by_values(&self) -> bool {
        self.predicate.as_ref().is_some_and(|predicate| self.speaks_of_values(predicate))
    }

    /// Whether the filter, which speaks of partition or hidden columns, lets nothing of a file pass, whatever is in it: told by its values of these.
    pub(super) fn excludes_file(&self, planned: &PlannedFile) -> bool {
        let Some(predicate) = &self.predicate else { return false };
        let file = self.schema.file_schema();
        let folded = replace_columns_with_literals(Arc::clone(predicate), &self.literals(planned)).and_then(|predicate| {
            let predicate = PhysicalExprSimplifier::new(file).simplify(predicate)?;
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(file)).try_build(predicate)
        });
        folded.is_ok_and(|folded| {
            let literal = folded.orig_expr().downcast_ref::<Literal>();
            literal.is_some_and(|literal| matches!(literal.value(), ScalarValue::Boolean(Some(false) | None)))
        })
    }

    /// Whether any part of the filter is found while the query runs.
    pub(crate) fn has_moving(&self) -> bool {
        self.predicate.iter().any(|predicate| DynamicFilterTracking::classify(predicate).contains_dynamic_filter())
    }

    /// Whether an expression is a partition or hidden column as it is: filled in for each file, so that files share everything else.
    pub(crate) fn is_value(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        expr.downcast_ref::<ColumnExpr>().is_some_and(|column| self.is_of_partition(column))
    }

    /// Whether a column is a partition or hidden column: few are, so that this is cheap in wide tables.
    fn is_of_partition(&self, column: &ColumnExpr) -> bool {
        self.schema.table_partition_cols().iter().any(|field| field.name() == column.name())
    }

    /// Whether an expression speaks of partition or hidden columns.
    pub(crate) fn speaks_of_values(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        collect_columns(expr).iter().any(|column| self.is_of_partition(column))
    }

    /// The columns of the files that are wanted.
    pub(crate) fn data_columns(&self) -> BTreeSet<String> {
        let exprs = self.predicate.iter().cloned().chain(self.projection.expr_iter());
        let columns = exprs.flat_map(|expr| collect_columns(&expr)).filter(|column| !self.is_of_partition(column));
        columns.map(|column| column.name().to_owned()).collect()
    }

    /// Whether any column of the files is wanted.
    pub(crate) fn needs_data(&self) -> bool {
        let is_of_file = |expr: &_| collect_columns(expr).iter().any(|column| !self.is_of_partition(column));
        self.predicate.iter().any(is_of_file) || self.projection.expr_iter().any(|expr| is_of_file(&expr))
    }
}

/// The best `fetch` rows by these keys, over the rows of some node: no other row is needed of it.
#[derive(Debug, Clone)]
pub(crate) struct TopRows {
    pub keys: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
    pub fetch: usize,
}

impl TopRows {
    /// Whether the keys of rows can be told: plain columns of the output.
    pub(crate) fn tells_keys(&self) -> bool {
        self.keys.iter().all(|(key, _)| key.is::<ColumnExpr>())
    }
}
