//! What a scan makes of the lines of a file: the columns that it needs, what rows have to pass, and the result's columns out of them.

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::filter_record_batch,
    datatypes::{Schema, SchemaRef},
};
use datafusion::{
    common::Result,
    physical_expr::{
        PhysicalExpr,
        expressions::Column,
        projection::{ProjectionExprs, Projector},
        utils::{collect_columns, reassign_expr_columns},
    },
    physical_expr_adapter::replace_columns_with_literals,
};

use crate::scan::{Execution, PlannedFile, ScanSpec, Sieve};

/// A scan's expressions over the lines of one file: its own values are filled in.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The columns that are read, by their places among the table's data columns.
    pub columns: Vec<usize>,
    /// The same as what is decoded.
    pub schema: SchemaRef,
    projection: ProjectionExprs,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
}

impl Wanted {
    pub(super) fn new(spec: &ScanSpec, file: &PlannedFile) -> Result<Self> {
        let literals = spec.literals(file);
        let fill = |expr: Arc<dyn PhysicalExpr>| replace_columns_with_literals(expr, &literals);
        let projection = spec.projection.clone().try_map_exprs(fill)?;
        let predicate = spec.predicate.clone().map(fill).transpose()?;
        let key = |key: &Arc<dyn PhysicalExpr>| projection.expr_iter().nth(key.downcast_ref::<Column>()?.index());
        let keys = spec.top.iter().flat_map(|top| &top.keys).map(|(of_output, _)| key(of_output)).collect::<Option<Vec<_>>>();
        let keys = keys.unwrap_or_default();
        let table = spec.schema.file_schema();
        let exprs = || projection.expr_iter().chain(predicate.iter().cloned()).chain(keys.iter().cloned());
        let named: BTreeSet<usize> =
            exprs().flat_map(|expr| collect_columns(&expr)).filter_map(|column| table.index_of(column.name()).ok()).collect();
        let columns: Vec<usize> = named.into_iter().collect();
        let schema = Arc::new(Schema::new(columns.iter().map(|at| Arc::clone(&table.fields()[*at])).collect::<Vec<_>>()));
        Ok(Self { columns, schema, projection, predicate, keys })
    }
}

/// Turns what was decoded into rows of the result.
pub(super) struct Shaper {
    sieve: Option<Sieve>,
    projector: Projector,
    output: SchemaRef,
}

impl Shaper {
    pub(super) fn new(wanted: &Wanted, execution: &Arc<Execution>) -> Result<Self> {
        let bound = wanted.projection.clone().try_map_exprs(|expr| reassign_expr_columns(expr, &wanted.schema))?;
        Ok(Self {
            sieve: Sieve::cheap(execution, wanted.predicate.as_ref(), &wanted.keys),
            projector: bound.make_projector(&wanted.schema)?,
            output: Arc::clone(&execution.spec.output),
        })
    }

    /// Those of the rows that pass, as the result has them.
    pub(super) fn shape(&mut self, mut batch: RecordBatch) -> Result<RecordBatch> {
        if let Some(sieve) = &mut self.sieve {
            let passed = sieve.pass(&batch)?;
            if passed.true_count() < batch.num_rows() {
                batch = filter_record_batch(&batch, &passed)?;
            }
        }
        let projected = self.projector.project_batch(&batch)?;
        if projected.schema_ref() == &self.output {
            return Ok(projected);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(projected.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), projected.columns().to_vec(), &options)?)
    }
}
