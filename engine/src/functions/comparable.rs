//! Values in a form that Arrow compares correctly. Arrow orders floats by their bit patterns, so that -0.0 is less than 0.0 and NaN comes first
//! or last by its sign; and it treats NULLs within arrays as equal.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StructArray, UInt64Array},
    compute::{and_kleene, kernels::cmp, nullif, take},
    datatypes::{DataType, FieldRef, Float32Type, Float64Type},
};
use datafusion::{
    common::{Result, internal_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
        type_coercion::binary::comparison_coercion,
    },
};

/// Which place NaN has among the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Nan {
    Greatest,
    Least,
}

impl Nan {
    /// The places of the left side's and the right side's by which a comparison of all bits is IEEE 754's.
    pub(crate) fn of(op: Operator) -> (Self, Self) {
        match op {
            // By these, NaN is NaN.
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => (Self::Greatest, Self::Greatest),
            Operator::Gt | Operator::GtEq => (Self::Least, Self::Greatest),
            _ => (Self::Greatest, Self::Least),
        }
    }
}

/// The floats of a value, those inside of it too, with one zero and one NaN.
pub(crate) fn comparable(expr: Expr, nan: Nan) -> Expr {
    let function = Comparable { nan, signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::new_from_impl(function).call(vec![expr])
}

/// Whether an expression is one of [`comparable`].
pub(crate) fn is_comparable(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().downcast_ref::<Comparable>().is_some())
}

