//! The partitions of a table with partition projection, as far as a query's filters select them: filters on single keys are passed to the
//! catalog's rules first, so that only possible matches are enumerated.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema},
};
use datafusion::{
    common::ScalarValue,
    logical_expr::{BinaryExpr, Expr, Operator, execution_props::ExecutionProps, utils::split_conjunction},
};
use glaux_catalog::{
    model::Column,
    partition::{KeyFilter, PartitionIndex, Projection, canonical, typed_array},
};

use super::prune;
use crate::{
    error::{Error, Result},
    storage::RealLocation,
};

/// The partitions that may hold rows which pass the filters.
///
/// # Errors
/// Those of the projection: values that are missing, too many, or not of their key's type.
pub(super) fn partitions(projection: &Projection, filters: &[Expr], props: &ExecutionProps) -> Result<PartitionIndex> {
    let now = props.query_execution_start_time.unwrap_or_default();
    let mut values = Vec::with_capacity(projection.keys().len());
    for (at, key) in projection.keys().iter().enumerate() {
        let of_key = projection.values(at, &filter_of(key, filters), now)?;
        values.push(kept(key, of_key, filters, props)?);
    }
    let index = projection.index(&values)?;
    check_places(projection, &index)?;
    Ok(index)
}

/// Refuses values that lead out of the template's folder, which alone was judged when the table was defined: URLs and disks read more in a text than
/// its `/`. Where the values decide the store there is no folder, and only administrators define that.
fn check_places(projection: &Projection, index: &PartitionIndex) -> Result<()> {
    let Some(folder) = projection.folder().and_then(|folder| RealLocation::of(&folder).ok()) else { return Ok(()) };
    for place in index.located().iter().filter_map(|row| index.own_location(*row as usize)) {
        if !RealLocation::of(place)?.is_within(&folder) {
            let message = format!("a value leads outside of \"storage.location.template\" of table \"{}\"", projection.table());
            return Err(Error::invalid(message)
                .with_context("location", place.escape_debug().to_string())
                .with_hint("A value can only name a folder below the part of the template before it"));
        }
    }
    Ok(())
}

/// Those of a key's values that all filters on it alone let pass.
fn kept(key: &Column, values: Vec<String>, filters: &[Expr], props: &ExecutionProps) -> Result<Vec<String>> {
    let typed = typed_array(&key.hive_type, values.iter().map(|value| Some(value.as_str())))
        .map_err(|error| error.with_context("key", key.name.clone()))?;
    let schema = Arc::new(Schema::new(vec![Field::new(&key.name, typed.data_type().clone(), true)]));
    let known = RecordBatch::try_new(schema, vec![typed]).map_err(|error| Error::internal(error.to_string()))?;
    let Some(mask) = prune::keep(&known, filters, props) else { return Ok(values) };
    let rows = prune::kept_rows(Some(&mask), values.len());
    Ok(rows.into_iter().map(|row| values[row as usize].clone()).collect())
}

/// What the filters say of a key.
fn filter_of(key: &Column, filters: &[Expr]) -> KeyFilter {
    let mut filter = KeyFilter::default();
    for conjunct in filters.iter().flat_map(split_conjunction) {
        if let Some(values) = values_of(key, conjunct) {
            filter.values = Some(match filter.values.take() {
                Some(before) => before.into_iter().filter(|value| values.contains(value)).collect(),
                None => values,
            });
        } else if let Some((op, value)) = compared(key, conjunct) {
            // The closer of two bounds need not be told: pruning knows both.
            match op {
                Operator::Gt | Operator::GtEq => filter.low.get_or_insert(value),
                Operator::Lt | Operator::LtEq => filter.high.get_or_insert(value),
                _ => continue,
            };
        }
    }
    filter
}

/// The values that alone pass a condition, each once.
fn values_of(key: &Column, condition: &Expr) -> Option<Vec<String>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut values = values_of(key, left)?;
            for value in values_of(key, right)? {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Some(values)
        }
        Expr::InList(list) if !list.negated && is_key(key, &list.expr) => {
            let mut values = Vec::new();
            for value in &list.list {
                let value = text_of(key, value)?;
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Some(values)
        }
        _ => match compared(key, condition)? {
            (Operator::Eq, value) => Some(vec![value]),
            _ => None,
        },
    }
}

/// `key op value`, whichever stands first.
fn compared(key: &Column, condition: &Expr) -> Option<(Operator, String)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    if is_key(key, left) {
        Some((*op, text_of(key, right)?))
    } else if is_key(key, right) {
        Some((op.swap()?, text_of(key, left)?))
    } else {
        None
    }
}

fn is_key(key: &Column, expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.name == key.name)
}

/// A literal as the key's type writes it.
fn text_of(key: &Column, expr: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expr else { return None };
    let typed: ScalarValue = value.cast_to(&key.hive_type.to_arrow()).ok().filter(|typed| !typed.is_null())?;
    // What the cast loses would make another value of it.
    let is_same = typed.cast_to(&value.data_type()).is_ok_and(|back| back == *value);
    canonical(&typed.to_array().ok().filter(|_| is_same)?, 0).ok()?
}
