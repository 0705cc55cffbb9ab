//! Which rows of a batch of known values can match a query's filters: one vectorised evaluation, never a loop over partitions.
//!
//! A filter may speak of columns that are not known yet (data columns). What it implies for the known ones is used; the filter itself
//! stays in the plan. Pruning is inclusive: whatever cannot be decided, or fails to evaluate, keeps its rows.

pub(super) mod partitions;

use arrow::{
    array::{Array, BooleanArray, RecordBatch},
    compute::kernels::boolean::and_kleene,
};
use datafusion::{
    common::{
        Column, DFSchema, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{
        BinaryExpr, Expr, Operator, execution_props::ExecutionProps, physical_planning_context::PhysicalPlanningContext,
        utils::split_conjunction,
    },
    physical_expr::create_physical_expr,
};

/// Which rows of `known` may satisfy all `filters`; `None` if no filter says anything about them.
pub(super) fn keep(known: &RecordBatch, filters: &[Expr], props: &ExecutionProps) -> Option<BooleanArray> {
    let mut kept: Option<BooleanArray> = None;
    for filter in filters {
        let schema = known.schema();
        let is_known = |name: &str| schema.column_with_name(name).is_some();
        let Some(implied) = implied(filter, &is_known) else { continue };
        let Some(mask) = evaluate(&implied, known, props) else { continue };
        kept = Some(match kept {
            Some(before) => and_kleene(&before, &mask).unwrap_or(before),
            None => mask,
        });
    }
    kept
}

/// The rows that a mask keeps: those that are true, not null.
pub(super) fn kept_rows(mask: Option<&BooleanArray>, rows: usize) -> Vec<u32> {
    let all = 0..u32::try_from(rows).unwrap_or(u32::MAX);
    match mask {
        None => all.collect(),
        Some(mask) => all.filter(|row| mask.is_valid(*row as usize) && mask.value(*row as usize)).collect(),
    }
}

fn evaluate(filter: &Expr, known: &RecordBatch, props: &ExecutionProps) -> Option<BooleanArray> {
    let schema = DFSchema::try_from(known.schema()).ok()?;
    let physical = create_physical_expr(filter, &schema, props, &PhysicalPlanningContext::default()).ok()?;
    let value = physical.evaluate(known).ok()?.into_array(known.num_rows()).ok()?;
    value.as_any().downcast_ref::<BooleanArray>().cloned()
}

/// What a filter implies for the known columns: a row that fails the answer fails the filter. `None` if it implies nothing.
fn implied(filter: &Expr, is_known: &dyn Fn(&str) -> bool) -> Option<Expr> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (implied(left, is_known), implied(right, is_known)) {
                (Some(left), Some(right)) => Some(left.and(right)),
                (one, other) => one.or(other),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(implied(left, is_known)?.or(implied(right, is_known)?))
        }
        Expr::Alias(alias) => implied(&alias.expr, is_known),
        other => decides(other, is_known).then(|| unqualified(other)),
    }
}

/// Whether a filter implies anything for the known columns, and speaks of them.
fn implies(filter: &Expr, is_known: &dyn Fn(&str) -> bool) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => implies(left, is_known) || implies(right, is_known),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => implies(left, is_known) && implies(right, is_known),
        Expr::Alias(alias) => implies(&alias.expr, is_known),
        other => decides(other, is_known),
    }
}

/// Whether a condition can be evaluated on the known columns alone.
fn decides(condition: &Expr, is_known: &dyn Fn(&str) -> bool) -> bool {
    let columns = condition.column_refs();
    let is_usable = columns.iter().all(|column| is_known(&column.name)) && !condition.is_volatile() && !has_subquery(condition);
    is_usable && (!columns.is_empty() || matches!(condition, Expr::Literal(ScalarValue::Boolean(_), _)))
}

/// Characters of a filter that are shown.
const SHOWN: usize = 200;

/// The filters that speak of partition keys and do not say which of their values are wanted, as text.
pub(super) fn unusable(filters: &[Expr], is_key: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut texts = Vec::new();
    for conjunct in filters.iter().flat_map(split_conjunction) {
        let speaks_of_keys = conjunct.column_refs().iter().any(|column| is_key(&column.name));
        if !speaks_of_keys || implies(conjunct, is_key) {
            continue;
        }
        let mut text = conjunct.human_display().to_string();
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push_str("...");
        }
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn has_subquery(filter: &Expr) -> bool {
    filter
        .exists(|expr| {
            Ok(matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::OuterReferenceColumn(..)))
        })
        .unwrap_or(true)
}

/// The same filter with its columns freed of their table's name.
fn unqualified(filter: &Expr) -> Expr {
    let freed = filter.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(column) if column.relation.is_some() => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    });
    freed.map_or_else(|_| filter.clone(), |freed| freed.data)
}
