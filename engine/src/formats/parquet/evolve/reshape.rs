//! Values of a file's type as values of the table's, where DataFusion's own casts would misread them, or would be seen through by its
//! optimizer although they lose something.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Decimal128Array, ListArray, MapArray, RecordBatch, StringArray, StructArray,
        TimestampMillisecondArray, new_null_array,
    },
    compute::{CastOptions, cast, cast_with_options},
    datatypes::{
        DECIMAL128_MAX_PRECISION, DataType, FieldRef, Schema, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
    },
    error::ArrowError,
};
use datafusion::{
    error::{DataFusionError, Result},
    logical_expr::ColumnarValue,
    physical_expr::{PhysicalExpr, utils::collect_columns},
};

use crate::{error::to_datafusion, formats::parquet::metadata::not_text};

/// The length of a `VARCHAR` or `CHAR`, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TextLength {
    pub characters: usize,
    /// `CHAR`: padding at the end does not count.
    pub is_padded: bool,
}

/// What [`Reshape`] does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum How {
    /// To this type of the table's.
    To(DataType),
    /// Bytes, which are a number of that scale, to this type of the table's.
    Number { scale: i8, to: DataType },
    /// Text to its declared length.
    Cut(TextLength),
}

/// An expression over a file's columns, as the table's type has it.
#[derive(Debug, Clone, Eq)]
pub(super) struct Reshape {
    pub child: Arc<dyn PhysicalExpr>,
    pub how: How,
}

// By hand: a derived comparison of a trait object moves it.
impl PartialEq for Reshape {
    fn eq(&self, other: &Self) -> bool {
        self.child.eq(&other.child) && self.how == other.how
    }
}

impl Hash for Reshape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.child.hash(state);
        self.how.hash(state);
    }
}

impl fmt::Display for Reshape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            How::To(to) | How::Number { to, .. } => write!(f, "reshape({}, {to})", self.child),
            How::Cut(length) => write!(f, "cut({}, {})", self.child, length.characters),
        }
    }
}

impl PhysicalExpr for Reshape {
    fn data_type(&self, _input: &Schema) -> Result<DataType> {
        Ok(match &self.how {
            How::To(to) | How::Number { to, .. } => to.clone(),
            How::Cut(_) => DataType::Utf8,
        })
    }

    fn nullable(&self, _input: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.child.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(match &self.how {
            How::To(to) => convert(&array, to).map_err(|error| self.named(error))?,
            How::Number { scale, to } => convert(&(Arc::new(numbers(&array, *scale)?) as ArrayRef), to)?,
            How::Cut(length) => Arc::new(cut(&array, *length)?),
        }))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.child]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let child = children.pop().unwrap_or_else(|| Arc::clone(&self.child));
        Ok(Arc::new(Self { child, how: self.how.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Reshape {
    /// An error of [`convert`]. Where bytes are no text it does not say of which column.
    fn named(&self, error: ArrowError) -> DataFusionError {
        if !error.to_string().contains("UTF-8") {
            return error.into();
        }
        let mut columns: Vec<String> = collect_columns(&self.child).iter().map(|column| column.name().to_owned()).collect();
        columns.sort_unstable();
        to_datafusion(not_text(&columns))
    }
}

/// The values as that type: fields of structs by name, absent ones as NULL; timestamps rounded half up; what does not fit is an error.
fn convert(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType as T;
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), wanted) {
        (T::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _), T::Timestamp(TimeUnit::Millisecond, None)) => {
            Ok(Arc::new(to_millis(array)?))
        }
        (T::Struct(_), T::Struct(fields)) => {
            let source = array.as_struct();
            let child = |field: &FieldRef| match source.column_by_name(field.name()) {
                Some(child) => convert(child, field.data_type()),
                None => Ok(new_null_array(field.data_type(), source.len())),
            };
            let children = fields.iter().map(child).collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, source.nulls().cloned(), source.len())?))
        }
        (T::List(_), T::List(item)) => {
            let source = array.as_list::<i32>();
            let values = convert(source.values(), item.data_type())?;
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), source.offsets().clone(), values, source.nulls().cloned())?))
        }
        (T::Map(..), T::Map(entries, is_sorted)) => {
            let source = array.as_map();
            let T::Struct(fields) = entries.data_type() else {
                return Err(ArrowError::CastError(format!("a map of {} has no keys", entries.data_type())));
            };
            let children = source.entries().columns().iter().zip(fields).map(|(child, field)| convert(child, field.data_type()));
            let children = children.collect::<Result<Vec<_>, _>>()?;
            let pairs = StructArray::try_new(fields.clone(), children, source.entries().nulls().cloned())?;
            let (offsets, nulls) = (source.offsets().clone(), source.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *is_sorted)?))
        }
        _ => cast_with_options(array, wanted, &CastOptions { safe: false, ..CastOptions::default() }),
    }
}

fn to_millis(array: &ArrayRef) -> Result<TimestampMillisecondArray, ArrowError> {
    let half_up = |value: i64, step: i64| value.div_euclid(step) + i64::from(value.rem_euclid(step) >= step / 2);
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().unary(|value| half_up(value, 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().unary(|value| half_up(value, 1_000))
        }
        _ => cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?.as_primitive().clone(),
    })
}

/// Decimals out of their bytes: two's complement, the highest first, as many as there are.
fn numbers(array: &ArrayRef, scale: i8) -> Result<Decimal128Array, ArrowError> {
    let bytes = cast(array, &DataType::Binary)?;
    let numbers = bytes.as_binary::<i32>().iter().map(|bytes| bytes.map(number).transpose());
    numbers.collect::<Result<Decimal128Array, _>>()?.with_precision_and_scale(DECIMAL128_MAX_PRECISION, scale)
}

fn number(bytes: &[u8]) -> Result<i128, ArrowError> {
    let sign = if bytes.first().is_some_and(|first| *first >= 0x80) { 0xff } else { 0 };
    let mut number = [sign; 16];
    let (padding, bytes) = bytes.split_at(bytes.len().saturating_sub(number.len()));
    let start = number.len() - bytes.len();
    number[start..].copy_from_slice(bytes);
    let is_padded = padding.iter().all(|byte| *byte == sign) && (padding.is_empty() || (number[0] >= 0x80) == (sign == 0xff));
    if !is_padded {
        return Err(ArrowError::ArithmeticOverflow("a decimal in the file has too many digits".to_owned()));
    }
    Ok(i128::from_be_bytes(number))
}

fn cut(array: &ArrayRef, length: TextLength) -> Result<StringArray, ArrowError> {
    let text = cast(array, &DataType::Utf8)?;
    let cut = |value: &str| -> String {
        let end = value.char_indices().nth(length.characters).map_or(value.len(), |(end, _)| end);
        let value = &value[..end];
        if length.is_padded { value.trim_end_matches(' ').to_owned() } else { value.to_owned() }
    };
    Ok(text.as_string::<i32>().iter().map(|value| value.map(cut)).collect())
}
