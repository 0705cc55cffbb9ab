//! Floats as numbers that order as Trino's `max`, `min`, `greatest` and their like do: NaN, whatever its sign, loses to every number, and is the answer only
//! where there is nothing else. Whole numbers stand for floats, so that DataFusion's functions, which take NaN for the greatest number, or what comes
//! first for it, can do the rest.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type},
};

/// Which of some floats is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Extreme {
    Greatest,
    Least,
}

/// The type of the numbers that stand for a type of floats; `None` for other types.
pub(super) fn number_type(floats: &DataType) -> Option<DataType> {
    match floats {
        DataType::Float32 => Some(DataType::Int32),
        DataType::Float64 => Some(DataType::Int64),
        _ => None,
    }
}

impl Extreme {
    /// The numbers that stand for floats; what are none stays.
    pub(super) fn numbers(self, floats: &ArrayRef) -> ArrayRef {
        match floats.data_type() {
            DataType::Float32 => {
                let number = |float: f32| if float.is_nan() { self.last_i32() } else { flipped_i32(float.to_bits() as i32) };
                Arc::new(floats.as_primitive::<Float32Type>().unary::<_, Int32Type>(number))
            }
            DataType::Float64 => {
                let number = |float: f64| if float.is_nan() { self.last_i64() } else { flipped_i64(float.to_bits() as i64) };
                Arc::new(floats.as_primitive::<Float64Type>().unary::<_, Int64Type>(number))
            }
            _ => Arc::clone(floats),
        }
    }

    /// The floats that numbers stand for.
    pub(super) fn floats(self, numbers: &ArrayRef) -> ArrayRef {
        match numbers.data_type() {
            DataType::Int32 => {
                let float =
                    |number| if number == self.last_i32() { f32::NAN } else { f32::from_bits(flipped_i32(number) as u32) };
                Arc::new(numbers.as_primitive::<Int32Type>().unary::<_, Float32Type>(float))
            }
            DataType::Int64 => {
                let float =
                    |number| if number == self.last_i64() { f64::NAN } else { f64::from_bits(flipped_i64(number) as u64) };
                Arc::new(numbers.as_primitive::<Int64Type>().unary::<_, Float64Type>(float))
            }
            _ => Arc::clone(numbers),
        }
    }

    /// What loses to all numbers: the bits of a NaN, which stand for no number.
    const fn last_i32(self) -> i32 {
        match self {
            Self::Greatest => i32::MIN,
            Self::Least => i32::MAX,
        }
    }

    const fn last_i64(self) -> i64 {
        match self {
            Self::Greatest => i64::MIN,
            Self::Least => i64::MAX,
        }
    }
}

/// The bits of a float as a number that orders as it does, and back: those of negative ones count down.
const fn flipped_i32(bits: i32) -> i32 {
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

const fn flipped_i64(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array};

    use super::*;

    #[test]
    fn numbers_order_as_floats_and_nan_comes_last() {
        let floats = [f64::NEG_INFINITY, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, 2.0, f64::MAX, f64::INFINITY];
        for (extreme, nan_first) in [(Extreme::Greatest, true), (Extreme::Least, false)] {
            let all: Vec<f64> = floats.iter().copied().chain([f64::NAN, -f64::NAN]).collect();
            let numbers = extreme.numbers(&(Arc::new(Float64Array::from(all.clone())) as ArrayRef));
            let of = numbers.as_primitive::<Int64Type>().values();
            assert!(of[..8].is_sorted(), "{of:?}");
            assert_eq!(of[8], of[9]);
            assert!(of[..8].iter().all(|number| (of[8] < *number) == nan_first && of[8] != *number));
            let back = extreme.floats(&numbers);
            let back = back.as_primitive::<Float64Type>().values();
            assert!(
                back.iter().zip(&all).all(|(one, other)| one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan()))
            );
        }
        let single: ArrayRef = Arc::new(Float32Array::from(vec![Some(-1.5), None, Some(f32::NAN), Some(3.0)]));
        let back = Extreme::Least.floats(&Extreme::Least.numbers(&single));
        let back = back.as_primitive::<Float32Type>();
        assert!(back.is_null(1) && back.value(2).is_nan() && back.value(0) == -1.5 && back.value(3) == 3.0);
    }
}
