//! `INTERVAL '5' MINUTE * n`, which DataFusion has no operator for.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray},
    compute::kernels::arity::try_binary,
    datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit},
    error::ArrowError,
};
use datafusion::{
    common::{Result, internal_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, expr::ScalarFunction,
    },
};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Multiply(Signature);

/// Whether `*` of these is an interval so many times; then which side is the interval.
pub(crate) fn is_multiple(left: &DataType, right: &DataType) -> Option<bool> {
    if *left == INTERVAL && right.is_integer() {
        return Some(true);
    }
    (left.is_integer() && *right == INTERVAL).then_some(false)
}

/// An interval so many times.
pub(crate) fn multiple(interval: Expr, times: Expr) -> Expr {
    let function = ScalarUDF::new_from_impl(Multiply(Signature::exact(vec![INTERVAL, DataType::Int64], Volatility::Immutable)));
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![interval, times]))
}

impl ScalarUDFImpl for Multiply {
    fn name(&self) -> &str {
        "interval_multiply"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
            let [intervals, times] = arrays else { return internal_err!("an interval is multiplied by one number") };
            let (intervals, times) = (intervals.as_primitive::<IntervalMonthDayNanoType>(), times.as_primitive::<Int64Type>());
            Ok(Arc::new(try_binary::<_, _, _, IntervalMonthDayNanoType>(intervals, times, multiplied)?))
        };
        make_scalar_function(values, Vec::new())(&args.args)
    }
}

fn multiplied(interval: IntervalMonthDayNano, times: i64) -> Result<IntervalMonthDayNano, ArrowError> {
    let of = |part: i32| i64::from(part).checked_mul(times).and_then(|part| i32::try_from(part).ok());
    match (of(interval.months), of(interval.days), interval.nanoseconds.checked_mul(times)) {
        (Some(months), Some(days), Some(nanoseconds)) => Ok(IntervalMonthDayNano::new(months, days, nanoseconds)),
        _ => Err(ArrowError::ArithmeticOverflow(format!("Overflow happened on: an interval * {times}"))),
    }
}
