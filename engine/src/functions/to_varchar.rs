//! Values as text: `CAST(x AS varchar)` where Trino writes a value otherwise than Arrow; `CAST(x AS varchar(n))`, which cuts texts to n
//! characters and fails for anything else that is longer; and `CAST(x AS char(n))`, which takes texts only, cuts them, and leaves out the blanks at
//! their end. Trino shows as many blanks as are missing, and compares without them.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, StringBuilder, make_array, timezone::Tz},
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
/// `CAST(x AS char(n))`, and `TRY_CAST`.
pub(crate) const TO_CHAR: &str = "cast_as_char";

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
            [value, _] if self.name == TO_CHAR && !(value.is_string() || value.is_null()) => {
                plan_err!("cannot cast {value} to char")
            }
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
        if self.name == TO_CHAR {
            return Ok(PreimageResult::None);
        }
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
            return plan_err!("the length of a varchar must be a number");
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
            return exec_err!("timestamp out of range");
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
                Some(text) if self.name == TO_CHAR => Ok(Some(Bound::Char(length).of(text))),
                Some(text) => Ok(bounded(text)?.map(|end| &text[..end])),
                None => Ok(None),
            })
            .collect();
        Ok(Arc::new(texts?))
    }
}

/// How long texts may be.
#[derive(Debug, Clone, Copy)]
enum Bound {
    None,
    Varchar(usize),
    Char(usize),
}

impl Bound {
    fn of(self, text: &str) -> &str {
        let cut = |length| text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end]);
        match self {
            Self::None => text,
            Self::Varchar(length) => cut(length),
            Self::Char(length) => cut(length).trim_end_matches(' '),
        }
    }

    /// As `sql/rewrite/calls` writes them.
    fn read(text: &str) -> Self {
        match (text.get(..1), text.get(1..).and_then(|length| length.parse().ok())) {
            (Some("v"), Some(length)) => Self::Varchar(length),
            (Some("c"), Some(length)) => Self::Char(length),
            _ => Self::None,
        }
    }
}

/// Cuts the texts in arrays, maps and rows that are cast to types such as `array(varchar(3))`. The second argument has the bounds of all types that are no
/// arrays, maps or rows, in the order in which they are written: `v3` for `varchar(3)`, `c3` for `char(3)`, `-` for none.
pub(crate) const CUT_TEXTS: &str = "cut_texts";

pub(super) fn cut_texts() -> ScalarUDF {
    ScalarUDF::new_from_impl(CutTexts(Signature::any(2, Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CutTexts(Signature);

impl ScalarUDFImpl for CutTexts {
    fn name(&self) -> &str {
        CUT_TEXTS
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of, _] => Ok(of.clone()),
            _ => internal_err!("'{CUT_TEXTS}' takes two arguments"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [values, ColumnarValue::Scalar(ScalarValue::Utf8(Some(bounds)))] = args.args.as_slice() else {
            return internal_err!("'{CUT_TEXTS}' takes values and bounds");
        };
        let cut = |values: &[ArrayRef]| cut(&values[0], &mut bounds.split(',').map(Bound::read));
        make_scalar_function(cut, Vec::new())(std::slice::from_ref(values))
    }
}

fn cut(array: &ArrayRef, bounds: &mut dyn Iterator<Item = Bound>) -> Result<ArrayRef> {
    if !array.data_type().is_nested() {
        let bound = bounds.next().unwrap_or(Bound::None);
        return Ok(match array.as_string_opt::<i32>() {
            Some(texts) => Arc::new(texts.iter().map(|text| text.map(|text| bound.of(text))).collect::<StringArray>()),
            None => Arc::clone(array),
        });
    }
    // The same arrays about other texts.
    let data = array.to_data();
    let children = data.child_data().iter().map(|child| Ok(cut(&make_array(child.clone()), bounds)?.to_data()));
    let children = children.collect::<Result<Vec<_>>>()?;
    Ok(make_array(data.into_builder().child_data(children).build()?))
}
