//! One row group that waits for its turn: what it will take, and what need not be asked of it again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use datafusion::physical_expr::PhysicalExpr;
use parquet::arrow::arrow_reader::RowSelection;

use super::{
    file::OpenFile,
    late,
    prune::{self, Survivor},
};
use crate::scan::Execution;

/// A row group that is to be read.
#[derive(Debug)]
pub(super) struct RowGroup {
    pub execution: Arc<Execution>,
    pub file: Arc<OpenFile>,
    pub group: usize,
    /// The best leading key that it may hold.
    pub best: Option<Box<[u8]>>,
    /// What it holds in memory while it is read, as far as can be told.
    pub bytes: u64,
    /// The rows in pages that may hold a match; all if absent.
    pub rows: Option<RowSelection>,
    /// What rows have to pass.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether the filter's columns are read before the others.
    pub is_late: bool,
    /// One more than the generation of the moving filter that it was last checked against.
    kept_at: AtomicU64,
}

impl RowGroup {
    pub(super) fn new(execution: &Arc<Execution>, file: &Arc<OpenFile>, survivor: Survivor, best: Option<Box<[u8]>>) -> Self {
        let Survivor { group: at, fixed_holds, rows } = survivor;
        // Only the best rows are wanted, and how good is found out on the way.
        let has_bound = execution.has_top();
        let (shape, group) = (&file.shape, file.group(at));
        let filter = shape.filter(fixed_holds);
        let top = execution.spec.top.as_ref().filter(|_| has_bound).map(|top| top.fetch);
        let is_late = late::is_late(top, shape, &file.metadata, at, fixed_holds, rows.as_ref());
        let all = late::bytes_of(group, shape.mask(filter.is_some() || has_bound));
        // What is read of the other columns is told when it is known which; until then it is taken to be little.
        let bytes = if is_late { late::bytes_of(group, &shape.filter_mask) + (all / 8) } else { all };
        let execution = Arc::clone(execution);
        Self { execution, file: Arc::clone(file), group: at, best, bytes, rows, filter, is_late, kept_at: AtomicU64::new(0) }
    }

    /// Whether none of its rows passes the moving filter, as it is.
    pub(super) fn fails_moving(&self, generation: u64) -> bool {
        let shape = &self.file.shape;
        let Some(told) = &shape.told else { return false };
        if self.kept_at.load(Relaxed) == generation + 1 {
            return false;
        }
        let pruning = shape.moving_pruning(generation, told);
        let fails = pruning.is_some_and(|pruning| prune::excludes(&pruning, shape, &self.file.metadata, self.group));
        if !fails {
            self.kept_at.store(generation + 1, Relaxed);
        }
        fails
    }
}
