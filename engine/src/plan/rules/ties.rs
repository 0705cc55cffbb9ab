//! Orders and partitions of floats: the two zeros are one value, and so is NaN, whatever its bits.
//!
//! The last key of `ORDER BY` decides no tie and stays a column, by which scans find the best rows.

use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{Expr, ExprSchemable, LogicalPlan},
    optimizer::AnalyzerRule,
};

use crate::functions::{Nan, comparable};

/// Windows.
pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let mut changed = false;
    if let Expr::WindowFunction(window) = &mut expr {
        let params = &mut window.params;
        for key in params.partition_by.iter_mut().chain(params.order_by.iter_mut().map(|key| &mut key.expr)) {
            changed |= tie(key, schema);
        }
    }
    Ok(Transformed::new_transformed(expr, changed))
}

/// `ORDER BY`.
#[derive(Debug)]
pub(super) struct Sorts;

impl AnalyzerRule for Sorts {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let sorted = plan.transform_up_with_subqueries(|mut plan| {
            let mut changed = false;
            if let LogicalPlan::Sort(sort) = &mut plan
                && let Some((_, followed)) = sort.expr.split_last_mut()
            {
                for key in followed {
                    changed |= tie(&mut key.expr, sort.input.schema());
                }
            }
            Ok(Transformed::new_transformed(plan, changed))
        });
        sorted.map(|sorted| sorted.data)
    }

    fn name(&self) -> &str {
        "glaux_sorts"
    }
}

/// Whether a key was floats, and is now told such that equal ones tie.
fn tie(key: &mut Expr, schema: &DFSchema) -> bool {
    let is_float = key.get_type(schema).is_ok_and(|data_type| data_type.is_floating());
    if is_float {
        *key = comparable(std::mem::take(key), Nan::Greatest);
    }
    is_float
}
