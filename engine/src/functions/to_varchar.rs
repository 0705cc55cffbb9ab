//! Values as text: `CAST(x AS varchar)` where Trino writes a value otherwise than Arrow, and `CAST(x AS varchar(n))`, which cuts texts to n
//! characters and fails for anything else that is longer.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, timezone::Tz},
    compute::cast,
    datatypes::{DataType, Int64Type, TimeUnit},
};
use chrono::{DateTime, Offset, TimeZone};
use datafusion::{
    common::{Result, ScalarValue, exec_err, internal_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, interval_arithmetic::Interval,
        preimage::PreimageResult, simplify::SimplifyContext,
    },
};

use super::time_zone::{instant_parts, retyped, zone};

/// `CAST(x AS varchar(n))`, and `TRY_CAST`.
pub(crate) const TO_VARCHAR: &str = "cast_as_varchar";
pub(crate) const TRY_TO_VARCHAR: &str = "try_cast_as_varchar";

/// Whether values of a type are written here, since Trino writes them otherwise than Arrow. Some of its versions write floats otherwise, too: they are
/// written as Arrow does.
pub(crate) fn is_written_otherwise(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

/// Values as Trino writes them; NULL for timestamps beyond the calendar.
///
/// # Errors
/// Of types that have no text.
pub(crate) fn to_varchar(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.as_deref()),
        _ => Ok(cast(array, &DataType::Utf8)?),
    }
}

/// `2024-01-01 00:00:00.000`, and the zone's name behind it.
fn timestamps(array: &ArrayRef, unit: TimeUnit, zone_name: Option<&str>) -> Result<ArrayRef> {
    let local: Option<Tz> = zone_name.map(zone).transpose()?;
    let numbers = retyped(array, &DataType::Int64)?;
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 26);
    for number in numbers.as_primitive::<Int64Type>() {
        let shown = number.map(|number| instant_parts(number, unit)).and_then(|(seconds, fraction)| {
            let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
            let shown = match &local {
                Some(zone) => utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())?,
                None => utc,
            };
            Some((shown, fraction))
        });
        let Some((shown, fraction)) = shown else {
            texts.append_null();
            continue;
        };
        let written = match unit {
            TimeUnit::Second => write!(texts, "{}", shown.format("%Y-%m-%d %H:%M:%S")),
            TimeUnit::Millisecond => write!(texts, "{}.{fraction:03}", shown.format("%Y-%m-%d %H:%M:%S")),
            TimeUnit::Microsecond => write!(texts, "{}.{fraction:06}", shown.format("%Y-%m-%d %H:%M:%S")),
            TimeUnit::Nanosecond => write!(texts, "{}.{fraction:09}", shown.format("%Y-%m-%d %H:%M:%S")),
        };
        let zoned = zone_name.map_or(Ok(()), |zone| write!(texts, " {}", if zone == "+00:00" { "UTC" } else { zone }));
        if written.and(zoned).is_err() {
            return internal_err!("a timestamp has no text");
        }
        texts.append_value("");
    }
    Ok(Arc::new(texts.finish()))
}

pub(super) fn bounded(name: &'static str) -> ScalarUDF {
    ScalarUDF::new_from_impl(Bounded { name, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [value, _] if value.is_nested() => plan_err!("cannot cast {value} to varchar"),
            [value, _] => Ok(vec![value.clone(), DataType::Int64]),
            _ => plan_err!("function '{}' takes a value and a length", self.name),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    /// A constant shorter than the cut is what texts must be that are cut to it: statistics tell of those.
    fn preimage(&self, args: &[Expr], constant: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let [text, Expr::Literal(ScalarValue::Int64(Some(length)), _)] = args else { return Ok(PreimageResult::None) };
        let Expr::Literal(ScalarValue::Utf8(Some(constant)), _) = constant else { return Ok(PreimageResult::None) };
        let is_shorter = usize::try_from(*length).is_ok_and(|length| constant.chars().count() < length);
        let of = info.get_data_type(text)?;
        if !is_shorter || !of.is_string() {
            return Ok(PreimageResult::None);
        }
        // The next text by the order of bytes.
        let next = ScalarValue::from(format!("{constant}\0")).cast_to(&of)?;
        let interval = Interval::try_new(ScalarValue::from(constant.clone()).cast_to(&of)?, next)?;
        Ok(PreimageResult::Range { expr: text.clone(), interval: Box::new(interval) })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, ColumnarValue::Scalar(ScalarValue::Int64(Some(length)))] = args.args.as_slice() else {
            return plan_err!("the length of varchar must be a number");
        };
        let length = usize::try_from(*length).unwrap_or(0);
        make_scalar_function(|values| self.array(&values[0], length), Vec::new())(std::slice::from_ref(value))
    }
}

impl Bounded {
    fn array(&self, array: &ArrayRef, length: usize) -> Result<ArrayRef> {
        let is_cut = array.data_type().is_string() || array.data_type().is_null();
        let texts = to_varchar(array)?;
        if self.name == TO_VARCHAR && texts.null_count() > array.logical_null_count() {
            return exec_err!("a timestamp is beyond the calendar");
        }
        let bounded = |text: &str| match text.char_indices().nth(length) {
            None => Ok(Some(text.len())),
            Some((end, _)) if is_cut => Ok(Some(end)),
            Some(_) if self.name == TRY_TO_VARCHAR => Ok(None),
            Some(_) => exec_err!("value {text} cannot be represented as varchar({length})"),
        };
        let texts: Result<StringArray> = texts
            .as_string::<i32>()
            .iter()
            .map(|text| match text {
                Some(text) => Ok(bounded(text)?.map(|end| &text[..end])),
                None => Ok(None),
            })
            .collect();
        Ok(Arc::new(texts?))
    }
}
