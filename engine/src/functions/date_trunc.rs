//! `date_trunc` of a date is a date, of any year; DataFusion's is a timestamp, of the years that have nanoseconds. Of timestamps and times it is
//! DataFusion's.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Date32Array},
    datatypes::{DataType, Date32Type, Field, FieldRef, TimeUnit},
};
use chrono::{Datelike, Days, NaiveDate};
use datafusion::{
    common::{Result, ScalarValue, exec_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        sort_properties::{ExprProperties, SortProperties},
    },
};

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    plain: Arc<ScalarUDF>,
    signature: Signature,
}

pub(super) const NAME: &str = "date_trunc";

pub(super) fn function(plain: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::new_from_impl(DateTrunc { plain, signature: Signature::user_defined(Volatility::Immutable) })
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        self.plain.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let of = match types {
            [unit, of] if unit.is_string() || unit.is_null() => of,
            _ => return plan_err!("function '{NAME}' takes a unit and a date, time or timestamp"),
        };
        let of = match of {
            DataType::Date32 | DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => of.clone(),
            text if text.is_string() || text.is_null() => DataType::Timestamp(TimeUnit::Nanosecond, None),
            other => return plan_err!("function '{NAME}' takes a date, time or timestamp, not {other}"),
        };
        Ok(vec![DataType::Utf8, of])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [_, DataType::Date32] => Ok(DataType::Date32),
            _ => self.plain.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [_, date] if *date.data_type() == DataType::Date32 => Ok(Arc::new(Field::new(NAME, DataType::Date32, true))),
            _ => self.plain.return_field_from_args(args),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.plain.output_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [unit, dates] = args.args.as_slice() else { return self.plain.invoke_with_args(args) };
        if dates.data_type() != DataType::Date32 {
            return self.plain.invoke_with_args(args);
        }
        let ColumnarValue::Scalar(ScalarValue::Utf8(unit)) = unit else {
            return exec_err!("the unit of '{NAME}' must be a constant text, such as 'month'");
        };
        let Some(unit) = unit else { return Ok(ColumnarValue::Scalar(ScalarValue::Date32(None))) };
        make_scalar_function(|dates| truncated(unit, &dates[0]), Vec::new())(std::slice::from_ref(dates))
    }
}

/// The first day of what a date is in.
type First = fn(NaiveDate) -> Option<NaiveDate>;

fn truncated(unit: &str, dates: &ArrayRef) -> Result<ArrayRef> {
    let first: First = match unit.to_lowercase().as_str() {
        "day" => Some,
        "week" => |date| date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into())),
        "month" => |date| NaiveDate::from_ymd_opt(date.year(), date.month(), 1),
        "quarter" => |date| NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1),
        "year" => |date| NaiveDate::from_ymd_opt(date.year(), 1, 1),
        _ => return exec_err!("'{unit}' is not a valid unit of a date; those are day, week, month, quarter and year"),
    };
    let of = |days: i32| Some(Date32Type::from_naive_date(first(Date32Type::to_naive_date_opt(days)?)?));
    let truncated: Result<Date32Array> = dates
        .as_primitive::<Date32Type>()
        .iter()
        .map(|days| match days.map(of) {
            Some(None) => exec_err!("a date is beyond the calendar"),
            Some(days) => Ok(days),
            None => Ok(None),
        })
        .collect();
    Ok(Arc::new(truncated?))
}
