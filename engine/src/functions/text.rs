//! Parts of texts. Positions count characters, from 1.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, StringArray},
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, exec_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// A function of texts and integers that gives a text, and NULL for NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    /// `substr(text, start[, length])`: a negative start counts from the end; what is not in the text is empty.
    Substr,
    /// `split_part(text, delimiter, index)`: NULL beyond the last part.
    SplitPart,
}

impl Function {
    /// The types of its arguments, and how many of them must be given.
    fn arguments(self) -> (&'static [DataType], usize) {
        match self {
            Self::Substr => (&[DataType::Utf8, DataType::Int64, DataType::Int64], 2),
            Self::SplitPart => (&[DataType::Utf8, DataType::Utf8, DataType::Int64], 3),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Text {
    name: &'static str,
    function: Function,
    signature: Signature,
    aliases: Vec<String>,
}

pub(super) fn substr() -> ScalarUDF {
    udf("substr", Function::Substr, &["substring"])
}

pub(super) fn split_part() -> ScalarUDF {
    udf("split_part", Function::SplitPart, &[])
}

fn udf(name: &'static str, function: Function, aliases: &[&str]) -> ScalarUDF {
    let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
    ScalarUDF::new_from_impl(Text { name, function, signature: Signature::user_defined(Volatility::Immutable), aliases })
}

impl ScalarUDFImpl for Text {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (wanted, least) = self.function.arguments();
        if types.len() < least || types.len() > wanted.len() {
            return plan_err!("function '{}' takes {least} to {} arguments, not {}", self.name, wanted.len(), types.len());
        }
        for (at, (given, wanted)) in types.iter().zip(wanted).enumerate() {
            let fits = if wanted.is_string() { given.is_string() } else { given.is_integer() };
            if !(fits || given.is_null()) {
                let wanted = if wanted.is_string() { "varchar" } else { "bigint" };
                return plan_err!("argument {} of function '{}' must be {wanted}, not {given}", at + 1, self.name);
            }
        }
        Ok(wanted[..types.len()].to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
            Ok(Arc::new(match self.function {
                Function::Substr => substrings(arrays),
                Function::SplitPart => parts(arrays)?,
            }))
        };
        make_scalar_function(values, Vec::new())(&args.args)
    }
}

fn texts(array: &ArrayRef) -> &StringArray {
    array.as_string()
}

fn integers(array: &ArrayRef) -> &Int64Array {
    array.as_primitive::<Int64Type>()
}

fn substrings(arguments: &[ArrayRef]) -> StringArray {
    let lengths = arguments.get(2).map(integers);
    let rows = texts(&arguments[0]).iter().zip(integers(&arguments[1])).enumerate();
    let values = rows.map(|(row, (text, start))| {
        let length = match lengths {
            None => i64::MAX,
            Some(lengths) => lengths.is_valid(row).then(|| lengths.value(row))?,
        };
        Some(substring(text?, start?, length))
    });
    values.collect()
}

fn substring(text: &str, start: i64, length: i64) -> &str {
    let skipped = match start {
        1.. => start - 1,
        0 => return "",
        _ => match text.chars().count() as i64 + start {
            skipped @ 0.. => skipped,
            _ => return "",
        },
    };
    let skip = |text, count: i64| match usize::try_from(count).map(|count| str::char_indices(text).nth(count)) {
        Ok(Some((at, _))) => text.split_at(at),
        _ => (text, ""),
    };
    if length <= 0 { "" } else { skip(skip(text, skipped).1, length).0 }
}

fn parts(arguments: &[ArrayRef]) -> Result<StringArray> {
    let rows = texts(&arguments[0]).iter().zip(texts(&arguments[1])).zip(integers(&arguments[2]));
    rows.map(|((text, delimiter), index)| {
        let (Some(text), Some(delimiter), Some(index)) = (text, delimiter, index) else { return Ok(None) };
        let Ok(at @ 1..) = usize::try_from(index) else { return exec_err!("split_part: index must be greater than zero") };
        Ok(match delimiter {
            // Each character is a part.
            "" => text.char_indices().nth(at - 1).map(|(from, char)| &text[from..from + char.len_utf8()]),
            delimiter => text.split(delimiter).nth(at - 1),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_are_those_of_trino() {
        for (start, length, part) in [
            (1, i64::MAX, "aüc"),
            (2, 1, "ü"),
            (2, 9, "üc"),
            (3, 1, "c"),
            (4, 1, ""),
            (0, 2, ""),
            (-1, i64::MAX, "c"),
            (-2, 1, "ü"),
            (-3, 9, "aüc"),
            (-4, 9, ""),
            (1, 0, ""),
            (1, -1, ""),
            (i64::MAX, i64::MAX, ""),
            (i64::MIN + 9, i64::MAX, ""),
        ] {
            assert_eq!(substring("aüc", start, length), part, "{start}, {length}");
        }
    }
}
