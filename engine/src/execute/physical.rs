//! The physical plans of a query, one for each row of its parameters.

use std::sync::Arc;

use datafusion::{execution::TaskContext, physical_plan::ExecutionPlan};

use super::{output::Output, parameters::Parameters};
use crate::{
    error::{Error, Result},
    failure::from_datafusion,
    lifecycle::Entry,
    plan::{PlanContext, Stop, bounded, cooperative},
    sql::Query,
};

/// What a query is run by.
pub(super) struct Plans {
    pub plans: Vec<Arc<dyn ExecutionPlan>>,
    pub context: Arc<TaskContext>,
    /// The shape of the rows of all of them.
    pub output: Output,
}

impl Plans {
    /// The one plan of a statement that is run for one row of values.
    ///
    /// # Errors
    /// `Internal` if there is none.
    pub(super) fn into_one(mut self) -> Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let plan = self.plans.pop().ok_or_else(unbound)?;
        Ok((plan, self.context))
    }
}

/// Plans a query with these values.
///
/// # Errors
/// Those of resolving its names, of binding the values and of planning; `Unsupported` for several rows of values if it `is_explained`.
pub(super) async fn plans(
    context: &PlanContext,
    entry: &Arc<Entry>,
    query: &Query,
    parameters: &Parameters,
    is_explained: bool,
) -> Result<Plans> {
    let (state, logical) = context.logical(query, &context.session.database).await?;
    let bound = parameters.bind(logical, query.parameters)?;
    if is_explained {
        parameters.one_row()?;
    }
    let (mut plans, mut output) = (Vec::with_capacity(bound.len()), None);
    let entry = Arc::clone(entry);
    let stop: Stop = Arc::new(move || entry.stopped_with());
    for logical in bound {
        let optimized = state.optimize(&logical).map_err(from_datafusion)?;
        output.get_or_insert_with(|| Output::of(&optimized));
        let plan = state.query_planner().create_physical_plan(&optimized, &state).await.map_err(from_datafusion)?;
        plans.push(bounded(cooperative(plan, &stop)?, context.session.max_recursion_depth)?);
    }
    Ok(Plans { plans, context: state.task_ctx(), output: output.ok_or_else(unbound)? })
}

fn unbound() -> Error {
    Error::internal("a statement was bound to no values")
}
