//! Arithmetic of decimals with Trino's precision and scale. A result that has more digits than its type is rounded half away from zero; one that does not
//! fit fails. DataFusion's has other types, cuts digits off, and fails where no digit but one behind the point is too many.

use std::sync::Arc;

use arrow::{
    array::{Array as _, ArrayRef, ArrowNativeTypeOp, AsArray, Decimal128Array},
    buffer::{NullBuffer, ScalarBuffer},
    compute::kernels::arity::try_binary,
    datatypes::{DataType, Decimal128Type, i256},
    error::ArrowError,
};
use datafusion::{
    common::{Result, ScalarValue, internal_err},
    functions::utils::make_scalar_function,
    logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

const MOST_DIGITS: i16 = 38;
/// Digits behind the point that a product or quotient keeps although there is no room for all of them.
const KEPT_DIGITS: i16 = 6;

/// What is done to two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DecimalArithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Calculation {
    operation: DecimalArithmetic,
    signature: Signature,
}

/// Whether arithmetic is that of decimals: of two, or of one and an integer.
pub(crate) fn is_decimal_arithmetic(left: &DataType, right: &DataType) -> bool {
    let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
    (is_decimal(left) || is_decimal(right)) && as_decimal(left).is_some() && as_decimal(right).is_some()
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

impl DecimalArithmetic {
    pub(crate) fn call(self, left: Expr, right: Expr) -> Expr {
        let function = Calculation { operation: self, signature: Signature::user_defined(Volatility::Immutable) };
        ScalarUDF::new_from_impl(function).call(vec![left, right])
    }

    fn divides(self) -> bool {
        matches!(self, Self::Divide | Self::Modulo)
    }

    /// Precision and scale of the result.
    fn result(self, (left, left_scale): (u8, i8), (right, right_scale): (u8, i8)) -> (u8, i8) {
        let [left, left_scale, right, right_scale] =
            [i16::from(left), i16::from(left_scale), i16::from(right), i16::from(right_scale)];
        let (left_whole, right_whole, scale) = (left - left_scale, right - right_scale, left_scale.max(right_scale));
        let (precision, scale) = match self {
            // What has no room is behind the point.
            Self::Add | Self::Subtract => {
                let whole = left_whole.max(right_whole);
                (whole + scale + 1, scale.min(MOST_DIGITS - whole))
            }
            Self::Multiply => roomy(left + right, left_scale + right_scale),
            Self::Divide => {
                let scale = KEPT_DIGITS.max(left_scale + right + 1);
                roomy(left_whole + right_scale + scale, scale)
            }
            Self::Modulo => (left_whole.min(right_whole) + scale, scale),
        };
        // Both are between 0 and 38.
        (precision.clamp(1, MOST_DIGITS) as u8, scale as i8)
    }
}

/// A precision and a scale with fewer digits behind the point if there are too many in all.
fn roomy(precision: i16, scale: i16) -> (i16, i16) {
    let room = MOST_DIGITS - (precision - scale);
    (precision, if precision > MOST_DIGITS { room.max(scale.min(KEPT_DIGITS)) } else { scale })
}

impl ScalarUDFImpl for Calculation {
    fn name(&self) -> &str {
        match self.operation {
            DecimalArithmetic::Add => "decimal_add",
            DecimalArithmetic::Subtract => "decimal_subtract",
            DecimalArithmetic::Multiply => "decimal_multiply",
            DecimalArithmetic::Divide => "divide",
            DecimalArithmetic::Modulo => "decimal_modulus",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let decimal = |data_type: &DataType| match as_decimal(data_type) {
            Some((precision, scale)) => Ok(DataType::Decimal128(precision, scale)),
            None => internal_err!("arithmetic of decimals of {data_type}"),
        };
        types.iter().map(decimal).collect()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.iter().map(as_decimal).collect::<Option<Vec<_>>>().as_deref() {
            Some([left, right]) => {
                let (precision, scale) = self.operation.result(*left, *right);
                Ok(DataType::Decimal128(precision, scale))
            }
            _ => internal_err!("arithmetic of decimals takes two"),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ColumnarValue::{Array, Scalar};
        let types: Option<Vec<_>> = args.arg_fields.iter().map(|field| as_decimal(field.data_type())).collect();
        let Some([left, right]) = types.as_deref() else { return internal_err!("arithmetic of decimals takes two arguments") };
        let numbers = Numbers::new(self.operation, *left, *right);
        let results = match args.args.as_slice() {
            [Array(left), Scalar(ScalarValue::Decimal128(Some(right), ..))] => {
                let left = left.as_primitive::<Decimal128Type>();
                match numbers.exact(left.values().iter().map(|left| (*left, *right))) {
                    Some(values) => Decimal128Array::new(values, left.nulls().cloned()),
                    None => left.try_unary(|left| numbers.result(left, *right))?,
                }
            }
            [Scalar(ScalarValue::Decimal128(Some(left), ..)), Array(right)] => {
                let right = right.as_primitive::<Decimal128Type>();
                match numbers.exact(right.values().iter().map(|right| (*left, *right))) {
                    Some(values) => Decimal128Array::new(values, right.nulls().cloned()),
                    None => right.try_unary(|right| numbers.result(*left, right))?,
                }
            }
            both => {
                let of_arrays =
                    |both: &[ArrayRef]| Ok(Arc::new(numbers.of_arrays(both[0].as_primitive(), both[1].as_primitive())?) as _);
                return make_scalar_function(of_arrays, Vec::new())(both);
            }
        };
        Ok(Array(Arc::new(numbers.typed(results)?)))
    }
}

/// The powers of ten that an operation multiplies its sides with, and that it divides its result by.
struct Powers<N> {
    left: N,
    right: N,
    result: N,
}

impl<N: ArrowNativeTypeOp> Powers<N> {
    /// Nothing if the numbers do not hold them.
    fn new(operation: DecimalArithmetic, left: i8, right: i8, result: i8) -> Option<Self> {
        let scale = left.max(right);
        let [left, right, dropped] = match operation {
            DecimalArithmetic::Multiply => [0, 0, left + right - result],
            DecimalArithmetic::Divide => [result + right - left, 0, 0],
            _ => [scale - left, scale - right, scale - result],
        };
        let power = |digits: i8| {
            let ten = N::usize_as(10);
            ten.pow_checked(u32::try_from(digits).ok()?).ok()
        };
        Some(Self { left: power(left)?, right: power(right)?, result: power(dropped)? })
    }

    /// # Errors
    /// Where the numbers do not hold what is calculated.
    fn calculate(&self, operation: DecimalArithmetic, left: N, right: N) -> Result<N, ArrowError> {
        match operation {
            DecimalArithmetic::Add => {
                rounded(multiplied(left, self.left)?.add_checked(multiplied(right, self.right)?)?, self.result)
            }
            DecimalArithmetic::Subtract => {
                rounded(multiplied(left, self.left)?.sub_checked(multiplied(right, self.right)?)?, self.result)
            }
            DecimalArithmetic::Multiply => rounded(left.mul_checked(right)?, self.result),
            DecimalArithmetic::Divide => rounded(multiplied(left, self.left)?, right),
            DecimalArithmetic::Modulo => multiplied(left, self.left)?.mod_checked(multiplied(right, self.right)?),
        }
    }
}

/// A number times a power of ten, which often is one.
fn multiplied<N: ArrowNativeTypeOp>(number: N, power: N) -> Result<N, ArrowError> {
    if power.is_eq(N::ONE) { Ok(number) } else { number.mul_checked(power) }
}

/// A quotient, rounded half away from zero.
fn rounded<N: ArrowNativeTypeOp>(dividend: N, divisor: N) -> Result<N, ArrowError> {
    if divisor.is_eq(N::ONE) {
        return Ok(dividend);
    }
    let magnitude = |number: N| if number.is_lt(N::ZERO) { number.neg_checked() } else { Ok(number) };
    let (quotient, rest) = (dividend.div_checked(divisor)?, magnitude(dividend.mod_checked(divisor)?)?);
    // At least one half of the divisor is left.
    let is_up = rest.is_ge(magnitude(divisor)?.sub_checked(rest)?);
    match (is_up, dividend.is_lt(N::ZERO) == divisor.is_lt(N::ZERO)) {
        (false, _) => Ok(quotient),
        (true, true) => quotient.add_checked(N::ONE),
        (true, false) => quotient.sub_checked(N::ONE),
    }
}

/// An operation on numbers of two types.
struct Numbers {
    operation: DecimalArithmetic,
    precision: u8,
    scale: i8,
    /// What no result reaches.
    limit: u128,
    narrow: Option<Powers<i128>>,
    wide: Option<Powers<i256>>,
}

impl Numbers {
    fn new(operation: DecimalArithmetic, left: (u8, i8), right: (u8, i8)) -> Self {
        let (precision, scale) = operation.result(left, right);
        let narrow = Powers::new(operation, left.1, right.1, scale);
        let wide = Powers::new(operation, left.1, right.1, scale);
        Self { operation, precision, scale, limit: 10_u128.pow(u32::from(precision)), narrow, wide }
    }

    fn result(&self, left: i128, right: i128) -> Result<i128, ArrowError> {
        if self.operation.divides() && right == 0 {
            return Err(ArrowError::DivideByZero);
        }
        let quick = self.narrow.as_ref().and_then(|powers| powers.calculate(self.operation, left, right).ok());
        let result = quick.or_else(|| {
            let (left, right) = (i256::from_i128(left), i256::from_i128(right));
            self.wide.as_ref()?.calculate(self.operation, left, right).ok()?.to_i128()
        });
        result.filter(|result| result.unsigned_abs() < self.limit).ok_or_else(|| {
            let (precision, scale) = (self.precision, self.scale);
            ArrowError::ComputeError(format!("decimal overflow: the result does not fit decimal({precision},{scale})"))
        })
    }

    /// The results, if all of them are exact and fit, of numbers of 64 bits: none is looked at by itself, nor is any that is NULL. `None` says nothing.
    fn exact(&self, pairs: impl Iterator<Item = (i128, i128)>) -> Option<ScalarBuffer<i128>> {
        let powers = self.narrow.as_ref().filter(|powers| powers.result == 1)?;
        let (left_power, right_power) = (i64::try_from(powers.left).ok()?, i64::try_from(powers.right).ok()?);
        let (left_power, right_power) = (i128::from(left_power), i128::from(right_power));
        // Neither a product of two numbers of 64 bits nor the sum of two such products leaves 128 bits.
        match self.operation {
            DecimalArithmetic::Add => self.each(pairs, |left, right| left * left_power + right * right_power),
            DecimalArithmetic::Subtract => self.each(pairs, |left, right| left * left_power - right * right_power),
            DecimalArithmetic::Multiply => self.each(pairs, |left, right| left * right),
            DecimalArithmetic::Divide | DecimalArithmetic::Modulo => None,
        }
    }

    fn each(
        &self,
        pairs: impl Iterator<Item = (i128, i128)>,
        calculate: impl Fn(i128, i128) -> i128,
    ) -> Option<ScalarBuffer<i128>> {
        let mut all_fit = true;
        let values: Vec<i128> = pairs
            .map(|(left, right)| {
                let (short_left, short_right) = (i128::from(left as i64), i128::from(right as i64));
                let result = calculate(short_left, short_right);
                all_fit &= (short_left == left) & (short_right == right) & (result.unsigned_abs() < self.limit);
                result
            })
            .collect();
        all_fit.then(|| values.into())
    }

    fn of_arrays(&self, left: &Decimal128Array, right: &Decimal128Array) -> Result<Decimal128Array> {
        if left.len() == right.len()
            && let Some(values) = self.exact(left.values().iter().copied().zip(right.values().iter().copied()))
        {
            return self.typed(Decimal128Array::new(values, NullBuffer::union(left.nulls(), right.nulls())));
        }
        self.typed(try_binary::<_, _, _, Decimal128Type>(left, right, |left, right| self.result(left, right))?)
    }

    fn typed(&self, results: Decimal128Array) -> Result<Decimal128Array> {
        Ok(results.with_precision_and_scale(self.precision, self.scale)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{DecimalArithmetic as D, *};

    fn calculated(operation: D, left: (i128, u8, i8), right: (i128, u8, i8)) -> Result<String> {
        let array =
            |(value, precision, scale)| Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap();
        let numbers = Numbers::new(operation, (left.1, left.2), (right.1, right.2));
        let results = numbers.of_arrays(&array(left), &array(right))?;
        Ok(format!("{} {}", results.value_as_string(0), results.data_type()))
    }

    #[test]
    fn results_have_the_types_of_trino_and_are_rounded() {
        const LONG: i128 = 123_456_789_012_345_678_901_234_567_895;
        const LONGEST: i128 = 12_345_678_901_234_567_890_123_456_789_012_345_678;
        for (operation, left, right, result) in [
            (D::Divide, (10, 2, 1), (3, 10, 0), "0.333333333333 Decimal128(13, 12)"),
            (D::Divide, (1, 38, 0), (3, 10, 0), "0.333333 Decimal128(38, 6)"),
            (D::Divide, (LONG, 30, 1), (3, 1, 0), "4115226300411522630041152263.166667 Decimal128(35, 6)"),
            (D::Divide, (1, 1, 0), (LONG, 30, 1), "0.0000000000000000000000000000810 Decimal128(33, 31)"),
            (D::Multiply, (15, 2, 1), (225, 3, 2), "3.375 Decimal128(5, 3)"),
            (D::Multiply, (LONG, 30, 1), (5, 1, 1), "6172839450617283945061728394.75 Decimal128(31, 2)"),
            (D::Add, (LONGEST, 38, 0), (1, 10, 0), "12345678901234567890123456789012345679 Decimal128(38, 0)"),
            (D::Add, (LONGEST, 38, 1), (25, 2, 2), "1234567890123456789012345678901234568.1 Decimal128(38, 1)"),
            (D::Add, (LONG, 30, 1), (25, 2, 2), "12345678901234567890123456789.75 Decimal128(32, 2)"),
            (D::Subtract, (1, 2, 1), (-2, 2, 1), "0.3 Decimal128(3, 1)"),
            (D::Modulo, (LONGEST, 38, 0), (7, 1, 1), "0.6 Decimal128(1, 1)"),
            (D::Modulo, (-75, 2, 1), (2, 1, 0), "-1.5 Decimal128(2, 1)"),
        ] {
            assert_eq!(calculated(operation, left, right).unwrap(), result);
        }
        for (operation, left, right) in [
            (D::Divide, (LONGEST, 38, 0), (7, 10, 0)),
            (D::Add, (i128::pow(10, 38) - 1, 38, 0), (1, 10, 0)),
            (D::Multiply, (LONGEST, 38, 0), (LONGEST, 38, 0)),
        ] {
            assert!(calculated(operation, left, right).unwrap_err().to_string().contains("overflow"));
        }
        assert!(calculated(D::Divide, (1, 1, 0), (0, 1, 0)).is_err());
        assert!(calculated(D::Modulo, (1, 1, 0), (0, 1, 0)).is_err());
    }

    #[test]
    fn many_at_once_are_as_one_by_one() {
        let values = [0_i128, 1, -1, 5, 99, -99, 999, i128::from(i64::MAX), i128::from(i64::MIN), i128::from(i64::MAX) + 1];
        for operation in [D::Add, D::Subtract, D::Multiply, D::Divide, D::Modulo] {
            for (left, right) in [((19, 2), (19, 2)), ((5, 0), (3, 2)), ((19, 0), (19, 18)), ((38, 2), (10, 0))] {
                let numbers = Numbers::new(operation, left, right);
                for left in values {
                    for right in values {
                        if let Some(at_once) = numbers.exact(std::iter::once((left, right))) {
                            assert_eq!(numbers.result(left, right).ok(), Some(at_once[0]), "{operation:?} {left} {right}");
                        }
                    }
                }
            }
        }
        let numbers = Numbers::new(D::Subtract, (1, 0), (15, 2));
        assert_eq!(numbers.exact([(1, 5), (1, 100)].into_iter()).unwrap().as_ref(), [95, 0]);
        // A product that its type does not hold is for the other way to tell.
        assert!(Numbers::new(D::Multiply, (1, 0), (1, 0)).exact(std::iter::once((99, 99))).is_none());
    }

    #[test]
    fn wide_and_narrow_quotients_agree() {
        for dividend in [-1005_i128, -1000, -5, 0, 5, 14, 15, 16, 999, 1005] {
            for divisor in [-30_i128, -10, -7, -1, 1, 7, 10, 30] {
                assert_eq!(
                    rounded(i256::from_i128(dividend), i256::from_i128(divisor)).unwrap().to_i128(),
                    Some(rounded(dividend, divisor).unwrap()),
                    "{dividend} / {divisor}"
                );
            }
        }
    }
}
