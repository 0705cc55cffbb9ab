//! The kinds of types that parameters have: which types values may have, as which type a parameter is declared, and which values fit it.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};

use crate::execute::output::plain;

/// The engine's type for values of a type that clients send; `None` if it has none.
pub(super) fn taken_type(found: &DataType) -> Option<DataType> {
    use DataType as T;
    let part = |field: &FieldRef| Some(Arc::new(field.as_ref().clone().with_data_type(taken_type(field.data_type())?)));
    Some(match found {
        T::Float16 => T::Float32,
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => T::Decimal128(*precision, *scale),
        T::Decimal256(precision, scale) if *scale <= 38 => T::Decimal128((*precision).min(38), *scale),
        T::Decimal256(..) | T::Union(..) => return None,
        T::FixedSizeBinary(_) => T::Binary,
        T::Date64 => T::Date32,
        T::Time32(TimeUnit::Second) => T::Time32(TimeUnit::Millisecond),
        T::RunEndEncoded(_, values) => taken_type(values.data_type())?,
        T::Dictionary(_, values) => taken_type(values)?,
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) | T::FixedSizeList(item, _) => {
            T::List(part(item)?)
        }
        T::Struct(fields) => T::Struct(fields.iter().map(part).collect::<Option<_>>()?),
        T::Map(entries, sorted) => T::Map(part(entries)?, *sorted),
        other => plain(other),
    })
}

/// The type as which a parameter is declared: the one of its kind that takes a value from every client.
///
/// Drivers write values as the declared type says, and some do not look at its width or unit: JDBC's sends milliseconds whatever the unit,
/// and cuts longs to the declared integer. So there is one type for each kind; a value takes its place's type when it is bound.
pub(super) fn declared(wanted: &DataType) -> DataType {
    match plain(wanted) {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        integer if integer.is_integer() => DataType::Int64,
        float if float.is_floating() => DataType::Float64,
        other => other,
    }
}

/// Whether values of one type can be values of another, and not only be reinterpreted as such.
pub(super) fn is_akin(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    match (found, wanted) {
        (_, T::Null) => false,
        (T::Null, _) => true,
        // Text in which values of the type are written.
        (T::Utf8, T::Timestamp(_, None)) => true,
        (T::Utf8, wanted) if wanted.is_string() || wanted.is_numeric() || is_clock(wanted) => true,
        (T::Timestamp(_, found), T::Timestamp(_, wanted)) => found.is_some() == wanted.is_some(),
        (T::Date32, T::Timestamp(_, None)) => true,
        (T::Binary, T::Binary | T::LargeBinary | T::BinaryView) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (T::List(found), T::List(wanted)) => is_akin(found.data_type(), wanted.data_type()),
        (T::Struct(found), T::Struct(wanted)) => {
            let same = |(found, wanted): (&FieldRef, &FieldRef)| {
                found.name() == wanted.name() && is_akin(found.data_type(), wanted.data_type())
            };
            found.len() == wanted.len() && found.iter().zip(wanted).all(same)
        }
        (T::Map(found, _), T::Map(wanted, _)) => is_akin(found.data_type(), wanted.data_type()),
        (found, wanted) => found == wanted || found.is_numeric() && wanted.is_numeric(),
    }
}

/// Whether one is a time and the other is something that DataFusion would read as a time's ticks.
pub(super) fn is_other(found: &DataType, wanted: &DataType) -> bool {
    let is_ticks = |data_type: &DataType| data_type.is_numeric() || matches!(data_type, DataType::Boolean | DataType::Binary);
    found.is_temporal() && is_ticks(wanted) || is_ticks(found) && wanted.is_temporal()
}

fn is_clock(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Time32(_) | DataType::Time64(_))
}
