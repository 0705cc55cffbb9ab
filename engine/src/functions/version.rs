//! `version()`: this engine's version, as `1.2.3`, the form in which Flight SQL and `glaux --version` tell it.

use arrow::datatypes::DataType;
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility},
};

#[derive(Debug, PartialEq, Eq, Hash)]
struct Version(Signature);

pub(super) fn version() -> ScalarUDF {
    ScalarUDF::new_from_impl(Version(Signature::nullary(Volatility::Immutable)))
}

impl ScalarUDFImpl for Version {
    fn name(&self) -> &str {
        "version"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::from(env!("CARGO_PKG_VERSION"))))
    }
}
