//! Conditions of filters, joins, projections and aggregates that are evaluated from left to right where an operand may fail; those of scans are
//! the scan's.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        ExecutionPlan,
        aggregates::{AggregateExec, AggregateInputMode, PhysicalGroupBy},
        filter::{FilterExec, FilterExecBuilder},
        joins::{HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, utils::JoinFilter},
        projection::{ProjectionExec, ProjectionExpr},
    },
};

use crate::conditional::lazily;

/// The rule that makes them so. Others look at conditions as they were, so that it comes after them.
#[derive(Debug, Default)]
pub(super) struct Conditions;

impl PhysicalOptimizerRule for Conditions {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let lazy = plan.transform_up(|node| match rewritten(&node)? {
            Some(node) => Ok(Transformed::yes(node)),
            None => Ok(Transformed::no(node)),
        });
        Ok(lazy?.data)
    }

    fn name(&self) -> &str {
        "conditions"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The node with such conditions, if it needs any.
fn rewritten(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let predicate = lazily(filter.predicate(), &filter.input().schema())?;
        if Arc::ptr_eq(&predicate, filter.predicate()) {
            return Ok(None);
        }
        return Ok(Some(Arc::new(FilterExecBuilder::from(filter).with_predicate(predicate).build()?)));
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        return of_projection(projection);
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let Some(filter) = of_join(join.filter())? else { return Ok(None) };
        return join.builder().with_filter(Some(filter)).build_exec().map(Some);
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let Some(filter) = of_join(join.filter())? else { return Ok(None) };
        return Ok(Some(Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?)));
    }
    match node.downcast_ref::<AggregateExec>() {
        Some(aggregate) if matches!(aggregate.mode().input_mode(), AggregateInputMode::Raw) => of_aggregate(aggregate),
        _ => Ok(None),
    }
}

fn of_projection(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = projection.input().schema();
    let mut has_changed = false;
    let mut exprs = Vec::with_capacity(projection.expr().len());
    for ProjectionExpr { expr, alias } in projection.expr() {
        let lazy = lazily(expr, &schema)?;
        has_changed |= !Arc::ptr_eq(&lazy, expr);
        exprs.push(ProjectionExpr::new(lazy, alias.as_str()));
    }
    if !has_changed {
        return Ok(None);
    }
    Ok(Some(Arc::new(ProjectionExec::try_new(exprs, Arc::clone(projection.input()))?)))
}

fn of_join(filter: Option<&JoinFilter>) -> Result<Option<JoinFilter>> {
    let Some(filter) = filter else { return Ok(None) };
    let lazy = lazily(filter.expression(), filter.schema())?;
    let is_same = Arc::ptr_eq(&lazy, filter.expression());
    Ok((!is_same).then(|| JoinFilter::new(lazy, filter.column_indices().to_vec(), Arc::clone(filter.schema()))))
}

/// What an aggregate computes from its rows: keys, arguments and filters.
fn of_aggregate(aggregate: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = aggregate.input_schema();
    let mut has_changed = false;
    let mut lazy = |expr: &Arc<dyn PhysicalExpr>| -> Result<Arc<dyn PhysicalExpr>> {
        let lazy = lazily(expr, &schema)?;
        has_changed |= !Arc::ptr_eq(&lazy, expr);
        Ok(lazy)
    };
    let group = aggregate.group_expr();
    let keys = group.expr().iter().map(|(key, name)| Ok((lazy(key)?, name.clone()))).collect::<Result<Vec<_>>>()?;
    let filters = aggregate.filter_expr().iter().map(|filter| filter.as_ref().map(&mut lazy).transpose());
    let filters = filters.collect::<Result<Vec<_>>>()?;
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        let parts = function.all_expressions();
        let arguments = parts.args.iter().map(&mut lazy).collect::<Result<Vec<_>>>()?;
        let is_same = arguments.iter().zip(&parts.args).all(|(lazy, argument)| Arc::ptr_eq(lazy, argument));
        let rewritten = if is_same { None } else { function.with_new_expressions(arguments, parts.order_by_exprs) };
        functions.push(rewritten.map_or_else(|| Arc::clone(function), Arc::new));
    }
    if !has_changed {
        return Ok(None);
    }
    let group = PhysicalGroupBy::new(keys, group.null_expr().to_vec(), group.groups().to_vec(), group.has_grouping_set());
    let input = Arc::clone(aggregate.input());
    let rewritten = AggregateExec::try_new(*aggregate.mode(), group, functions, filters, input, Arc::clone(&schema))?;
    Ok(Some(Arc::new(rewritten.with_limit_options(aggregate.limit_options()))))
}
