//! `+`, `-` and `*` of integers. They fail where the result does not fit its type, as in Trino; DataFusion's wrap around.

use arrow::{compute::kernels::numeric, datatypes::DataType, error::ArrowError};
use datafusion::{
    common::{Result, exec_err, internal_err},
    error::DataFusionError,
    logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
    physical_expr_common::datum::apply,
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

    fn of(self, left: &ColumnarValue, right: &ColumnarValue, data_type: &DataType) -> Result<ColumnarValue> {
        let (result, word) = match self {
            Self::Add => (apply(left, right, numeric::add), "addition"),
            Self::Subtract => (apply(left, right, numeric::sub), "subtraction"),
            Self::Multiply => (apply(left, right, numeric::mul), "multiplication"),
        };
        match result {
            Err(DataFusionError::ArrowError(error, backtrace)) => match *error {
                ArrowError::ArithmeticOverflow(told) => {
                    let operands = told.strip_prefix("Overflow happened on: ").unwrap_or(&told);
                    exec_err!("{} {word} overflow: {operands}", integer_name(data_type))
                }
                error => Err(DataFusionError::ArrowError(Box::new(error), backtrace)),
            },
            result => result,
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
        match args.args.as_slice() {
            [left, right] => self.operation.of(left, right, args.return_field.data_type()),
            _ => internal_err!("arithmetic takes two arguments"),
        }
    }
}
