//! Casts as functions, where they lose something or are written differently than by Arrow: with Trino's rounding and text, and opaque to DataFusion.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, Int64Type, TimeUnit},
    util::display::array_value_to_string,
};
use datafusion::{
    common::{Result, exec_err, internal_err},
    logical_expr::{
        ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        expr::ScalarFunction,
    },
};

use crate::functions::{local_times, to_varchar, whole_text};

/// `CAST(x AS target)`, or `TRY_CAST`, which gives NULL where the other fails.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CastFunction {
    name: String,
    target: DataType,
    is_try: bool,
    signature: Signature,
}

impl CastFunction {
    /// A call of the cast to a type.
    pub(super) fn call(expr: Expr, target: &DataType, is_try: bool) -> Expr {
        let prefix = if is_try { "try_cast_as_" } else { "cast_as_" };
        let function = Self {
            name: format!("{prefix}{}", type_name(target)),
            target: target.clone(),
            is_try,
            signature: Signature::any(1, Volatility::Immutable),
        };
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![expr]))
    }

    fn array(&self, array: &ArrayRef) -> Result<ArrayRef> {
        if self.target == DataType::Utf8 {
            let texts = to_varchar(array)?;
            if !self.is_try && texts.null_count() > array.logical_null_count() {
                return exec_err!("cannot cast an out-of-range timestamp to varchar");
            }
            return Ok(texts);
        }
        let local = match (array.data_type(), &self.target) {
            (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, None)) => local_times(array)?,
            (DataType::Utf8, DataType::Timestamp(..)) => whole_texts(array),
            _ => Arc::clone(array),
        };
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let rounded = rounded(&local, &self.target, &options)?;
        let cast = cast_with_options(&rounded, &self.target, &options)?;
        if !self.is_try && cast.null_count() > array.null_count() {
            let failed = (0..array.len()).find(|&row| cast.is_null(row) && array.is_valid(row)).unwrap_or(0);
            let value = array_value_to_string(array, failed)?;
            return exec_err!("cannot cast {value} to {}", type_name(&self.target));
        }
        Ok(cast)
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        &self.name
    }

    /// Not the column's own name: a join's plan has both side by side.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let cast: String = args.iter().map(|expr| expr.schema_name().to_string()).collect();
        Ok(format!("{}({cast})", self.name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let is_nullable = self.is_try || args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(&self.name, self.target.clone(), is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(self.array(array)?)),
            [ColumnarValue::Scalar(value)] => {
                let cast = self.array(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&cast, 0)?))
            }
            _ => internal_err!("{} takes one argument", self.name),
        }
    }
}

/// Texts of timestamps in the form that Arrow reads.
fn whole_texts(array: &ArrayRef) -> ArrayRef {
    let whole = |text| whole_text(text).map_or(Cow::Borrowed(text), Cow::Owned);
    Arc::new(array.as_string::<i32>().iter().map(|text| text.map(whole)).collect::<StringArray>())
}

/// The values rounded half away from zero where Arrow would cut what is behind the point, and by way of a type that Arrow casts from.
fn rounded(array: &ArrayRef, target: &DataType, options: &CastOptions<'_>) -> Result<ArrayRef> {
    let is_integer = target.is_integer();
    if let Some(finer) = finer(array.data_type(), target) {
        return to_unit(&cast_with_options(array, &finer, options)?, target, options);
    }
    let by_way_of = match array.data_type() {
        DataType::Float32 if is_integer => {
            return Ok(Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(f32::round)));
        }
        DataType::Float64 if is_integer => {
            return Ok(Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round)));
        }
        DataType::Decimal256(..) if is_integer => DataType::Decimal256(76, 0),
        from if is_integer && from.is_decimal() => DataType::Decimal128(38, 0),
        from if *target == DataType::Boolean && from.is_decimal() => DataType::Float64,
        _ => return Ok(Arc::clone(array)),
    };
    Ok(cast_with_options(array, &by_way_of, options)?)
}

/// The type of times from which values are rounded to the target's unit; none if it has all of their digits.
fn finer(from: &DataType, target: &DataType) -> Option<DataType> {
    use DataType as T;
    match (from, target) {
        (T::Timestamp(unit, _), T::Timestamp(to, _)) => (to < unit).then(|| from.clone()),
        (T::Time32(unit) | T::Time64(unit), T::Time32(to) | T::Time64(to)) => (to < unit).then(|| from.clone()),
        // Microseconds reach as far as the calendar does, and tell where half a millisecond is.
        (text, T::Timestamp(_, zone)) if text.is_string() => Some(T::Timestamp(TimeUnit::Microsecond, zone.clone())),
        (text, T::Time32(_)) if text.is_string() => Some(T::Time64(TimeUnit::Nanosecond)),
        _ => None,
    }
}

/// Ticks of a day's clock, a second of them.
fn per_second(data_type: &DataType) -> Option<i64> {
    let (DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit)) = data_type else { return None };
    Some(10_i64.pow(digits(unit).into()))
}

/// Times of a finer unit at whole ticks of the target's; halves go up, and midnight follows a day's last tick.
fn to_unit(array: &ArrayRef, target: &DataType, options: &CastOptions<'_>) -> Result<ArrayRef> {
    const DAY: i64 = 86_400;
    let data_type = array.data_type();
    let Some((fine, coarse)) = per_second(data_type).zip(per_second(target)) else { return Ok(Arc::clone(array)) };
    let step = (fine / coarse).max(1);
    let is_clock = !matches!(data_type, DataType::Timestamp(..));
    let ticks = cast_with_options(array, &DataType::Int64, options)?;
    let rounded = ticks.as_primitive::<Int64Type>().unary::<_, Int64Type>(|tick| {
        let tick = tick.saturating_add(step / 2).div_euclid(step).saturating_mul(step);
        if is_clock { tick.rem_euclid(DAY * fine) } else { tick }
    });
    Ok(cast_with_options(&rounded, data_type, options)?)
}

/// A type's name in Trino.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "varchar".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision},{scale})")
        }
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("timestamp({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("timestamp({}) with time zone", digits(unit)),
        other => other.to_string(),
    }
}

fn digits(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
