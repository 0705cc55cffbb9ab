//! `date_trunc` of dates, times and timestamps: it keeps their type, and covers the whole calendar. DataFusion's counts in nanoseconds, which
//! only reach from 1677 to 2262.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Date32Array},
    compute::cast,
    datatypes::{DataType, Date32Type, Field, FieldRef, Int64Type, TimeUnit},
};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime};
use datafusion::{
    common::{Result, ScalarValue, exec_err, internal_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        sort_properties::{ExprProperties, SortProperties},
    },
};

use super::time_zone::{a_second, converted, instants, local_times, retyped, zone};

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
            text if text.is_string() || text.is_null() => DataType::Timestamp(TimeUnit::Millisecond, None),
            other => return plan_err!("function '{NAME}' takes a date, time or timestamp, not {other}"),
        };
        Ok(vec![DataType::Utf8, of])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [_, of] => Ok(of.clone()),
            _ => internal_err!("'{NAME}' takes two arguments"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [_, of] => Ok(Arc::new(Field::new(NAME, of.data_type().clone(), true))),
            _ => internal_err!("'{NAME}' takes two arguments"),
        }
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.plain.output_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(ScalarValue::Utf8(unit)), values] = args.args.as_slice() else {
            return exec_err!("the unit of '{NAME}' must be a string literal, such as 'month'");
        };
        let Some(unit) = unit else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
        };
        make_scalar_function(|values| truncated(unit, &values[0]), Vec::new())(std::slice::from_ref(values))
    }
}

/// The first day of what a date is in.
type First = fn(NaiveDate) -> Option<NaiveDate>;

#[derive(Clone, Copy)]
enum Unit {
    /// So many in a second, or so many seconds.
    PartOfSecond(i64),
    Seconds(i64),
    Days(First),
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name.to_lowercase().as_str() {
        "millisecond" => Unit::PartOfSecond(1_000),
        "second" => Unit::Seconds(1),
        "minute" => Unit::Seconds(60),
        "hour" => Unit::Seconds(3_600),
        "day" => Unit::Days(Some),
        "week" => Unit::Days(|date| date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))),
        "month" => Unit::Days(|date| NaiveDate::from_ymd_opt(date.year(), date.month(), 1)),
        "quarter" => Unit::Days(|date| NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1)),
        "year" => Unit::Days(|date| NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        _ => return None,
    })
}

fn truncated(name: &str, values: &ArrayRef) -> Result<ArrayRef> {
    const OF_DAYS: &str = "day, week, month, quarter and year";
    const OF_CLOCKS: &str = "millisecond, second, minute and hour";
    match (values.data_type(), unit(name)) {
        (DataType::Date32, Some(Unit::Days(first))) => first_dates(first, values),
        (DataType::Date32, _) => exec_err!("'{name}' is not a valid unit for a date; valid units are {OF_DAYS}"),
        (DataType::Timestamp(unit, _), Some(of)) => timestamps(of, *unit, values),
        (DataType::Timestamp(..), None) => {
            exec_err!("'{name}' is not a valid unit for a timestamp; valid units are {OF_CLOCKS}, {OF_DAYS}")
        }
        (DataType::Time32(unit) | DataType::Time64(unit), Some(of @ (Unit::PartOfSecond(_) | Unit::Seconds(_)))) => {
            let step = ticks(of, *unit);
            let numbers = cast(values, &DataType::Int64)?;
            let truncated = numbers.as_primitive::<Int64Type>().unary::<_, Int64Type>(|number| number - number.rem_euclid(step));
            // The type of as many bits comes first.
            let bits = if matches!(values.data_type(), DataType::Time32(_)) { DataType::Int32 } else { DataType::Int64 };
            Ok(cast(&cast(&truncated, &bits)?, values.data_type())?)
        }
        _ => exec_err!("'{name}' is not a valid unit for a time; valid units are {OF_CLOCKS}"),
    }
}

fn first_dates(first: First, dates: &ArrayRef) -> Result<ArrayRef> {
    let of = |days: i32| Some(Date32Type::from_naive_date(first(Date32Type::to_naive_date_opt(days)?)?));
    let truncated: Result<Date32Array> = dates
        .as_primitive::<Date32Type>()
        .iter()
        .map(|days| match days.map(of) {
            Some(None) => exec_err!("date out of range"),
            Some(days) => Ok(days),
            None => Ok(None),
        })
        .collect();
    Ok(Arc::new(truncated?))
}

/// How many ticks of a clock that counts in `by` a unit has; days are cut by the calendar.
fn ticks(of: Unit, by: TimeUnit) -> i64 {
    match of {
        Unit::PartOfSecond(parts) => (a_second(by) / parts).max(1),
        Unit::Seconds(seconds) => seconds * a_second(by),
        Unit::Days(_) => 86_400 * a_second(by),
    }
}

/// Timestamps cut as the clocks of their zone show them.
fn timestamps(of: Unit, by: TimeUnit, values: &ArrayRef) -> Result<ArrayRef> {
    let local = local_times(values)?;
    let Unit::Days(first) = of else {
        // What clocks show may be there twice: each keeps its own.
        let step = ticks(of, by);
        let past = retyped(&local, &DataType::Int64)?;
        let past = past.as_primitive::<Int64Type>().unary::<_, Int64Type>(|number| number.rem_euclid(step));
        let numbers = retyped(values, &DataType::Int64)?;
        let cut = arrow::compute::kernels::numeric::sub(numbers.as_primitive::<Int64Type>(), &past)?;
        return retyped(&cut, values.data_type());
    };
    let a_day = ticks(of, by);
    let first = |number: i64| {
        let day = DateTime::from_timestamp(number.div_euclid(a_day).checked_mul(86_400)?, 0)?.date_naive();
        first(day)?.and_time(NaiveTime::MIN).and_utc().timestamp().checked_mul(a_second(by))
    };
    let cut = converted(&retyped(&local, &DataType::Int64)?, first, local.data_type())?;
    match values.data_type() {
        DataType::Timestamp(_, Some(name)) => instants(&cut, by, zone(name)?, values.data_type()),
        _ => Ok(cut),
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::TimestampMillisecondArray, util::display::array_value_to_string};

    use super::*;

    #[test]
    fn timestamps_of_the_whole_calendar_are_cut() {
        for (unit, millis, zone, cut) in [
            ("month", 253_402_214_400_000, None, "9999-12-01T00:00:00"),
            ("week", 253_402_214_400_000, None, "9999-12-27T00:00:00"),
            ("day", -500, None, "1969-12-31T00:00:00"),
            ("minute", -500, None, "1969-12-31T23:59:00"),
            ("millisecond", -500, None, "1969-12-31T23:59:59.500"),
            // 02:30 for the second time.
            ("hour", 1_729_992_600_000, Some("Europe/Berlin"), "2024-10-27T02:00:00+01:00"),
            ("day", 1_729_992_600_000, Some("Europe/Berlin"), "2024-10-27T00:00:00+02:00"),
            // Midnight was left out.
            ("day", 1_541_340_000_000, Some("America/Sao_Paulo"), "2018-11-04T01:00:00-02:00"),
            ("hour", 1_715_300_000_000, Some("Asia/Kolkata"), "2024-05-10T05:00:00+05:30"),
        ] {
            let array: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![millis]).with_timezone_opt(zone));
            let truncated = truncated(unit, &array).unwrap();
            assert_eq!(truncated.data_type(), array.data_type());
            assert_eq!(array_value_to_string(&truncated, 0).unwrap(), cut, "{unit}");
        }
    }
}
