//! The house's one error type, and how the errors of DataFusion, Arrow, Parquet and the stores become it.
//!
//! DataFusion carries our own errors as `External`; [`from_datafusion`] finds them again, however deeply they are wrapped, so that a
//! kind given by a scan or a store reaches the user unchanged.

mod types;
mod wording;

use datafusion::{common::SchemaError, error::DataFusionError};
pub use glaux_catalog::{Error, ErrorKind, Result, printable};

use crate::sql::rewrite::label;

/// Hands one of our errors to DataFusion.
#[must_use]
pub fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Takes an error from DataFusion; what it wraps decides the kind.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub fn from_datafusion(error: DataFusionError) -> Error {
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
        root @ DataFusionError::ResourcesExhausted(_) => Error::new(kind, wording::exhausted(&root.strip_backtrace()))
            .with_hint("Join and sort less at once (joins do not spill to disk), or raise the limit of memory")
            .with_setting("engine.memory_limit"),
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
                return Error::unsupported("a subquery cannot refer to the query around it from within its own FROM")
                    .with_hint("Join with it in FROM instead");
            }
            // Of columns of one name none has it.
            if valid_fields.iter().any(|column| column.name != field.name && label(&column.name) == field.name) {
                return Error::invalid(format!("column '{}' is ambiguous", field.name))
                    .with_hint("Give the columns names that differ");
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

/// The error of a store, by what a caller can do about it. Stores of `storage` carry the place where it happened already.
#[must_use]
pub fn from_store(error: &object_store::Error) -> Error {
    crate::storage::error(error, &crate::storage::Place::default())
}

/// Whether an error of DataFusion's wraps one that has its kind and its message already.
#[must_use]
pub fn carries_ours(error: &DataFusionError) -> bool {
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
pub(crate) fn type_name(data_type: &arrow::datatypes::DataType) -> String {
    types::translated(&data_type.to_string())
}

/// The name nearest to `name`, if one is near enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (datafusion::common::utils::datafusion_strsim::levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// What libraries put before their messages.
const PREFIXES: [&str; 19] = [
    "External error: ",
    "Error during planning: ",
    "Internal error: ",
    "Schema error: ",
    "Execution error: ",
    "DataFusion error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Cast error: ",
    "Compute error: ",
    "Parser error: ",
    "Invalid argument error: ",
    "Arithmetic overflow: ",
    "Generic S3 error: ",
    "Generic local error: ",
    "This feature is not implemented: ",
    "Object Store error: ",
    "Resources exhausted: ",
    "type_coercion\ncaused by\n",
];

/// A message without the prefixes that libraries put before it, beginning in lower case.
fn plain(message: &str) -> String {
    let mut text = message.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}
