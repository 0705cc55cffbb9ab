//! Division of decimals with Trino's precision and scale, rounded half away from zero; DataFusion's has more digits, and cuts them off.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, Decimal128Array},
    datatypes::{DataType, i256},
};
use datafusion::{
    common::{Result, exec_err, internal_err},
    functions::utils::make_scalar_function,
    logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

const MOST_DIGITS: u8 = 38;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Divide {
    signature: Signature,
}

/// Whether a division is one of decimals: of two, or of one and an integer.
pub(crate) fn is_decimal_division(left: &DataType, right: &DataType) -> bool {
    let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
    (is_decimal(left) || is_decimal(right)) && as_decimal(left).is_some() && as_decimal(right).is_some()
}

pub(crate) fn divide(left: Expr, right: Expr) -> Expr {
    ScalarUDF::new_from_impl(Divide { signature: Signature::user_defined(Volatility::Immutable) }).call(vec![left, right])
}

/// Precision and scale of a decimal, or of what holds any value of an integer's type.
fn as_decimal(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Decimal128(precision, scale) if *scale >= 0 => Some((*precision, *scale)),
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        _ => None,
    }
}

fn result_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [DataType::Decimal128(precision, left), DataType::Decimal128(_, right)] => {
            let whole = i16::from(*precision) + i16::from(*right) + i16::from((right - left).max(0));
            let precision = u8::try_from(whole).unwrap_or(MOST_DIGITS).min(MOST_DIGITS);
            Ok(DataType::Decimal128(precision, *left.max(right)))
        }
        _ => internal_err!("a division of decimals takes two"),
    }
}

impl ScalarUDFImpl for Divide {
    fn name(&self) -> &str {
        "divide"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let decimal = |data_type: &DataType| match as_decimal(data_type) {
            Some((precision, scale)) => Ok(DataType::Decimal128(precision, scale)),
            None => internal_err!("a division of decimals of {data_type}"),
        };
        types.iter().map(decimal).collect()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        result_type(types)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let divide = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
            let [left, right] = arrays else { return internal_err!("a division takes two arguments") };
            Ok(Arc::new(quotients(left.as_primitive(), right.as_primitive(), args.return_field.data_type())?))
        };
        make_scalar_function(divide, Vec::new())(&args.args)
    }
}

fn quotients(left: &Decimal128Array, right: &Decimal128Array, result: &DataType) -> Result<Decimal128Array> {
    let DataType::Decimal128(precision, scale) = *result else { return internal_err!("a division of decimals gives one") };
    // How many digits the dividend needs more so that the quotient has the scale.
    let digits = scale - left.scale() + right.scale();
    let (Ok(factor), Some(wide)) = (u32::try_from(digits), power_of_ten(digits)) else {
        return internal_err!("a division of decimals lacks {digits} digits");
    };
    let narrow = 10_i128.checked_pow(factor);
    let limit = 10_i128.pow(u32::from(precision));
    let quotient = |dividend: i128, divisor: i128| -> Result<i128> {
        if divisor == 0 {
            return exec_err!("divide by zero error");
        }
        let quotient = match narrow.and_then(|narrow| dividend.checked_mul(narrow)) {
            Some(dividend) => Some(rounded(dividend, divisor)),
            None => i256::from_i128(dividend).checked_mul(wide).and_then(|dividend| rounded_wide(dividend, divisor)),
        };
        match quotient {
            Some(quotient) if quotient.unsigned_abs() < limit.unsigned_abs() => Ok(quotient),
            _ => exec_err!("decimal division overflow: the quotient has more than {precision} digits"),
        }
    };
    let rows = left.iter().zip(right);
    let quotients: Result<Decimal128Array> = rows
        .map(|(dividend, divisor)| match (dividend, divisor) {
            (Some(dividend), Some(divisor)) => quotient(dividend, divisor).map(Some),
            _ => Ok(None),
        })
        .collect();
    Ok(quotients?.with_precision_and_scale(precision, scale)?)
}

fn power_of_ten(digits: i8) -> Option<i256> {
    let mut power = i256::ONE;
    for _ in 0..digits {
        power = power.checked_mul(i256::from_i128(10))?;
    }
    Some(power)
}

fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend.wrapping_div(divisor), dividend.wrapping_rem(divisor));
    // At least one half of the divisor is left.
    let is_up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    if is_up { quotient + if (dividend < 0) == (divisor < 0) { 1 } else { -1 } } else { quotient }
}

fn rounded_wide(dividend: i256, divisor: i128) -> Option<i128> {
    let is_negative = dividend.is_negative() != (divisor < 0);
    let divisor = i256::from_i128(divisor);
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?.checked_abs()?);
    let is_up = rest >= divisor.checked_abs()?.checked_sub(rest)?;
    let step = match (is_up, is_negative) {
        (false, _) => i256::ZERO,
        (true, false) => i256::ONE,
        (true, true) => i256::MINUS_ONE,
    };
    quotient.checked_add(step)?.to_i128()
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    fn divided(left: (i128, u8, i8), right: (i128, u8, i8)) -> Result<String> {
        let array =
            |(value, precision, scale)| Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap();
        let (left, right) = (array(left), array(right));
        let result = result_type(&[left.data_type().clone(), right.data_type().clone()])?;
        Ok(format!("{} {result}", quotients(&left, &right, &result)?.value_as_string(0)))
    }

    #[test]
    fn quotients_are_rounded_to_the_larger_scale() {
        for (left, right, quotient) in [
            ((10, 2, 1), (3, 10, 0), "0.3 Decimal128(2, 1)"),
            ((20, 2, 1), (3, 10, 0), "0.7 Decimal128(2, 1)"),
            ((-20, 2, 1), (3, 10, 0), "-0.7 Decimal128(2, 1)"),
            ((1, 1, 0), (200, 5, 2), "0.50 Decimal128(5, 2)"),
            ((5, 1, 0), (-1000, 4, 0), "0 Decimal128(1, 0)"),
            ((5, 1, 0), (-10, 2, 0), "-1 Decimal128(1, 0)"),
            ((3 * i128::pow(10, 18), 38, 20), (4, 38, 20), "750000000000000000.00000000000000000000 Decimal128(38, 20)"),
        ] {
            assert_eq!(divided(left, right).unwrap(), quotient);
        }
        for (left, right) in [((1, 38, 0), (3, 38, 38)), ((i128::pow(10, 37), 38, 20), (4, 38, 20))] {
            assert!(divided(left, right).unwrap_err().to_string().contains("overflow"));
        }
        assert!(divided((1, 1, 0), (0, 1, 0)).is_err());
    }

    #[test]
    fn wide_and_narrow_divisions_agree() {
        for dividend in [-1005_i128, -1000, -5, 0, 5, 14, 15, 16, 999, 1005] {
            for divisor in [-30_i128, -10, -7, -1, 1, 7, 10, 30] {
                assert_eq!(
                    rounded_wide(i256::from_i128(dividend), divisor),
                    Some(rounded(dividend, divisor)),
                    "{dividend} / {divisor}"
                );
            }
        }
    }
}
