//! Functions as Trino has them, where DataFusion's of the same name answer otherwise or there is none. Each family is a file.
//!
//! What is no function call in SQL, such as `+`, becomes one of these in `plan` or `sql/rewrite`.

mod aggregate;
mod arithmetic;
mod comparable;
mod date_trunc;
mod decimal;
mod float_order;
mod interval;
mod named_cast;
mod names;
mod now;
mod sizes;
mod strict;
mod subscript;
mod text;
mod time_zone;
mod to_varchar;
mod version;

use std::sync::Arc;

use datafusion::{common::Result, execution::FunctionRegistry, logical_expr::ScalarUDF};

pub(crate) use aggregate::extreme_of_floats;
pub(crate) use arithmetic::Arithmetic;
pub(crate) use comparable::{Nan, comparable, equal, is_comparable};
pub(crate) use decimal::{DecimalArithmetic, is_decimal_arithmetic};
pub(crate) use float_order::Extreme;
pub(crate) use interval::{is_multiple, multiple};
pub(crate) use named_cast::NAMED_CAST;
pub(crate) use names::names;
pub(crate) use strict::{concat, is_concat};
pub(crate) use subscript::{guarded, subscript};
pub(crate) use time_zone::{AT_TIMEZONE, WITH_TIMEZONE, at_timezone, is_left_out, known_name, local_times, whole_text};
pub(crate) use to_varchar::{CUT_TEXTS, TO_CHAR, TO_VARCHAR, TRY_TO_VARCHAR, is_written_otherwise, to_varchar};

/// Puts Trino's functions in the place of DataFusion's.
///
/// # Errors
/// If the registry takes no functions.
pub(crate) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in aggregate::functions() {
        registry.register_udaf(Arc::new(function))?;
    }
    for name in strict::NAMES {
        let function = strict::function(registry.udf(name)?);
        replace(registry, function)?;
    }
    for name in sizes::NAMES {
        let function = sizes::function(registry.udf(name)?);
        replace(registry, function)?;
    }
    let functions: [ScalarUDF; 13] = [
        date_trunc::function(registry.udf(date_trunc::NAME)?),
        named_cast::named_cast(),
        text::substr(),
        subscript::element_at(),
        version::version(),
        text::split_part(),
        time_zone::with_timezone(),
        at_timezone(),
        to_varchar::bounded(TO_VARCHAR),
        to_varchar::bounded(TRY_TO_VARCHAR),
        to_varchar::bounded(TO_CHAR),
        to_varchar::cut_texts(),
        now::now(),
    ];
    for function in functions {
        replace(registry, function)?;
    }
    Ok(())
}

/// Registers a function in the place of one that has its name, or has it for an alias. That one goes under all of its names: a state that is made
/// of another registers each function once more, in no order.
fn replace(registry: &mut dyn FunctionRegistry, function: ScalarUDF) -> Result<()> {
    if let Ok(other) = registry.udf(function.name()) {
        registry.deregister_udf(other.name())?;
    }
    registry.register_udf(Arc::new(function)).map(drop)
}
