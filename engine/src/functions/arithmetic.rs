//! `+`, `-` and `*` of integers. They fail where the result does not fit its type, as in Trino; DataFusion's wrap around.

use arrow::{
    array::{ArrayRef, Datum},
    compute::kernels::numeric,
    datatypes::DataType,
    error::ArrowError,
};
use datafusion::{
    common::{Result, ScalarValue, exec_err, internal_err},
    logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

/// What is done to two integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

impl Arithmetic {
    pub(crate) fn call(self, left: Expr, right: Expr) -> Expr {
        let function = Checked { operation: self, signature: Signature::user_defined(Volatility::Immutable) };
        ScalarUDF::new_from_impl(function).call(vec![left, right])
    }

    fn of(self, left: &dyn Datum, right: &dyn Datum, data_type: &DataType) -> Result<ArrayRef> {
        let (result, word) = match self {
            Self::Add => (numeric::add(left, right), "addition"),
            Self::Subtract => (numeric::sub(left, right), "subtraction"),
            Self::Multiply => (numeric::mul(left, right), "multiplication"),
        };
        match result {
            Err(ArrowError::ArithmeticOverflow(told)) => {
                let operands = told.strip_prefix("Overflow happened on: ").unwrap_or(&told);
                exec_err!("{} {word} overflow: {operands}", integer_name(data_type))
            }
            result => Ok(result?),
        }
    }
}

/// A type's name in messages.
fn integer_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        _ => "bigint",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Checked {
    operation: Arithmetic,
    signature: Signature,
}

/// The wider of two integers.
fn wider(types: &[DataType]) -> Result<DataType> {
    match types {
        [left, right] => Ok(if left.primitive_width() >= right.primitive_width() { left } else { right }.clone()),
        _ => internal_err!("arithmetic takes two arguments"),
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Arithmetic::Add => "add",
            Arithmetic::Subtract => "subtract",
            Arithmetic::Multiply => "multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let wider = wider(types)?;
        Ok(vec![wider.clone(), wider])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        wider(types)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = |left: &dyn Datum, right: &dyn Datum| self.operation.of(left, right, args.return_field.data_type());
        Ok(match args.args.as_slice() {
            [ColumnarValue::Array(left), ColumnarValue::Array(right)] => ColumnarValue::Array(of(left, right)?),
            [ColumnarValue::Array(left), ColumnarValue::Scalar(right)] => ColumnarValue::Array(of(left, &right.to_scalar()?)?),
            [ColumnarValue::Scalar(left), ColumnarValue::Array(right)] => ColumnarValue::Array(of(&left.to_scalar()?, right)?),
            [ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)] => {
                let one = of(&left.to_scalar()?, &right.to_scalar()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
            }
            _ => return internal_err!("arithmetic takes two arguments"),
        })
    }
}
