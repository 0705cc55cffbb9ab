//! Sorting, grouping and partitioning by floats: the two zeros are one value, and so are all NaNs.
//!
//! The last key of `ORDER BY` decides no tie. It stays a plain column, so that scans can find the best rows by it.

use std::sync::Arc;

use datafusion::{
    common::{Column, DFSchema, DFSchemaRef, Result, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{Aggregate, Distinct, Expr, ExprSchemable, GroupingSet, LogicalPlan, LogicalPlanBuilder},
    optimizer::AnalyzerRule,
};

use crate::functions::{Nan, comparable, is_comparable};

/// Windows, and aggregates of different values.
pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let mut changed = false;
    if let Expr::WindowFunction(window) = &mut expr {
        let params = &mut window.params;
        for key in params.partition_by.iter_mut().chain(params.order_by.iter_mut().map(|key| &mut key.expr)) {
            changed |= tie(key, schema);
        }
    }
    if let Expr::AggregateFunction(aggregate) = &mut expr
        && aggregate.params.distinct
    {
        for value in &mut aggregate.params.args {
            changed |= tie(value, schema);
        }
    }
    Ok(Transformed::new_transformed(expr, changed))
}

/// `ORDER BY`, `GROUP BY` and `DISTINCT`.
#[derive(Debug)]
pub(super) struct Rows;

impl AnalyzerRule for Rows {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let tied = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Sort(mut sort) => {
                let mut changed = false;
                if let Some((_, followed)) = sort.expr.split_last_mut() {
                    for key in followed {
                        changed |= tie(&mut key.expr, sort.input.schema());
                    }
                }
                Ok(Transformed::new_transformed(LogicalPlan::Sort(sort), changed))
            }
            LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => different(input),
            plan => Ok(Transformed::no(plan)),
        });
        tied.map(|tied| tied.data)
    }

    fn name(&self) -> &str {
        "glaux_rows_that_tie"
    }
}

fn grouped(mut aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    for key in &mut aggregate.group_expr {
        changed |= match key {
            Expr::GroupingSet(GroupingSet::Rollup(keys) | GroupingSet::Cube(keys)) => tie_all(keys, aggregate.input.schema()),
            Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
                let mut of_sets = false;
                for keys in sets {
                    of_sets |= tie_all(keys, aggregate.input.schema());
                }
                of_sets
            }
            key => tie(key, aggregate.input.schema()),
        };
    }
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let named = Arc::clone(&aggregate.schema);
    let plan = LogicalPlan::Aggregate(Aggregate::try_new(aggregate.input, aggregate.group_expr, aggregate.aggr_expr)?);
    renamed(plan, &named).map(Transformed::yes)
}

fn different(input: Arc<LogicalPlan>) -> Result<Transformed<LogicalPlan>> {
    let mut changed = false;
    let columns: Vec<Expr> = (0..input.schema().fields().len())
        .map(|at| {
            let (qualifier, field) = input.schema().qualified_field(at);
            let mut column = Expr::Column(Column::from((qualifier, field)));
            if tie(&mut column, input.schema()) {
                changed = true;
                column = column.alias_qualified(qualifier.cloned(), field.name());
            }
            column
        })
        .collect();
    if !changed {
        return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
    }
    let tied = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?;
    tied.distinct()?.build().map(Transformed::yes)
}

/// The same columns by their names before.
fn renamed(plan: LogicalPlan, named: &DFSchemaRef) -> Result<LogicalPlan> {
    let columns = plan.schema().iter().zip(named.iter()).map(|(now, (qualifier, field))| {
        let column = Expr::Column(Column::from(now));
        if now.0 == qualifier && now.1.name() == field.name() {
            return column;
        }
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn tie_all(keys: &mut [Expr], schema: &DFSchema) -> bool {
    let mut changed = false;
    for key in keys {
        changed |= tie(key, schema);
    }
    changed
}

/// Whether a key was floats, and is now written so that equal ones tie.
fn tie(key: &mut Expr, schema: &DFSchema) -> bool {
    let is_float = !is_comparable(key) && key.get_type(schema).is_ok_and(|data_type| data_type.is_floating());
    if is_float {
        *key = comparable(std::mem::take(key), Nan::Greatest);
    }
    is_float
}
