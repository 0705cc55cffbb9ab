//! `max` and `min` of floats as in Trino: see `functions/float_order`. Those of other types stay DataFusion's, which it can optimise further.

use datafusion::{
    common::{DFSchema, Result, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{AggregateUDF, Expr, ExprSchemable, expr::WindowFunctionDefinition},
};

use crate::functions::{Extreme, extreme_of_floats};

pub(super) fn rewrite(mut expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::AggregateFunction(aggregate) => {
            extreme(&aggregate.func, &aggregate.params.args, schema).map(|extreme| aggregate.func = extreme_of_floats(extreme))
        }
        Expr::WindowFunction(window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(func) => extreme(func, &window.params.args, schema)
                .map(|extreme| window.fun = WindowFunctionDefinition::AggregateUDF(extreme_of_floats(extreme))),
            WindowFunctionDefinition::WindowUDF(_) => None,
        },
        _ => None,
    };
    Ok(Transformed::new_transformed(expr, changed.is_some()))
}

/// Which extreme of floats a call is of, if it is.
fn extreme(func: &AggregateUDF, args: &[Expr], schema: &DFSchema) -> Option<Extreme> {
    let extreme = match func.name() {
        "max" => Extreme::Greatest,
        "min" => Extreme::Least,
        _ => return None,
    };
    let [of] = args else { return None };
    of.get_type(schema).is_ok_and(|data_type| data_type.is_floating()).then_some(extreme)
}
