//! Conditions of filters, joins, projections and aggregates that are evaluated from left to right where an operand may fail; those of scans are
//! the scan's. And what DataFusion has come to compute below a filter that does not look at it is computed above it again, of the rows that are left.

use std::sync::Arc;

use datafusion::{
    common::{
        Result,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, Literal},
    },
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
        if let Some((above, below)) = below_projection(filter)? {
            let below: Arc<dyn ExecutionPlan> = Arc::new(below);
            let input = rewritten(&below)?.unwrap_or(below);
            return Ok(Some(Arc::new(ProjectionExec::try_new(above, input)?)));
        }
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

/// A filter of a projection whose computed columns it does not look at, taken apart: what is computed above, and the filter below that.
fn below_projection(filter: &FilterExec) -> Result<Option<(Vec<ProjectionExpr>, FilterExec)>> {
    let Some(projection) = filter.input().downcast_ref::<ProjectionExec>() else { return Ok(None) };
    let exprs = projection.expr();
    if exprs.iter().all(|shown| shown.expr.is::<Column>() || shown.expr.is::<Literal>()) {
        return Ok(None);
    }
    let mut is_of_columns = true;
    let predicate = Arc::clone(filter.predicate()).transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else { return Ok(Transformed::no(part)) };
        let source = exprs.get(column.index()).map(|shown| &shown.expr).filter(|source| source.is::<Column>());
        is_of_columns &= source.is_some();
        Ok(source.cloned().map_or_else(|| Transformed::no(Arc::clone(&part)), Transformed::yes))
    })?;
    if !is_of_columns {
        return Ok(None);
    }
    let above = match filter.projection() {
        Some(shown) => shown.iter().filter_map(|at| exprs.get(*at).cloned()).collect(),
        None => exprs.to_vec(),
    };
    let below = FilterExecBuilder::from(filter)
        .with_input(Arc::clone(projection.input()))
        .with_predicate(predicate.data)
        .apply_projection(None)?
        .build()?;
    Ok(Some((above, below)))
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::{
        logical_expr::Operator,
        physical_expr::expressions::{binary, col, lit},
        physical_plan::empty::EmptyExec,
    };

    use super::*;

    #[test]
    fn nothing_is_computed_of_rows_that_a_filter_leaves_out() {
        let fields = ["a", "b"].map(|name| Field::new(name, DataType::Int64, true));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let quotient = binary(lit(6_i64), Operator::Divide, col("b", &schema).unwrap(), &schema).unwrap();
        let exprs = [ProjectionExpr::new(col("b", &schema).unwrap(), "b"), ProjectionExpr::new(quotient, "q")];
        let projection = Arc::new(ProjectionExec::try_new(exprs, Arc::new(EmptyExec::new(schema))).unwrap());
        let filter = |column: &str| -> Arc<dyn ExecutionPlan> {
            let schema = projection.schema();
            let predicate = binary(col(column, &schema).unwrap(), Operator::NotEq, lit(0_i64), &schema).unwrap();
            Arc::new(FilterExec::try_new(predicate, Arc::clone(&projection) as Arc<dyn ExecutionPlan>).unwrap())
        };
        let rewritten = |plan| Conditions.optimize(plan, &ConfigOptions::default()).unwrap();
        let moved = rewritten(filter("b"));
        assert!(moved.is::<ProjectionExec>() && moved.children()[0].is::<FilterExec>());
        assert_eq!(moved.schema(), projection.schema());
        assert!(rewritten(filter("q")).is::<FilterExec>());
    }
}
