//! Functions that return NULL if an argument is NULL, as in Trino; DataFusion's skip NULLs. Those that choose among floats also skip NaN, which
//! DataFusion's treat as the greatest number. For an array, the choice is among its elements.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, OffsetSizeTrait},
    buffer::NullBuffer,
    compute::nullif,
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use super::float_order::{Extreme, number_type};
use crate::error::{Error, ErrorKind, to_datafusion};

pub(super) const NAMES: [&str; 5] = ["array_max", "array_min", CONCAT, "greatest", "least"];

const CONCAT: &str = "concat";

/// Bytes that the texts of one array have at most.
const MOST_BYTES: u64 = i32::MAX as u64;

/// Whether `||` of these types is [`concat`]: of texts, and of bytes.
pub(crate) fn is_concat(left: &DataType, right: &DataType) -> bool {
    let is_binary = |data_type: &DataType| matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    // A parameter whose type nothing determines is a text.
    let is_text = |data_type: &DataType| data_type.is_string() || data_type.is_null();
    is_text(left) && is_text(right) || is_binary(left) && is_binary(right)
}

/// `||` of texts, which is the function of that name.
pub(crate) fn concat(left: Expr, right: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(function(datafusion::functions::string::concat())));
    FUNCTION.call(vec![left, right])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Strict {
    lenient: Arc<ScalarUDF>,
    /// What it chooses, if it does.
    chooses: Option<Extreme>,
    /// Whether it looks at an array's elements.
    is_of_elements: bool,
}

pub(super) fn function(lenient: Arc<ScalarUDF>) -> ScalarUDF {
    let (chooses, is_of_elements) = match lenient.name() {
        "array_max" => (Some(Extreme::Greatest), true),
        "array_min" => (Some(Extreme::Least), true),
        "greatest" => (Some(Extreme::Greatest), false),
        "least" => (Some(Extreme::Least), false),
        _ => (None, false),
    };
    ScalarUDF::new_from_impl(Strict { lenient, chooses, is_of_elements })
}

impl Strict {
    /// The function's values, where an argument's are not NULL.
    fn values(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let floats = args.return_field.data_type().clone();
        let (Some(extreme), Some(numbers)) = (self.chooses, number_type(&floats)) else {
            return self.lenient.invoke_with_args(args);
        };
        let rows = args.number_rows;
        let as_numbers = |argument: ColumnarValue| -> Result<ColumnarValue> {
            let is_scalar = matches!(argument, ColumnarValue::Scalar(_));
            let array = argument.into_array(if is_scalar { 1 } else { rows })?;
            let array = match array.as_list_opt::<i32>() {
                Some(list) => Arc::new(list_of_numbers(list, extreme)?) as ArrayRef,
                None => extreme.numbers(&array),
            };
            Ok(if is_scalar {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
            } else {
                ColumnarValue::Array(array)
            })
        };
        args.args = args.args.into_iter().map(as_numbers).collect::<Result<_>>()?;
        let with_type = |field: &FieldRef, data_type| Arc::new(Field::clone(field).with_data_type(data_type));
        args.arg_fields = args.arg_fields.iter().zip(&args.args).map(|(field, of)| with_type(field, of.data_type())).collect();
        args.return_field = with_type(&args.return_field, numbers);
        Ok(match self.lenient.invoke_with_args(args)? {
            ColumnarValue::Array(numbers) => ColumnarValue::Array(extreme.floats(&numbers)),
            ColumnarValue::Scalar(number) => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&extreme.floats(&number.to_array()?), 0)?)
            }
        })
    }

    /// Refuses texts that are too long together for one array; DataFusion and Arrow would give up.
    ///
    /// # Errors
    /// `LimitExceeded`.
    fn check_size(&self, arguments: &[ColumnarValue], rows: usize) -> Result<()> {
        if self.lenient.name() != CONCAT {
            return Ok(());
        }
        let is_of_rows = arguments.iter().any(|argument| matches!(argument, ColumnarValue::Array(_)));
        let rows = if is_of_rows { rows as u64 } else { 1 };
        let bytes = arguments.iter().map(|argument| match argument {
            ColumnarValue::Array(array) => bytes_of(array),
            ColumnarValue::Scalar(value) => value.to_array().map_or(0, |array| bytes_of(&array)).saturating_mul(rows),
        });
        if bytes.fold(0_u64, u64::saturating_add) <= MOST_BYTES {
            return Ok(());
        }
        Err(to_datafusion(
            Error::new(ErrorKind::LimitExceeded, "concatenated strings exceed 2 GiB in one batch of rows")
                .with_hint("Concatenate shorter strings, or fewer of them"),
        ))
    }

    /// Which rows of an argument are not NULL, if some are.
    fn nulls(&self, array: &ArrayRef) -> Option<NullBuffer> {
        let Some(list) = array.as_list_opt::<i32>().filter(|_| self.is_of_elements) else { return array.logical_nulls() };
        let Some(elements) = list.values().logical_nulls() else { return array.logical_nulls() };
        let is_whole = |range: &[i32]| elements.slice(range[0] as usize, (range[1] - range[0]) as usize).null_count() == 0;
        let whole: NullBuffer = list.offsets().windows(2).map(is_whole).collect::<Vec<bool>>().into();
        NullBuffer::union(Some(&whole), array.logical_nulls().as_ref())
    }
}

