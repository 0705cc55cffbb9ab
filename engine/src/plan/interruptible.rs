//! Join conditions that check whether their query was cancelled.
//!
//! A join evaluates its condition on thousands of pairs at a time, and returns to the runtime only with rows. Where none match, it would compute until
//! there are no more pairs, even for a query that has ended, and block its worker for others.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, FieldRef, Schema},
};
use datafusion::{
    error::Result as DataFusionResult,
    logical_expr::ColumnarValue,
    physical_plan::{PhysicalExpr, joins::utils::JoinFilter},
};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::error::{Error, to_datafusion};

/// Why a query is to end, once it is.
pub(crate) type Stop = Arc<dyn Fn() -> Option<Error> + Send + Sync>;

/// How often the worker's other tasks are given to another thread: a join that computes for less keeps its worker.
const TURN: Duration = Duration::from_millis(10);

/// The same condition.
pub(super) fn interruptible(filter: &JoinFilter, stop: &Stop) -> JoinFilter {
    let condition = Interruptible {
        condition: Arc::clone(filter.expression()),
        stop: Arc::clone(stop),
        turn: Arc::new(Mutex::new(Instant::now())),
    };
    JoinFilter::new(Arc::new(condition), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

struct Interruptible {
    condition: Arc<dyn PhysicalExpr>,
    stop: Stop,
    /// When the worker's other tasks went last.
    turn: Arc<Mutex<Instant>>,
}

impl Interruptible {
    /// Whether it is time to let others go on.
    fn is_due(&self) -> bool {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = turn.elapsed() >= TURN;
        if is_due {
            *turn = Instant::now();
        }
        is_due && Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
    }
}

impl PhysicalExpr for Interruptible {
    fn data_type(&self, input_schema: &Schema) -> DataFusionResult<DataType> {
        self.condition.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> DataFusionResult<bool> {
        self.condition.nullable(input_schema)
    }

    fn return_field(&self, input_schema: &Schema) -> DataFusionResult<FieldRef> {
        self.condition.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        if let Some(error) = (self.stop)() {
            return Err(to_datafusion(error));
        }
        if self.is_due() {
            // What else this worker has to do goes to another thread, until this poll is over.
            return tokio::task::block_in_place(|| self.condition.evaluate(batch));
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let condition = children.pop().unwrap_or_else(|| Arc::clone(&self.condition));
        Ok(Arc::new(Self { condition, stop: Arc::clone(&self.stop), turn: Arc::clone(&self.turn) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

impl fmt::Display for Interruptible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl fmt::Debug for Interruptible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interruptible").field(&self.condition).finish()
    }
}

impl PartialEq for Interruptible {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for Interruptible {}

impl Hash for Interruptible {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}
