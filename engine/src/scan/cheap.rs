//! Which part of a filter is worth evaluating for each row when that saves no bytes. It leaves out what a join has found (a hash table of its
//! keys, by partition): the join checks the same again, at less cost.

use std::sync::Arc;

use datafusion::{
    common::tree_node::{TreeNode, TreeNodeRecursion},
    physical_expr::{
        PhysicalExpr, conjunction,
        expressions::{
            BinaryExpr, CastExpr, Column, DynamicFilterTracking, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
        },
        split_conjunction,
    },
    physical_expr_common::physical_expr::snapshot_physical_expr,
};

/// The conjuncts of a filter that planning gave, and those found while the query runs, as they are now, that only compare; `None` if there are none.
pub(super) fn part_of(filter: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let mut worth: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    for conjunct in split_conjunction(filter) {
        if !DynamicFilterTracking::classify(conjunct).contains_dynamic_filter() {
            worth.push(Arc::clone(conjunct));
        } else if let Ok(now) = snapshot_physical_expr(Arc::clone(conjunct)) {
            let found = split_conjunction(&now).into_iter().filter(|part| !is_true(part) && only_compares(part));
            worth.extend(found.cloned());
        }
    }
    (!worth.is_empty()).then(|| conjunction(worth))
}

fn only_compares(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let mut is_simple = true;
    // The closure never fails.
    let _ = expr.apply(|part| {
        is_simple = part.is::<BinaryExpr>()
            || part.is::<Column>()
            || part.is::<Literal>()
            || part.is::<CastExpr>()
            || part.is::<InListExpr>()
            || part.is::<NotExpr>()
            || part.is::<IsNullExpr>()
            || part.is::<IsNotNullExpr>();
        Ok(if is_simple { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    is_simple
}

fn is_true(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Literal>().is_some_and(|literal| literal.value() == &datafusion::common::ScalarValue::Boolean(Some(true)))
}
