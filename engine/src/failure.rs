//! Turns DataFusion's errors into ours, in the words of a user of Trino. The only place that does.
//!
//! DataFusion carries our own errors as `External`. [`from_datafusion`] finds them however deeply they are wrapped, so the kind that a scan
//! or a store gave an error reaches the user unchanged.

mod prefixes;
mod types;
mod wording;

use arrow::datatypes::DataType;
use datafusion::{
    common::{Column, SchemaError},
    error::DataFusionError,
};
pub(crate) use wording::QUERY_LIMIT;

use crate::{
    error::{Error, ErrorKind, nearest},
    sql::rewrite::{USING, label},
    storage::from_store,
};

/// Takes an error from DataFusion; what it wraps decides the kind.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    if let Some(ours) = find::<Error>(&error) {
        return ours.clone();
    }
    if let Some(store) = find::<object_store::Error>(&error) {
        return from_store(store);
    }
    let kind = match error.find_root() {
        DataFusionError::SQL(..) => ErrorKind::Syntax,
        DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::Configuration(_) => ErrorKind::Invalid,
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::ResourcesExhausted(_) => ErrorKind::LimitExceeded,
        DataFusionError::ParquetError(_) => ErrorKind::CorruptData,
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => ErrorKind::Invalid,
        DataFusionError::ExecutionJoin(join) if join.is_cancelled() => ErrorKind::Aborted,
        _ => ErrorKind::Internal,
    };
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => from_schema_error(schema),
        DataFusionError::SQL(parser, _) => Error::new(kind, parser.to_string()),
        root @ DataFusionError::ResourcesExhausted(_) => {
            let text = root.strip_backtrace();
            let error = Error::new(kind, wording::exhausted(&text));
            match text.contains(QUERY_LIMIT) {
                true => error.with_hint(
                    "Join and sort less at once (joins do not spill to disk), or ask an administrator: ALTER WORKGROUP raises \
                     memory_limit",
                ),
                false => error
                    .with_hint("Join and sort less at once (joins do not spill to disk), or raise the memory limit")
                    .with_setting("engine.memory_limit"),
            }
        }
        root => {
            let wording = wording::of(&root.strip_backtrace());
            let error = Error::new(wording.kind.unwrap_or(kind), wording.message);
            match wording.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        }
    }
}

/// What the planner calls a subquery that it has made a join of.
const CORRELATED: &str = "__correlated_sq";

/// An unknown or ambiguous column, with the near names as hint.
fn from_schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            if field.relation.as_ref().is_some_and(|of| of.table().starts_with(CORRELATED)) {
                return Error::unsupported("the FROM clause of a subquery cannot refer to the outer query")
                    .with_hint("Join the tables in the outer FROM instead");
            }
            let is_merged = |column: &Column| column.relation.as_ref().is_some_and(|of| of.table().starts_with(USING));
            if field.relation.is_some() && valid_fields.iter().any(|column| column.name == field.name && is_merged(column)) {
                return Error::new(ErrorKind::NotFound, format!("column \"{}\" does not exist", field.flat_name()))
                    .with_hint(format!("USING makes one column of both tables': write {} alone", field.name));
            }
            // Of columns of one name none has it.
            if valid_fields.iter().any(|column| column.name != field.name && label(&column.name) == field.name) {
                return Error::invalid(format!("column '{}' is ambiguous", field.name))
                    .with_hint("Give the columns different names");
            }
            let names = valid_fields.iter().map(|column| label(&column.name));
            let error = Error::new(ErrorKind::NotFound, format!("column \"{}\" does not exist", field.flat_name()));
            match nearest(&field.name, names) {
                Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                None => error,
            }
        }
        other => Error::invalid(wording::of(&other.to_string()).message),
    }
}

/// Whether an error of DataFusion's wraps one that has its kind and its message already.
#[must_use]
pub(crate) fn carries_ours(error: &DataFusionError) -> bool {
    find::<Error>(error).is_some() || find::<object_store::Error>(error).is_some()
}

/// Looks for an error of a type through all that wraps it.
fn find<T: std::error::Error + 'static>(error: &DataFusionError) -> Option<&T> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner)) => Some(inner.as_ref()),
            Some(DataFusionError::ObjectStore(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Collection(errors)) => errors.first().map(|first| first as _),
            _ => current.source(),
        };
    }
    None
}

/// A type's name in Trino.
pub(crate) fn type_name(data_type: &DataType) -> String {
    types::translated(&data_type.to_string())
}
