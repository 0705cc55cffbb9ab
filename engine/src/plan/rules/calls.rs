//! Calls with arguments that DataFusion takes and then gives up on: refused as Trino does, or said so that it does not.

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, ScalarValue, plan_err, tree_node::Transformed},
    config::ConfigOptions,
    logical_expr::{
        Expr, ExprSchemable, cast,
        expr::{AggregateFunction, ScalarFunction},
        lit,
    },
};

use crate::functions::known_name;

/// Functions of a window that take at least one argument, and that DataFusion takes without any.
const OF_A_VALUE: [&str; 2] = ["first_value", "last_value"];

pub(super) fn rewrite(expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
    match expr {
        Expr::WindowFunction(window) => {
            let (name, args) = (window.fun.name(), &window.params.args);
            if OF_A_VALUE.contains(&name) && args.is_empty() {
                return plan_err!("unexpected parameters () for function {name}. Expected: {name}(T)");
            }
            check(name, args, window.params.distinct, schema)?;
            Ok(Transformed::no(Expr::WindowFunction(window)))
        }
        Expr::AggregateFunction(aggregate) => {
            check(aggregate.func.name(), &aggregate.params.args, aggregate.params.distinct, schema)?;
            Ok(distinct(aggregate))
        }
        Expr::ScalarFunction(call) if call.func.name() == "from_unixtime" => from_unixtime(call),
        Expr::ScalarFunction(call) if call.func.name() == "log" => Ok(logarithm(call, schema)),
        expr => Ok(Transformed::no(expr)),
    }
}

fn check(name: &str, args: &[Expr], distinct: bool, schema: &DFSchema) -> Result<()> {
    match (name, args) {
        // Positions begin at 1.
        ("nth_value", [_, Expr::Literal(ScalarValue::Int64(Some(0)), _)]) => {
            plan_err!("offset of function nth_value must be at least 1")
        }
        ("count", [_, _, ..]) if distinct => {
            let types: Result<Vec<String>> = args.iter().map(|arg| Ok(arg.get_type(schema)?.to_string())).collect();
            plan_err!("unexpected parameters ({}) for function count. Expected: count(), count(T)", types?.join(", "))
        }
        _ => Ok(()),
    }
}

/// `corr(DISTINCT x, x)` with a filter that lets all rows pass: DataFusion takes it for an aggregate of one argument, unless it has a filter.
fn distinct(mut aggregate: AggregateFunction) -> Transformed<Expr> {
    let params = &mut aggregate.params;
    let is_same = params.args.len() > 1 && params.args.windows(2).all(|two| two[0] == two[1]);
    if !params.distinct || !is_same || params.filter.is_some() {
        return Transformed::no(Expr::AggregateFunction(aggregate));
    }
    params.filter = Some(Box::new(lit(true)));
    Transformed::yes(Expr::AggregateFunction(aggregate))
}

/// With the zone by the name that Arrow knows.
fn from_unixtime(mut call: ScalarFunction) -> Result<Transformed<Expr>> {
    let [_, Expr::Literal(ScalarValue::Utf8(Some(zone)), _)] = call.args.as_mut_slice() else {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    };
    let known = known_name(zone)?;
    if known == *zone {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    *zone = known;
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// `log(x)` of a decimal as of a double: DataFusion looks for ten among its decimals, few of which hold it.
fn logarithm(mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    match call.args.as_mut_slice() {
        [of] if of.get_type(schema).is_ok_and(|data_type| data_type.is_decimal()) => {
            *of = cast(std::mem::take(of), DataType::Float64);
            Transformed::yes(Expr::ScalarFunction(call))
        }
        _ => Transformed::no(Expr::ScalarFunction(call)),
    }
}