/// `left = right` of arrays and rows: NULL where only what is NULL inside of them could tell them apart.
pub(crate) fn equal(left: Expr, right: Expr) -> Expr {
    ScalarUDF::new_from_impl(Equal { signature: Signature::user_defined(Volatility::Immutable) }).call(vec![left, right])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Comparable {
    nan: Nan,
    signature: Signature,
}

impl ScalarUDFImpl for Comparable {
    fn name(&self) -> &str {
        match self.nan {
            Nan::Greatest => "comparable",
            Nan::Least => "comparable_nan_first",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [of] => Ok(of.clone()),
            _ => internal_err!("{} takes one argument", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [of] => Ok(Arc::new(of.as_ref().clone().with_name(self.name()))),
            _ => internal_err!("{} takes one argument", self.name()),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(|values| Ok(floats(&values[0], self.nan)), Vec::new())(&args.args)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Equal {
    signature: Signature,
}

impl ScalarUDFImpl for Equal {
    fn name(&self) -> &str {
        "equal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else { return internal_err!("equal takes two arguments") };
        match comparison_coercion(left, right) {
            Some(common) => Ok(vec![common.clone(), common]),
            None => plan_err!("cannot compare {left} with {right}"),
        }
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(|values| Ok(Arc::new(equal_rows(&values[0], &values[1])?) as ArrayRef), Vec::new())(&args.args)
    }
}

fn floats(array: &ArrayRef, nan: Nan) -> ArrayRef {
    match array.data_type() {
        DataType::Float32 => {
            let nan = f32::NAN.copysign(if nan == Nan::Greatest { 1.0 } else { -1.0 });
            let one = |number: f32| if number.is_nan() { nan } else { number + 0.0 };
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(one))
        }
        DataType::Float64 => {
            let nan = f64::NAN.copysign(if nan == Nan::Greatest { 1.0 } else { -1.0 });
            let one = |number: f64| if number.is_nan() { nan } else { number + 0.0 };
            Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(one))
        }
        DataType::List(element) => {
            let list = array.as_list::<i32>();
            let values = floats(list.values(), nan);
            Arc::new(ListArray::new(Arc::clone(element), list.offsets().clone(), values, list.nulls().cloned()))
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let row = array.as_struct();
            let columns = row.columns().iter().map(|column| floats(column, nan)).collect();
            Arc::new(StructArray::new(fields.clone(), columns, row.nulls().cloned()))
        }
        _ => Arc::clone(array),
    }
}

fn equal_rows(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanArray> {
    match (left.data_type(), right.data_type()) {
        (DataType::List(_), DataType::List(_)) => equal_lists(left.as_list(), right.as_list()),
        (DataType::Struct(_), DataType::Struct(_)) => {
            let mut equal = BooleanArray::from(vec![true; left.len()]);
            for (left, right) in left.as_struct().columns().iter().zip(right.as_struct().columns()) {
                equal = and_kleene(&equal, &equal_rows(left, right)?)?;
            }
            let is_null: BooleanArray = (0..left.len()).map(|row| Some(left.is_null(row) || right.is_null(row))).collect();
            Ok(nullif(&equal, &is_null)?.as_boolean().clone())
        }
        // Of two NULLs alone.
        (DataType::Null, _) | (_, DataType::Null) => Ok(BooleanArray::new_null(left.len())),
        _ => {
            let (nan_left, nan_right) = Nan::of(Operator::Eq);
            Ok(cmp::eq(&floats(left, nan_left), &floats(right, nan_right))?)
        }
    }
}

fn equal_lists(left: &ListArray, right: &ListArray) -> Result<BooleanArray> {
    let is_pair = |row: usize| left.is_valid(row) && right.is_valid(row) && left.value_length(row) == right.value_length(row);
    let elements = |list: &ListArray| -> Result<ArrayRef> {
        let offsets = list.value_offsets();
        let at = (0..list.len()).filter(|&row| is_pair(row)).flat_map(|row| offsets[row]..offsets[row + 1]);
        let at: UInt64Array = at.map(|at| u64::try_from(at).unwrap_or(0)).collect::<Vec<_>>().into();
        Ok(take(list.values(), &at, None)?)
    };
    let equal = equal_rows(&elements(left)?, &elements(right)?)?;
    let mut equal = equal.iter();
    let rows = (0..left.len()).map(|row| {
        if left.is_null(row) || right.is_null(row) {
            return None;
        }
        if !is_pair(row) {
            return Some(false);
        }
        let length = usize::try_from(left.value_length(row)).unwrap_or(0);
        // All of a row's are taken, whatever the first of them tell.
        let mut all = Some(true);
        for one in equal.by_ref().take(length) {
            all = match (all, one) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (None, _) | (_, None) => None,
                _ => Some(true),
            };
        }
        all
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Float64Array, Int64Array},
        datatypes::Int32Type,
    };

    use super::*;

    #[test]
    fn bits_compare_as_numbers() {
        let all: ArrayRef = Arc::new(Float64Array::from(vec![-f64::NAN, f64::NAN, -0.0, 0.0, f64::INFINITY]));
        let bits = |nan| -> Vec<u64> {
            floats(&all, nan).as_primitive::<Float64Type>().values().iter().map(|number| number.to_bits()).collect()
        };
        let (first, last) = (bits(Nan::Least), bits(Nan::Greatest));
        assert!(f64::from_bits(first[0]).is_sign_negative() && f64::from_bits(last[0]).is_sign_positive());
        assert_eq!((first[0], last[0]), (first[1], last[1]));
        assert_eq!((first[2], first[3]), (0, 0));
        assert_eq!(first[4], f64::INFINITY.to_bits());
        let (left, right) = (floats(&all, Nan::Greatest), floats(&all, Nan::Least));
        let equal = cmp::eq(&left, &right).unwrap();
        assert_eq!(equal.values().iter().collect::<Vec<_>>(), [false, false, true, true, true]);
    }

    #[test]
    fn a_null_inside_leaves_open_what_nothing_else_decides() {
        let list = |rows: Vec<Option<Vec<Option<i32>>>>| -> ArrayRef {
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
        };
        let left = list(vec![
            Some(vec![Some(1), None]),
            Some(vec![Some(1), None]),
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![Some(3)]),
        ]);
        let right = list(vec![
            Some(vec![Some(1), None]),
            Some(vec![Some(2), None]),
            Some(vec![Some(1)]),
            Some(vec![]),
            Some(vec![]),
            Some(vec![Some(3)]),
        ]);
        let equal: Vec<Option<bool>> = equal_rows(&left, &right).unwrap().iter().collect();
        assert_eq!(equal, [None, Some(false), Some(false), None, Some(true), Some(true)]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(equal_rows(&numbers, &numbers).unwrap().iter().collect::<Vec<_>>(), [Some(true), None]);
    }
}
