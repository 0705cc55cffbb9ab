//! The tests that rows have to pass where statistics do not decide: the filter, and the bound of a `LIMIT`.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::{filter_record_batch, prep_null_mask_filter},
    datatypes::Schema,
};
use datafusion::{
    common::Result,
    physical_expr::{PhysicalExpr, utils::reassign_expr_columns},
};

use super::{cheap, execution::Execution};
use crate::conditional::lazily;

/// What rows have to pass.
#[derive(Debug)]
pub(crate) struct Sieve {
    filter: Option<Arc<dyn PhysicalExpr>>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Whether the expressions are over the columns as they come.
    is_bound: bool,
    execution: Arc<Execution>,
}

impl Sieve {
    /// `keys` are those of the best rows, if only these are wanted. `None` if all rows pass.
    pub(crate) fn new(
        execution: &Arc<Execution>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        keys: &[Arc<dyn PhysicalExpr>],
    ) -> Option<Self> {
        let keys = if execution.has_top() { keys.to_vec() } else { Vec::new() };
        (filter.is_some() || !keys.is_empty()).then(|| Self { filter, keys, is_bound: false, execution: Arc::clone(execution) })
    }

    /// The same for rows that are here whether or not they pass: only of what costs less than what it spares those above.
    pub(crate) fn cheap(
        execution: &Arc<Execution>,
        filter: Option<&Arc<dyn PhysicalExpr>>,
        keys: &[Arc<dyn PhysicalExpr>],
    ) -> Option<Self> {
        Self::new(execution, filter.and_then(cheap::part_of), keys)
    }

    fn bind(&mut self, schema: &Schema) -> Result<()> {
        if !self.is_bound {
            let bind = |expr| reassign_expr_columns(expr, schema);
            self.filter = self.filter.take().map(|filter| lazily(&bind(filter)?, schema)).transpose()?;
            self.keys = std::mem::take(&mut self.keys).into_iter().map(bind).collect::<Result<_>>()?;
            self.is_bound = true;
        }
        Ok(())
    }

    /// Which rows pass.
    ///
    /// # Errors
    /// Those of evaluating the filter.
    pub(crate) fn pass(&mut self, batch: &RecordBatch) -> Result<BooleanArray> {
        self.bind(&batch.schema())?;
        let rows = batch.num_rows();
        let passed = match &self.filter {
            Some(filter) => {
                let passed = filter.evaluate(batch)?.into_array(rows)?;
                let passed = passed.as_boolean();
                if passed.null_count() > 0 { prep_null_mask_filter(passed) } else { passed.clone() }
            }
            None => BooleanArray::from(vec![true; rows]),
        };
        let Some(top) = self.execution.top().filter(|_| !self.keys.is_empty()) else { return Ok(passed) };
        let left = filter_record_batch(batch, &passed)?;
        let keys: Vec<ArrayRef> =
            self.keys.iter().map(|key| key.evaluate(&left)?.into_array(left.num_rows())).collect::<Result<_>>()?;
        let admitted = top.admit(&keys)?;
        let mut admitted = admitted.values().iter();
        Ok(passed.values().iter().map(|passed| Some(passed && admitted.next().unwrap_or(false))).collect())
    }
}
