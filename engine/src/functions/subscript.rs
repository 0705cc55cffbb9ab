//! Elements of arrays by their positions, and values of maps by their keys: `x[i]`, which fails for what is not there, and `element_at`, which is NULL
//! for it and counts negative positions from the end.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, MapArray, UInt32Array, new_null_array},
    compute::{kernels::cmp::not_distinct, take},
    datatypes::{DataType, Field},
    util::display::array_value_to_string,
};
use datafusion::{
    common::{Result, exec_err, internal_err, plan_err},
    functions::utils::make_scalar_function,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, expr::ScalarFunction,
    },
};

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Absent {
    /// `x[i]`.
    Fails,
    /// `element_at(x, i)`.
    IsNull,
    /// `x[i]` behind a condition that may have asked whether it is there.
    IsUnknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subscript {
    absent: Absent,
    signature: Signature,
}

fn udf(absent: Absent) -> ScalarUDF {
    ScalarUDF::new_from_impl(Subscript { absent, signature: Signature::user_defined(Volatility::Immutable) })
}

/// `element_at`.
pub(super) fn element_at() -> ScalarUDF {
    udf(Absent::IsNull)
}

/// `of[at]`.
pub(crate) fn subscript(of: Expr, at: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf(Absent::Fails)), vec![of, at]))
}

/// A subscript that is NULL where `x[i]` would fail, if the expression is one that fails.
pub(crate) fn guarded(expr: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let fails = call.func.inner().downcast_ref::<Subscript>().is_some_and(|subscript| subscript.absent == Absent::Fails);
    fails.then(|| Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf(Absent::IsUnknown)), call.args.clone())))
}

/// The key and the value of a map's entries.
fn entry(entries: &Field) -> Option<(&DataType, &DataType)> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((fields[0].data_type(), fields[1].data_type())),
        _ => None,
    }
}

/// Whether a map with such keys is asked with such a value.
fn is_key(asked: &DataType, key: &DataType) -> bool {
    asked == key
        || asked.is_null()
        || asked.is_string() && key.is_string()
        || asked.is_numeric() && key.is_numeric()
        || asked.is_temporal() && key.is_temporal()
}

