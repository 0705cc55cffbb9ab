//! Builders of columns whose values have no parts, and what a value is as the key of a map.

use std::{borrow::Cow, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
        Int16Builder, Int32Builder, Int64Builder, StringBuilder, StringViewBuilder, TimestampMillisecondBuilder,
    },
    datatypes::DataType,
};
use glaux_catalog::HiveType;
use memchr::memchr;

use super::{
    date,
    options::LazyOptions,
    timestamp_format,
    value::{self, BadValue},
};

/// A column of scalar values as it is built.
#[derive(Debug)]
pub(super) enum Leaf {
    Boolean(BooleanBuilder),
    TinyInt(Int8Builder),
    SmallInt(Int16Builder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal { values: Decimal128Builder, precision: u8, scale: i8 },
    Text { values: Strings, length: Length, scratch: Vec<u8> },
    Binary { values: BinaryBuilder, scratch: Vec<u8> },
    Date(Date32Builder),
    Timestamp(TimestampMillisecondBuilder),
}

/// A value as far as it can be equal to another.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'t> {
    Number(i128),
    Float(u64),
    Text(Cow<'t, [u8]>),
    /// Not a number: equal to none, not even to itself. It is never looked for.
    NotEqual,
}

impl Leaf {
    /// None for a type that has parts.
    pub(super) fn new(hive_type: &HiveType, data_type: &DataType) -> Option<Self> {
        let text = |length| Self::Text { values: Strings::new(data_type), length, scratch: Vec::new() };
        Some(match hive_type {
            HiveType::Boolean => Self::Boolean(BooleanBuilder::new()),
            HiveType::TinyInt => Self::TinyInt(Int8Builder::new()),
            HiveType::SmallInt => Self::SmallInt(Int16Builder::new()),
            HiveType::Int => Self::Int(Int32Builder::new()),
            HiveType::BigInt => Self::BigInt(Int64Builder::new()),
            HiveType::Float => Self::Float(Float32Builder::new()),
            HiveType::Double => Self::Double(Float64Builder::new()),
            HiveType::Decimal(precision, scale) => {
                let data_type = DataType::Decimal128(*precision, *scale);
                Self::Decimal { values: Decimal128Builder::new().with_data_type(data_type), precision: *precision, scale: *scale }
            }
            HiveType::Char(length) => text(Length::Char(*length as usize)),
            HiveType::Varchar(length) => text(Length::Varchar(*length as usize)),
            HiveType::String => text(Length::Any),
            HiveType::Binary => Self::Binary { values: BinaryBuilder::new(), scratch: Vec::new() },
            HiveType::Date => Self::Date(Date32Builder::new()),
            HiveType::Timestamp => Self::Timestamp(TimestampMillisecondBuilder::new()),
            HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => return None,
        })
    }

    /// Adds a value of `LazySimpleSerDe`; what is none of its type is NULL.
    ///
    /// # Errors
    /// For a date or a time beyond those that there are.
    pub(super) fn append(&mut self, text: &[u8], options: &LazyOptions) -> Result<(), BadValue> {
        if text == options.null {
            self.append_null();
            return Ok(());
        }
        match self {
            Self::Boolean(values) => values.append_option(value::boolean(text, options.has_short_booleans)),
            Self::TinyInt(values) => values.append_option(value::integer(text)),
            Self::SmallInt(values) => values.append_option(value::integer(text)),
            Self::Int(values) => values.append_option(value::integer(text)),
            Self::BigInt(values) => values.append_option(value::integer(text)),
            Self::Float(values) => values.append_option(value::float(text)),
            Self::Double(values) => values.append_option(value::float(text)),
            Self::Decimal { values, precision, scale } => values.append_option(value::decimal(text, *precision, *scale)),
            Self::Text { values, length, scratch } => values.append(length.cut(unescaped(text, options.escape, scratch))),
            Self::Binary { values, scratch } => values.append_value(value::binary(text, scratch)),
            Self::Date(values) => values.append_option(date::date(text)?),
            Self::Timestamp(values) => values.append_option(timestamp_format::timestamp(text, &options.timestamp_formats)?),
        }
        Ok(())
    }

