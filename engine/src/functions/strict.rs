//! Functions that are NULL where an argument is, as in Trino; DataFusion's of the same names pass over NULLs.

use std::sync::Arc;

use arrow::{
    array::{Array, BooleanArray},
    buffer::NullBuffer,
    compute::nullif,
    datatypes::{DataType, Field, FieldRef},
};
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature},
};

pub(super) const NAMES: [&str; 3] = ["concat", "greatest", "least"];

#[derive(Debug, PartialEq, Eq, Hash)]
struct Strict {
    lenient: Arc<ScalarUDF>,
}

pub(super) fn function(lenient: Arc<ScalarUDF>) -> ScalarUDF {
    ScalarUDF::new_from_impl(Strict { lenient })
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
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field = self.lenient.return_field_from_args(args)?;
        Ok(Arc::new(Field::clone(&field).with_nullable(is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut nulls = None;
        for argument in &args.args {
            match argument {
                ColumnarValue::Scalar(value) if value.is_null() => {
                    return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?));
                }
                ColumnarValue::Scalar(_) => {}
                ColumnarValue::Array(array) => nulls = NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref()),
            }
        }
        let values = self.lenient.invoke_with_args(args)?;
        match (values, nulls) {
            (ColumnarValue::Array(array), Some(nulls)) => {
                let is_null = BooleanArray::new(!nulls.inner(), None);
                Ok(ColumnarValue::Array(nullif(&array, &is_null)?))
            }
            (values, _) => Ok(values),
        }
    }
}