impl ScalarUDFImpl for Subscript {
    fn name(&self) -> &str {
        match self.absent {
            Absent::Fails | Absent::IsUnknown => "subscript",
            Absent::IsNull => "element_at",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<_> = args.iter().map(|expr| expr.schema_name().to_string()).collect();
        Ok(match (self.absent, names.as_slice()) {
            (Absent::Fails | Absent::IsUnknown, [of, at]) => format!("{of}[{at}]"),
            _ => format!("{}({})", self.name(), names.join(",")),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [of, at] = types else {
            return plan_err!("function '{}' takes 2 arguments, not {}", self.name(), types.len());
        };
        match of {
            DataType::Null => return Ok(vec![of.clone(), at.clone()]),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
                if at.is_integer() || at.is_null() =>
            {
                return Ok(vec![DataType::List(Arc::clone(item)), DataType::Int64]);
            }
            DataType::Map(entries, _) => {
                if let Some((key, _)) = entry(entries).filter(|(key, _)| is_key(at, key)) {
                    return Ok(vec![of.clone(), key.clone()]);
                }
            }
            _ => {}
        }
        plan_err!("cannot use {at} for subscript of {of}")
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(DataType::List(item)) => Ok(item.data_type().clone()),
            Some(DataType::Map(entries, _)) => match entry(entries) {
                Some((_, value)) => Ok(value.clone()),
                None => internal_err!("a map has no entries"),
            },
            _ => Ok(DataType::Null),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = |arrays: &[ArrayRef]| -> Result<ArrayRef> {
            match arrays {
                [of, at] if of.data_type().is_null() => Ok(new_null_array(&DataType::Null, at.len())),
                [of, at] => match of.as_map_opt() {
                    Some(map) => self.value(map, at),
                    None => self.element(of, at.as_primitive()),
                },
                _ => internal_err!("a subscript takes two arguments"),
            }
        };
        make_scalar_function(values, Vec::new())(&args.args)
    }
}

impl Subscript {
    fn element(&self, of: &ArrayRef, at: &Int64Array) -> Result<ArrayRef> {
        let lists = of.as_list::<i32>();
        let (offsets, mut taken) = (lists.value_offsets(), Vec::with_capacity(lists.len()));
        for row in 0..lists.len() {
            if lists.is_null(row) || at.is_null(row) {
                taken.push(None);
                continue;
            }
            let (position, length) = (at.value(row), i64::from(offsets[row + 1] - offsets[row]));
            let index = match position {
                0 if self.absent != Absent::IsUnknown => return exec_err!("SQL array indices start at 1"),
                1.. if position <= length => Some(position - 1),
                i64::MIN..=-1 if self.absent == Absent::IsNull => length.checked_add(position).filter(|index| *index >= 0),
                _ if self.absent != Absent::Fails => None,
                i64::MIN..=-1 => return exec_err!("array subscript is negative: {position}"),
                _ => return exec_err!("array subscript must be less than or equal to array length: {position} > {length}"),
            };
            taken.push(index.and_then(|index| u32::try_from(i64::from(offsets[row]) + index).ok()));
        }
        Ok(take(lists.values(), &UInt32Array::from(taken), None)?)
    }

    fn value(&self, map: &MapArray, at: &ArrayRef) -> Result<ArrayRef> {
        let offsets = map.value_offsets();
        // Every entry's key beside the key that its row asks for.
        let rows = (0_u32..).zip(offsets.windows(2)).flat_map(|(row, ends)| (ends[0]..ends[1]).map(move |_| row));
        let asked = take(at, &UInt32Array::from_iter_values(rows), None)?;
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return internal_err!("a map has no offsets") };
        let (first, last) = (usize::try_from(*first).unwrap_or(0), usize::try_from(*last).unwrap_or(0));
        let equal = not_distinct(&map.keys().slice(first, last - first), &asked)?;
        let mut taken = Vec::with_capacity(map.len());
        for row in 0..map.len() {
            let entries = offsets[row].unsigned_abs()..offsets[row + 1].unsigned_abs();
            let found = entries.clone().find(|entry| equal.value(*entry as usize - first));
            let is_null = map.is_null(row) || at.is_null(row);
            if found.is_none() && !is_null && self.absent == Absent::Fails {
                return exec_err!("key not present in map: {}", array_value_to_string(at, row)?);
            }
            taken.push(found.filter(|_| !is_null));
        }
        Ok(take(map.values(), &UInt32Array::from(taken), None)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Int64Builder, ListArray, MapBuilder, StringArray, StringBuilder},
        datatypes::Int64Type,
    };

    use super::*;

    fn of(absent: Absent) -> Subscript {
        Subscript { absent, signature: Signature::user_defined(Volatility::Immutable) }
    }

    #[test]
    fn slices_are_read_where_they_are() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(9)]),
            Some(vec![Some(1), Some(2)]),
            None,
            Some(vec![]),
        ]);
        let lists: ArrayRef = Arc::new(lists.slice(1, 3));
        let at = Int64Array::from(vec![2, 1, 1]);
        assert!(of(Absent::Fails).element(&lists, &at).unwrap_err().to_string().contains("length: 1 > 0"));
        let found = of(Absent::IsNull).element(&lists, &at).unwrap();
        assert_eq!(found.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(2), None, None]));

        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        for entries in [vec![("z", 0)], vec![("a", 1), ("b", 2)], vec![("a", 3)]] {
            for (key, value) in entries {
                maps.keys().append_value(key);
                maps.values().append_value(value);
            }
            maps.append(true).unwrap();
        }
        let maps = maps.finish().slice(1, 2);
        let at: ArrayRef = Arc::new(StringArray::from(vec!["b", "b"]));
        let found = of(Absent::IsNull).value(&maps, &at).unwrap();
        assert_eq!(found.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(2), None]));
        assert!(of(Absent::Fails).value(&maps, &at).unwrap_err().to_string().contains("key not present in map: b"));
    }
}
