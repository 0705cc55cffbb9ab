//! Which partitions of an index can match a query's filters: filters on one key are evaluated on its distinct values, filters on several keys on
//! the nodes of the index, and only the matches of one level are visited in the next.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch},
    datatypes::{Field, Schema},
};
use datafusion::{
    common::ScalarValue,
    logical_expr::{Expr, execution_props::ExecutionProps, utils::split_conjunction},
};
use glaux_catalog::partition::{LevelMask, PartitionIndex};

use super::{evaluate, has_subquery, implied, unqualified};

/// The rows of the partitions that may hold rows which pass all filters, ascending.
pub(crate) fn surviving(index: &PartitionIndex, filters: &[Expr], props: &ExecutionProps) -> Vec<u32> {
    let mut masks = vec![LevelMask::default(); index.levels().len()];
    let mut of_rows = Vec::new();
    for conjunct in filters.iter().flat_map(split_conjunction) {
        for (key, mask) in masks.iter_mut().enumerate() {
            let of_key = implied(conjunct, &|name| name == index.keys()[key].name);
            if let Some(kept) = of_key.and_then(|condition| on_values(index, key, &condition, props)) {
                narrow(&mut mask.values, &kept);
            }
        }
        let Some(condition) = implied(conjunct, &|name| index.keys().iter().any(|key| key.name == name)) else { continue };
        let keys = keys_of(index, &condition);
        match keys.last() {
            Some(level) if keys.len() > 1 && *level + 1 < masks.len() => {
                if let Some(kept) = on_all(index, &keys, *level, &condition, props) {
                    narrow(&mut masks[*level].nodes, &kept);
                }
            }
            // Of rows, once it is known which are left.
            Some(level) if keys.len() > 1 => of_rows.push((keys.clone(), *level, condition)),
            _ => {}
        }
    }
    let mut rows = index.select(&masks);
    for (keys, level, condition) in of_rows {
        if let Some(kept) = on_nodes(index, &keys, level, &rows, &condition, props) {
            let mut kept = trues(&kept);
            rows.retain(|_| kept.next().unwrap_or(true));
        } else if let Some(kept) = on_all(index, &keys, level, &condition, props) {
            // Whether a condition fails may depend on what it is evaluated with: all rows are what `is_exact` has seen.
            rows.retain(|row| kept.is_valid(*row as usize) && kept.value(*row as usize));
        }
    }
    rows
}

/// Whether any filter on a partition key takes part in choosing the partitions.
pub(crate) fn is_filtered(index: &PartitionIndex, filters: &[Expr]) -> bool {
    let is_key = |name: &str| index.keys().iter().any(|key| key.name == name);
    filters.iter().any(|filter| implied(filter, &is_key).is_some_and(|implied| !implied.column_refs().is_empty()))
}

/// Whether a filter speaks of keys only and evaluates over all that there is: then what survives needs no further filter.
pub(crate) fn is_exact(index: &PartitionIndex, filter: &Expr, props: &ExecutionProps) -> bool {
    let is_key = |name: &str| index.keys().iter().any(|key| key.name == name);
    if filter.is_volatile() || has_subquery(filter) || !filter.column_refs().iter().all(|column| is_key(&column.name)) {
        return false;
    }
    // Each conjunct as `surviving` evaluates it.
    split_conjunction(filter).into_iter().all(|conjunct| {
        let (condition, keys) = (unqualified(conjunct), keys_of(index, conjunct));
        match keys[..] {
            [] => matches!(condition, Expr::Literal(ScalarValue::Boolean(_), _)),
            [key] => on_values(index, key, &condition, props).is_some(),
            [.., level] => on_all(index, &keys, level, &condition, props).is_some(),
        }
    })
}

/// The keys that a condition speaks of, ascending.
fn keys_of(index: &PartitionIndex, condition: &Expr) -> Vec<usize> {
    let columns = condition.column_refs();
    let is_used = |key: &usize| columns.iter().any(|column| column.name == index.keys()[*key].name);
    (0..index.keys().len()).filter(is_used).collect()
}

fn on_values(index: &PartitionIndex, key: usize, condition: &Expr, props: &ExecutionProps) -> Option<BooleanArray> {
    let values = Arc::clone(index.levels().get(key)?.values());
    evaluate(condition, &batch(index, &[key], vec![values])?, props)
}

fn on_nodes(
    index: &PartitionIndex,
    keys: &[usize],
    level: usize,
    nodes: &[u32],
    condition: &Expr,
    props: &ExecutionProps,
) -> Option<BooleanArray> {
    let columns: Result<Vec<ArrayRef>, _> = keys.iter().map(|key| index.values_at(*key, level, nodes)).collect();
    evaluate(condition, &batch(index, keys, columns.ok()?)?, props)
}

fn on_all(
    index: &PartitionIndex,
    keys: &[usize],
    level: usize,
    condition: &Expr,
    props: &ExecutionProps,
) -> Option<BooleanArray> {
    let nodes: Vec<u32> = (0..u32::try_from(index.levels()[level].len()).ok()?).collect();
    on_nodes(index, keys, level, &nodes, condition, props)
}

fn batch(index: &PartitionIndex, keys: &[usize], columns: Vec<ArrayRef>) -> Option<RecordBatch> {
    let fields = keys.iter().zip(&columns);
    let fields = fields.map(|(key, column)| Field::new(&index.keys()[*key].name, column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).ok()
}

/// What is true, not null.
fn trues(mask: &BooleanArray) -> impl Iterator<Item = bool> + '_ {
    (0..mask.len()).map(|at| mask.is_valid(at) && mask.value(at))
}

fn narrow(kept: &mut Option<Vec<bool>>, by: &BooleanArray) {
    match kept {
        Some(kept) => kept.iter_mut().zip(trues(by)).for_each(|(kept, by)| *kept &= by),
        None => *kept = Some(trues(by).collect()),
    }
}
