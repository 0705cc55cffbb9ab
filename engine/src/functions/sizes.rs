//! Limits on functions that make long texts of short ones: the size of a batch's result is calculated before it is created. No memory limit
//! counts it, and it could not be cancelled. Lengths to which nothing can be padded are refused.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, FieldRef, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

use crate::error::{Error, ErrorKind, to_datafusion};

pub(super) const NAMES: [&str; 6] = ["concat", "concat_ws", "lpad", "repeat", "replace", "rpad"];

/// Bytes of text that a call may make of one batch.
const MOST_BYTES: u64 = 256 << 20;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    plain: Arc<ScalarUDF>,
}

pub(super) fn function(plain: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::new_from_impl(Bounded { plain })
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn aliases(&self) -> &[String] {
        self.plain.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.plain.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.plain.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.plain.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.plain.return_field_from_args(args)
    }

    fn is_strict(&self) -> bool {
        self.plain.inner().is_strict()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let pads = matches!(self.name(), "lpad" | "rpad");
        let mut bytes = 0_u64;
        for row in 0..rows {
            if pads {
                check_padding(&args.args, row)?;
            }
            bytes = bytes.saturating_add(made(self.name(), &args.args, row));
            if bytes > MOST_BYTES {
                let most = MOST_BYTES >> 20;
                let message = format!("function '{}' would produce more than {most} MiB of text at once", self.name());
                let error = Error::new(ErrorKind::LimitExceeded, message).with_hint("Produce shorter strings, or fewer of them");
                return Err(to_datafusion(error));
            }
        }
        if pads && let Some(length) = args.args.get_mut(1) {
            without_negative(length);
        }
        self.plain.invoke_with_args(args)
    }
}

/// Bytes that a call makes in one row, or somewhat more.
fn made(name: &str, args: &[ColumnarValue], row: usize) -> u64 {
    let length = |at: usize| args.get(at).map_or(0, |value| text(value, row).len() as u64);
    let number = |at: usize| args.get(at).map_or(0, |value| number(value, row));
    match name {
        "repeat" => length(0).saturating_mul(number(1)),
        "lpad" | "rpad" => {
            let widest = args.get(2).and_then(|pad| text(pad, row).chars().map(char::len_utf8).max()).unwrap_or(1);
            length(0).saturating_add(number(1).saturating_mul(widest as u64))
        }
        "replace" => {
            let ([Some(of), Some(from)], replacement) = ([args.first(), args.get(1)], length(2)) else { return 0 };
            let (of, from) = (text(of, row), text(from, row));
            let found = if replacement > from.len() as u64 { of.matches(from).count() as u64 } else { 0 };
            (of.len() as u64).saturating_add(found.saturating_mul(replacement))
        }
        // The first argument stands between all others.
        "concat_ws" => (1..args.len()).fold(0, |bytes: u64, at| bytes.saturating_add(length(at)).saturating_add(length(0))),
        _ => (0..args.len()).fold(0, |bytes: u64, at| bytes.saturating_add(length(at))),
    }
}

/// Refuses what cannot be padded, as Trino does: DataFusion takes a negative length for a very great one.
fn check_padding(args: &[ColumnarValue], row: usize) -> Result<()> {
    let [of, length, padding @ ..] = args else { return Ok(()) };
    let (Some(_), Some(length)) = (known_text(of, row), known_number(length, row)) else { return Ok(()) };
    let padding = padding.first().map(|padding| known_text(padding, row));
    if padding == Some(None) {
        return Ok(());
    }
    if !(0..=i64::from(i32::MAX)).contains(&length) {
        return exec_err!("target length must be in the range [0..{}]", i32::MAX);
    }
    if padding == Some(Some("")) {
        return exec_err!("padding string must not be empty");
    }
    Ok(())
}

/// Lengths without those below zero, which stand where something else is NULL: DataFusion makes room for all.
fn without_negative(length: &mut ColumnarValue) {
    match length {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(number))) => *number = (*number).max(0),
        ColumnarValue::Array(lengths) => {
            let numbers = lengths.as_primitive_opt::<Int64Type>();
            let above_zero = numbers.map(|numbers| numbers.unary::<_, Int64Type>(|number| number.max(0)));
            if let Some(above_zero) = above_zero {
                *lengths = Arc::new(above_zero);
            }
        }
        ColumnarValue::Scalar(_) => {}
    }
}

/// The text of one row; empty if there is none.
fn text(value: &ColumnarValue, row: usize) -> &str {
    known_text(value, row).unwrap_or_default()
}

/// The text of one row, unless it is NULL.
fn known_text(value: &ColumnarValue, row: usize) -> Option<&str> {
    match value {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten(),
        ColumnarValue::Array(array) if array.is_null(row) => None,
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
            DataType::Utf8View => Some(array.as_string_view().value(row)),
            _ => None,
        },
    }
}

/// How often or how long; nothing if it is no number above zero.
fn number(value: &ColumnarValue, row: usize) -> u64 {
    known_number(value, row).and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// The number of one row, unless it is NULL.
fn known_number(value: &ColumnarValue, row: usize) -> Option<i64> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Int64(number)) => *number,
        ColumnarValue::Array(array) => {
            array.as_primitive_opt::<Int64Type>().filter(|numbers| numbers.is_valid(row)).map(|numbers| numbers.value(row))
        }
        ColumnarValue::Scalar(_) => None,
    }
}
