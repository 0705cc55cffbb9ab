//! Timestamps and time zones: `with_timezone`, which takes a local time for the time of a zone, and `at_timezone`, which `x AT TIME ZONE zone` is,
//! the same instant as another zone's clocks show it.
//!
//! A column's timestamps share one zone, as Arrow has it: zones are constants.

use std::{str::FromStr, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, make_array, timezone::Tz},
    datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit},
};
use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use datafusion::{
    common::{Result, ScalarValue, exec_err, internal_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

pub(crate) const WITH_TIMEZONE: &str = "with_timezone";
pub(crate) const AT_TIMEZONE: &str = "at_timezone";

/// The longest that clocks have been put forward by at once: Samoa left out a day.
const LONGEST_GAP_HOURS: i64 = 25;

pub(super) fn with_timezone() -> ScalarUDF {
    udf(WITH_TIMEZONE)
}

pub(crate) fn at_timezone() -> ScalarUDF {
    udf(AT_TIMEZONE)
}

fn udf(name: &'static str) -> ScalarUDF {
    ScalarUDF::new_from_impl(Zoned { name, signature: Signature::user_defined(Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Zoned {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Zoned {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let takes_zoned = self.name == AT_TIMEZONE;
        match types {
            [DataType::Timestamp(_, zone), text] if text.is_string() && (takes_zoned || zone.is_none()) => {
                Ok(vec![types[0].clone(), DataType::Utf8])
            }
            [DataType::Null, text] if text.is_string() => {
                Ok(vec![DataType::Timestamp(TimeUnit::Millisecond, None), DataType::Utf8])
            }
            _ => {
                let takes = if takes_zoned { "a timestamp" } else { "a timestamp without a time zone" };
                plan_err!("function '{}' takes {takes} and the name of a time zone", self.name)
            }
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of '{}' depends on its arguments", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let DataType::Timestamp(unit, _) = args.arg_fields[0].data_type() else {
            return internal_err!("the first argument of '{}' is not a timestamp", self.name);
        };
        let Some(Some(ScalarValue::Utf8(Some(zone)))) = args.scalar_arguments.get(1) else {
            return plan_err!("the time zone of '{}' must be a string literal, such as 'UTC'", self.name);
        };
        let data_type = DataType::Timestamp(*unit, Some(known_name(zone)?.into()));
        Ok(Arc::new(Field::new(self.name, data_type, args.arg_fields[0].is_nullable())))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let target = args.return_field.data_type();
        let DataType::Timestamp(unit, Some(zone)) = target else {
            return internal_err!("'{}' gives a timestamp with time zone", self.name);
        };
        // A local time is that of the session's zone, unless its own is told.
        let own =
            if self.name == WITH_TIMEZONE { Some(zone.as_ref()) } else { args.config_options.execution.time_zone.as_deref() };
        let convert = |arrays: &[ArrayRef]| match arrays[0].data_type() {
            DataType::Timestamp(_, None) => instants(&arrays[0], *unit, self::zone(own.unwrap_or("UTC"))?, target),
            _ => retyped(&arrays[0], target),
        };
        make_scalar_function(convert, Vec::new())(&args.args[..1])
    }
}

/// The zone of a name that is known.
pub(super) fn zone(name: &str) -> Result<Tz> {
    Tz::from_str(name).or_else(|_| unknown(name))
}

fn unknown<T>(name: &str) -> Result<T> {
    plan_err!("unknown time zone '{name}': use a name such as 'UTC' or 'Europe/Berlin', or an offset such as '+02:00'")
}

/// A timestamp's text with all digits of its date and time, of which SQL lets some be left out: `2024-1-1 1:30` is `2024-01-01 01:30:00`. Nothing if it
/// is no such text.
pub(crate) fn whole_text(text: &str) -> Option<String> {
    let text = text.trim();
    let (date, time) = text.split_once(' ').unwrap_or((text, "0:0"));
    let is_number = |text: &&str| matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
    let (year, day) =
        date.split_once('-').filter(|(year, _)| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (month, day) = day.split_once('-').filter(|(month, day)| is_number(month) && is_number(day))?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, fraction)| (time, Some(fraction)));
    let clock: Vec<&str> = time.split(':').collect();
    let (hour, minute, second) = match (clock.as_slice(), fraction) {
        ([hour, minute], None) => (hour, minute, &"00"),
        ([hour, minute, second], _) => (hour, minute, second),
        _ => return None,
    };
    let is_whole =
        clock.iter().all(is_number) && fraction.is_none_or(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let fraction = fraction.map_or(String::new(), |digits| format!(".{digits}"));
    is_whole.then(|| format!("{year}-{month:0>2}-{day:0>2} {hour:0>2}:{minute:0>2}:{second:0>2}{fraction}"))
}

/// Whether a zone's clocks never show a local time, since they are put forward over it. What is no time or zone is another's to refuse.
pub(crate) fn is_left_out(local: &str, zone: &str) -> bool {
    let shown = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M:%S%.f");
    let (Ok(shown), Ok(zone)) = (shown, known_name(zone).and_then(|name| self::zone(&name))) else { return false };
    matches!(zone.offset_from_local_datetime(&shown), LocalResult::None)
}

/// The name by which Arrow knows a zone, of those that SQL has for it: in any case, `Z`, and offsets such as `+2`, `UTC+2` and `GMT-03:30`.
///
/// # Errors
/// For a zone that is not known.
pub(crate) fn known_name(name: &str) -> Result<String> {
    if Tz::from_str(name).is_ok() {
        return Ok(name.to_owned());
    }
    let upper = name.to_uppercase();
    if upper == "Z" {
        return Ok("UTC".to_owned());
    }
    let offset = ["UTC", "GMT", "UT"].iter().find_map(|prefix| upper.strip_prefix(prefix)).unwrap_or(&upper);
    if let Some(sign) = offset.chars().next().filter(|sign| matches!(sign, '+' | '-')) {
        let digits = &offset[1..];
        let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
        let known = format!("{sign}{hours:0>2}:{minutes:0>2}");
        let is_offset = !hours.is_empty() && hours.bytes().all(|digit| digit.is_ascii_digit()) && Tz::from_str(&known).is_ok();
        return if is_offset { Ok(known) } else { unknown(name) };
    }
    match chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)) {
        Some(zone) => Ok(zone.name().to_owned()),
        None => unknown(name),
    }
}

/// What clocks of their zone show at these instants.
pub(crate) fn local_times(array: &ArrayRef) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, Some(name)) = array.data_type() else { return Ok(Arc::clone(array)) };
    let zone = zone(name)?;
    let numbers = retyped(array, &DataType::Int64)?;
    let local = |instant: i64| {
        let utc = DateTime::from_timestamp(instant_parts(instant, *unit).0, 0)?.naive_utc();
        let ahead = i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        instant.checked_add(ahead.checked_mul(a_second(*unit))?)
    };
    converted(&numbers, local, &DataType::Timestamp(*unit, None))
}

/// Each number as another, as a type of 64 bits.
pub(super) fn converted(numbers: &ArrayRef, convert: impl Fn(i64) -> Option<i64>, target: &DataType) -> Result<ArrayRef> {
    let converted: Result<Int64Array> = numbers
        .as_primitive::<Int64Type>()
        .iter()
        .map(|number| match number.map(&convert) {
            Some(None) => exec_err!("timestamp out of range for time zones"),
            Some(number) => Ok(number),
            None => Ok(None),
        })
        .collect();
    let converted: ArrayRef = Arc::new(converted?);
    retyped(&converted, target)
}

/// The same numbers as another type of 64 bits.
pub(super) fn retyped(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(make_array(array.to_data().into_builder().data_type(data_type.clone()).build()?))
}

pub(super) fn a_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Whole seconds, and what is left of one in the unit.
pub(super) fn instant_parts(number: i64, unit: TimeUnit) -> (i64, i64) {
    (number.div_euclid(a_second(unit)), number.rem_euclid(a_second(unit)))
}

/// The instants at which a zone's clocks show these times.
pub(super) fn instants(array: &ArrayRef, unit: TimeUnit, zone: Tz, target: &DataType) -> Result<ArrayRef> {
    let a_second = a_second(unit);
    let numbers = retyped(array, &DataType::Int64)?;
    let instant = |local: i64| {
        let shown = DateTime::from_timestamp(instant_parts(local, unit).0, 0)?.naive_utc();
        local.checked_sub(offset_seconds(zone, shown)?.checked_mul(a_second)?)
    };
    converted(&numbers, instant, target)
}

/// By how much a zone's clocks are ahead when they show a time. Of two times that show the same it is the earlier; a time that is left out is read
/// as if clocks had not been put forward yet.
fn offset_seconds(zone: Tz, shown: NaiveDateTime) -> Option<i64> {
    let of = |shown: &NaiveDateTime| match zone.offset_from_local_datetime(shown) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => Some(i64::from(offset.fix().local_minus_utc())),
        LocalResult::None => None,
    };
    (0..=LONGEST_GAP_HOURS).find_map(|hours| of(&shown.checked_sub_signed(TimeDelta::hours(hours))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_put_forward_and_back_are_read() {
        let berlin = zone("Europe/Berlin").unwrap();
        for (shown, ahead) in [
            ("2024-01-01 00:00:00", 1),
            ("2024-07-01 00:00:00", 2),
            // Left out.
            ("2024-03-31 02:30:00", 1),
            // There twice.
            ("2024-10-27 02:30:00", 2),
        ] {
            let shown = NaiveDateTime::parse_from_str(shown, "%Y-%m-%d %H:%M:%S").unwrap();
            assert_eq!(offset_seconds(berlin, shown), Some(ahead * 3600), "{shown}");
        }
        assert!(zone("Europe/Nowhere").is_err());
    }

    #[test]
    fn digits_that_are_left_out_are_filled_in() {
        for (text, whole) in [
            ("2024-01-01 00:00", Some("2024-01-01 00:00:00")),
            ("2024-1-1 1:30", Some("2024-01-01 01:30:00")),
            ("2024-01-01", Some("2024-01-01 00:00:00")),
            ("2024-01-01 1:2:3.4567", Some("2024-01-01 01:02:03.4567")),
            ("2024-01-01 10", None),
            ("2024-01-01 10:30 UTC", None),
            ("2024-01-01T10:30:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(whole_text(text).as_deref(), whole, "{text}");
        }
        assert!(is_left_out("2024-03-31 02:30:00", "Europe/Berlin"));
        assert!(!is_left_out("2024-03-31 03:30:00", "Europe/Berlin") && !is_left_out("2024-03-31 02:30:00", "UTC"));
    }

    #[test]
    fn zones_have_several_names() {
        for (name, known) in [
            ("Z", "UTC"),
            ("utc", "UTC"),
            ("europe/berlin", "Europe/Berlin"),
            ("GMT+3", "+03:00"),
            ("UTC-03:30", "-03:30"),
            ("+2", "+02:00"),
            ("+05:30", "+05:30"),
        ] {
            assert_eq!(known_name(name).unwrap(), known, "{name}");
        }
        for name in ["", "+", "UTC+x", "Mars/Base", "+99"] {
            assert!(known_name(name).is_err(), "{name}");
        }
    }
}