    /// What [`Self::append`] adds for a text, to be compared; none for NULL.
    pub(super) fn key<'t>(&self, text: &'t [u8], options: &LazyOptions) -> Result<Option<Key<'t>>, BadValue> {
        if text == options.null {
            return Ok(None);
        }
        let integer = |value: Option<i64>| value.map(|value| Key::Number(value.into()));
        Ok(match self {
            Self::Boolean(_) => value::boolean(text, options.has_short_booleans).map(|value| Key::Number(value.into())),
            Self::TinyInt(_) => integer(value::integer::<i8>(text).map(i64::from)),
            Self::SmallInt(_) => integer(value::integer::<i16>(text).map(i64::from)),
            Self::Int(_) => integer(value::integer::<i32>(text).map(i64::from)),
            Self::BigInt(_) => integer(value::integer(text)),
            Self::Float(_) => value::float::<f32>(text).map(|value| Key::float(value.into())),
            Self::Double(_) => value::float(text).map(Key::float),
            Self::Decimal { precision, scale, .. } => value::decimal(text, *precision, *scale).map(Key::Number),
            Self::Text { length, .. } if has_escape(text, options.escape) => {
                let mut scratch = Vec::new();
                Some(Key::Text(Cow::Owned(length.cut(unescaped(text, options.escape, &mut scratch)).to_vec())))
            }
            Self::Text { length, .. } => Some(Key::Text(Cow::Borrowed(length.cut(text)))),
            Self::Binary { .. } => {
                let mut scratch = Vec::new();
                Some(Key::Text(Cow::Owned(value::binary(text, &mut scratch).to_vec())))
            }
            Self::Date(_) => integer(date::date(text)?.map(i64::from)),
            Self::Timestamp(_) => integer(timestamp_format::timestamp(text, &options.timestamp_formats)?),
        })
    }

    /// Adds a field of `OpenCSVSerde`, by Athena's rules: numbers as they are, times in milliseconds and dates in days since 1970.
    ///
    /// # Errors
    /// For what is none of its type: it is not NULL, even if it is empty.
    pub(super) fn append_csv(&mut self, text: Option<&[u8]>) -> Result<(), BadValue> {
        let Some(text) = text else {
            self.append_null();
            return Ok(());
        };
        match self {
            Self::Text { values, .. } => values.append(text),
            Self::Boolean(values) => values.append_value(value::boolean(text, false).ok_or(BadValue)?),
            Self::Int(values) => values.append_value(value::whole(text).ok_or(BadValue)?),
            Self::BigInt(values) => values.append_value(value::whole(text).ok_or(BadValue)?),
            Self::Double(values) => values.append_value(value::float(text).ok_or(BadValue)?),
            Self::Timestamp(values) => values.append_value(value::whole(text).ok_or(BadValue)?),
            Self::Date(values) => values.append_value(value::whole(text).ok_or(BadValue)?),
            // Other types are refused when a query is planned.
            _ => return Err(BadValue),
        }
        Ok(())
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Boolean(values) => values.append_null(),
            Self::TinyInt(values) => values.append_null(),
            Self::SmallInt(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::BigInt(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Double(values) => values.append_null(),
            Self::Decimal { values, .. } => values.append_null(),
            Self::Text { values: Strings::View(values), .. } => values.append_null(),
            Self::Text { values: Strings::Plain(values), .. } => values.append_null(),
            Self::Binary { values, .. } => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Timestamp(values) => values.append_null(),
        }
    }

    /// The values so far, after which it starts anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(values) => Arc::new(values.finish()),
            Self::TinyInt(values) => Arc::new(values.finish()),
            Self::SmallInt(values) => Arc::new(values.finish()),
            Self::Int(values) => Arc::new(values.finish()),
            Self::BigInt(values) => Arc::new(values.finish()),
            Self::Float(values) => Arc::new(values.finish()),
            Self::Double(values) => Arc::new(values.finish()),
            Self::Decimal { values, .. } => Arc::new(values.finish()),
            Self::Text { values: Strings::View(values), .. } => Arc::new(values.finish()),
            Self::Text { values: Strings::Plain(values), .. } => Arc::new(values.finish()),
            Self::Binary { values, .. } => Arc::new(values.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Timestamp(values) => Arc::new(values.finish()),
        }
    }
}

impl Key<'_> {
    fn float(value: f64) -> Self {
        // Zero has two signs, and is one value.
        if value.is_nan() { Self::NotEqual } else { Self::Float((value + 0.0).to_bits()) }
    }
}

/// Text in either of the forms that a schema may ask for. Bytes that are no UTF-8 become U+FFFD.
#[derive(Debug)]
pub(super) enum Strings {
    View(StringViewBuilder),
    Plain(StringBuilder),
}

impl Strings {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Utf8View => Self::View(StringViewBuilder::new()),
            _ => Self::Plain(StringBuilder::new()),
        }
    }

    fn append(&mut self, text: &[u8]) {
        let text = match str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(text),
        };
        match self {
            Self::View(values) => values.append_value(text),
            Self::Plain(values) => values.append_value(text),
        }
    }
}

/// How many characters a text may have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Any,
    Varchar(usize),
    /// Without the spaces at its end.
    Char(usize),
}

impl Length {
    fn cut(self, text: &[u8]) -> &[u8] {
        match self {
            Self::Any => text,
            Self::Varchar(limit) => first_characters(text, limit),
            Self::Char(limit) => {
                let text = first_characters(text, limit);
                let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
                &text[..end]
            }
        }
    }
}

fn first_characters(text: &[u8], limit: usize) -> &[u8] {
    if text.len() <= limit {
        return text;
    }
    let mut starts = text.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80);
    starts.nth(limit).map_or(text, |(end, _)| &text[..end])
}

fn has_escape(text: &[u8], escape: Option<u8>) -> bool {
    escape.is_some_and(|escape| memchr(escape, text).is_some())
}

/// Without escape characters: the byte after one stands for itself. One at the end does too.
fn unescaped<'t>(text: &'t [u8], escape: Option<u8>, scratch: &'t mut Vec<u8>) -> &'t [u8] {
    let Some(escape) = escape.filter(|escape| memchr(*escape, text).is_some()) else { return text };
    scratch.clear();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        let after = if *byte == escape { bytes.next() } else { None };
        scratch.push(*after.unwrap_or(byte));
    }
    scratch
}