/// The bytes of an array's texts.
fn bytes_of(array: &ArrayRef) -> u64 {
    fn between<O: OffsetSizeTrait>(offsets: &[O]) -> u64 {
        offsets.first().zip(offsets.last()).map_or(0, |(first, last)| (last.as_usize() - first.as_usize()) as u64)
    }
    match array.data_type() {
        DataType::Utf8 => between(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => between(array.as_string::<i64>().value_offsets()),
        DataType::Binary => between(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => between(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => array.as_string_view().lengths().map(u64::from).sum(),
        DataType::BinaryView => array.as_binary_view().lengths().map(u64::from).sum(),
        _ => 0,
    }
}

/// The same list of the numbers that stand for its floats.
fn list_of_numbers(list: &ListArray, extreme: Extreme) -> Result<ListArray> {
    let numbers = extreme.numbers(list.values());
    let DataType::List(element) = list.data_type() else { return Ok(list.clone()) };
    let element = Arc::new(Field::clone(element).with_data_type(numbers.data_type().clone()));
    Ok(ListArray::try_new(element, list.offsets().clone(), numbers, list.nulls().cloned())?)
}

impl ScalarUDFImpl for Strict {
    fn name(&self) -> &str {
        self.lenient.name()
    }

    fn signature(&self) -> &Signature {
        self.lenient.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.lenient.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.lenient.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // An array may be empty.
        let is_nullable = self.is_of_elements || args.arg_fields.iter().any(|field| field.is_nullable());
        let field = self.lenient.return_field_from_args(args)?;
        Ok(Arc::new(Field::clone(&field).with_nullable(is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut nulls = None;
        for argument in &args.args {
            let of = match argument {
                ColumnarValue::Scalar(value) if value.is_null() => {
                    return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
                }
                ColumnarValue::Scalar(value) if self.is_of_elements => {
                    if self.nulls(&value.to_array()?).is_some_and(|nulls| nulls.null_count() > 0) {
                        return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
                    }
                    continue;
                }
                ColumnarValue::Scalar(_) => continue,
                ColumnarValue::Array(array) => self.nulls(array),
            };
            nulls = NullBuffer::union(nulls.as_ref(), of.as_ref());
        }
        self.check_size(&args.args, args.number_rows)?;
        let values = self.values(args)?;
        match (values, nulls) {
            (ColumnarValue::Array(array), Some(nulls)) => {
                let is_null = BooleanArray::new(!nulls.inner(), None);
                Ok(ColumnarValue::Array(nullif(&array, &is_null)?))
            }
            (values, _) => Ok(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn texts_of_more_bytes_than_an_array_has_are_refused() {
        let concat = function(datafusion::functions::string::concat());
        let strict = concat.inner().downcast_ref::<Strict>().unwrap();
        let long = ColumnarValue::Scalar(ScalarValue::from("x".repeat(1 << 20)));
        let rows = |count| ColumnarValue::Array(Arc::new(StringArray::from(vec!["y"; count])));
        for (arguments, fits) in [
            (vec![rows(1), long.clone()], true),
            (vec![rows(2047), long.clone()], true),
            (vec![rows(2048), long.clone()], false),
            (vec![rows(1024), long.clone(), long.clone()], false),
            (vec![long.clone(), long], true),
        ] {
            let count = arguments.iter().find_map(|of| if let ColumnarValue::Array(of) = of { Some(of.len()) } else { None });
            assert_eq!(strict.check_size(&arguments, count.unwrap_or(8192)).is_ok(), fits, "{count:?}");
        }
    }
}
