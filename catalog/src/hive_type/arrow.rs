//! Hive's types as Arrow types, and the Hive types of Arrow data from files and queries.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::{
    HiveType,
    parse::{MAX_DEPTH, too_deep},
};
use crate::error::{Error, Result};

impl HiveType {
    /// The Arrow type of this type in every plan and batch: text is `Utf8` whatever its declared length, a
    /// timestamp has milliseconds and no zone, all children but map keys are nullable.
    #[must_use]
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
            Self::Char(_) | Self::Varchar(_) | Self::String => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Array(element) => DataType::List(Arc::new(Field::new("item", element.to_arrow(), true))),
            Self::Map(key, value) => {
                let entry = vec![Field::new("key", key.to_arrow(), false), Field::new("value", value.to_arrow(), true)];
                DataType::Map(Arc::new(Field::new("entries", DataType::Struct(Fields::from(entry)), false)), false)
            }
            Self::Struct(fields) => {
                DataType::Struct(fields.iter().map(|(name, hive_type)| Field::new(name, hive_type.to_arrow(), true)).collect())
            }
        }
    }

    /// The Hive type for the values of an Arrow type. Unsigned integers become the next wider signed type (64 bits:
    /// `decimal(20,0)`); timestamps lose what is finer than a millisecond, and the zone UTC.
    ///
    /// # Errors
    /// `Unsupported` for a type without a counterpart in Hive, naming it; `Invalid` for one that cannot be stored ([`HiveType::checked`]).
    pub fn from_arrow(data_type: &DataType) -> Result<Self> {
        Self::of_arrow(data_type, 0)?.checked()
    }

    fn of_arrow(data_type: &DataType, depth: usize) -> Result<Self> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let part = |data_type: &DataType| Self::of_arrow(data_type, depth + 1);
        Ok(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::TinyInt,
            DataType::Int16 | DataType::UInt8 => Self::SmallInt,
            DataType::Int32 | DataType::UInt16 => Self::Int,
            DataType::Int64 | DataType::UInt32 => Self::BigInt,
            DataType::UInt64 => Self::Decimal(20, 0),
            DataType::Float16 | DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Self::Binary,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(zone)) if matches!(zone.as_ref(), "UTC" | "Z" | "+00:00") => Self::Timestamp,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale)
                if (1..=38).contains(precision) && (0..=*precision as i16).contains(&i16::from(*scale)) =>
            {
                Self::Decimal(*precision, *scale)
            }
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _)
            | DataType::ListView(element)
            | DataType::LargeListView(element) => Self::Array(Box::new(part(element.data_type())?)),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => {
                    Self::Map(Box::new(part(fields[0].data_type())?), Box::new(part(fields[1].data_type())?))
                }
                _ => return Err(unsupported(data_type)),
            },
            DataType::Struct(fields) if !fields.is_empty() => {
                let field = |field: &Arc<Field>| Ok((field.name().to_lowercase(), part(field.data_type())?));
                Self::Struct(fields.iter().map(field).collect::<Result<_>>()?)
            }
            DataType::Dictionary(_, value) => part(value)?,
            DataType::RunEndEncoded(_, value) => part(value.data_type())?,
            _ => return Err(unsupported(data_type)),
        })
    }
}

fn unsupported(data_type: &DataType) -> Error {
    let hint = match data_type {
        DataType::Timestamp(..) => "Hive's timestamps have no zone: cast to timestamp",
        DataType::Null => "Cast the NULL to a type",
        _ => "Cast it to a type that Hive has, such as varchar",
    };
    Error::unsupported(format!("Hive has no type for \"{data_type}\"")).with_hint(hint)
}
