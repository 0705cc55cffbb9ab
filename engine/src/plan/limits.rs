//! Limits on the size and depth of a logical plan. Views and common table expressions that name each other twice double it at every level, and every
//! level takes stack when the plan is optimised and run.

use datafusion::{
    common::tree_node::{TreeNodeRecursion, TreeNodeVisitor},
    error::Result as DataFusionResult,
    logical_expr::LogicalPlan,
};

use crate::{
    error::{Error, ErrorKind, Result},
    failure::from_datafusion,
};

/// Nodes of a plan, those of its subqueries among them.
const MAX_NODES: usize = 20_000;

/// Nodes above each other.
const MAX_DEPTH: usize = 500;

/// # Errors
/// `LimitExceeded` for plans that are too large to be optimised in a few seconds, or too deep.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    let mut size = Size::default();
    plan.visit_with_subqueries(&mut size).map_err(from_datafusion)?;
    let message = match size {
        Size { nodes, .. } if nodes > MAX_NODES => format!("the query's plan has more than {MAX_NODES} nodes"),
        Size { deepest, .. } if deepest > MAX_DEPTH => format!("the query's plan is deeper than {MAX_DEPTH} levels"),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::LimitExceeded, message)
        .with_hint("Nest fewer views and common table expressions, or split the query into several steps"))
}

#[derive(Default)]
struct Size {
    nodes: usize,
    depth: usize,
    deepest: usize,
}

impl<'n> TreeNodeVisitor<'n> for Size {
    type Node = LogicalPlan;

    fn f_down(&mut self, _node: &'n LogicalPlan) -> DataFusionResult<TreeNodeRecursion> {
        self.nodes += 1;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let is_beyond = self.nodes > MAX_NODES || self.depth > MAX_DEPTH;
        Ok(if is_beyond { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    }

    fn f_up(&mut self, _node: &'n LogicalPlan) -> DataFusionResult<TreeNodeRecursion> {
        self.depth = self.depth.saturating_sub(1);
        Ok(TreeNodeRecursion::Continue)
    }
}
