//! Keeps filters in the order in which they are evaluated (`conditional`): what may fail comes behind what cannot. DataFusion puts its cheap filters
//! first, and computes for all rows what the first of them has in common with others, below the filter.

use std::sync::Arc;

use datafusion::{
    common::{
        DFSchema, Result,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        BinaryExpr, Expr, Filter, LogicalPlan,
        execution_props::ExecutionProps,
        physical_planning_context::PhysicalPlanningContext,
        utils::{conjunction, split_conjunction},
    },
    optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule},
    physical_expr::create_physical_expr,
};

use super::rules::is_comparison;
use crate::conditional;

/// The rule that orders them: behind the one that moves filters, before the one that looks for what they have in common.
#[derive(Debug)]
pub(super) struct FiltersInOrder;

impl OptimizerRule for FiltersInOrder {
    fn name(&self) -> &str {
        "glaux_filters_in_order"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let Some(predicate) = in_order(&filter.predicate, filter.input.schema()) else { return Ok(Transformed::no(plan)) };
        Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, Arc::clone(&filter.input))?)))
    }
}

/// The same filter with what may fail at its end; `None` if it has that already.
fn in_order(predicate: &Expr, schema: &DFSchema) -> Option<Expr> {
    let conjuncts = split_conjunction(predicate);
    if conjuncts.len() < 2 {
        return None;
    }
    let (last, first): (Vec<&Expr>, Vec<&Expr>) = conjuncts.iter().copied().partition(|conjunct| may_fail(conjunct, schema));
    let ordered: Vec<&Expr> = first.into_iter().chain(last).collect();
    if ordered.iter().zip(&conjuncts).all(|(now, before)| std::ptr::eq(*now, *before)) {
        return None;
    }
    conjunction(ordered.into_iter().cloned())
}

/// Whether a conjunct may fail; one that cannot be planned by itself may.
fn may_fail(conjunct: &Expr, schema: &DFSchema) -> bool {
    if !conjunct.exists(|part| Ok(computes(part))).unwrap_or(true) {
        return false;
    }
    let planned = create_physical_expr(conjunct, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default());
    !planned.is_ok_and(|planned| !conditional::may_fail(&planned, schema.as_arrow()))
}

/// Whether a part of a conjunct does more than compare: a list of very many constants is not planned to learn that.
fn computes(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => !is_comparison(*op) && !op.is_logic_operator(),
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Between(_)
        | Expr::InList(_) => false,
        _ => true,
    }
}
