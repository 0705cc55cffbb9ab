//! `EXISTS` in a select list, which the planner supports only in conditions, as a count: `(SELECT count(*) > 0 FROM ...)`.
//!
//! A subquery that only filters is counted itself and may refer to the outer query; its select list is then not resolved. Any other is counted as a
//! table, which cannot refer to the outer query.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor, UnaryOperator, VisitMut, VisitorMut};

use super::forms;
use crate::error::{Error, Result};

/// # Errors
/// `Internal` alone.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    match query.visit(&mut Selects) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Looks at every select list.
struct Selects;

impl VisitorMut for Selects {
    type Break = Box<Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                expr.visit(&mut Listed { depth: 0 })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Rewrites what an expression asks itself, and nothing of what its subqueries ask.
struct Listed {
    depth: usize,
}

impl VisitorMut for Listed {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let Expr::Exists { subquery, negated } = expr else { return ControlFlow::Continue(()) };
        match counted(subquery) {
            Ok(counted) => {
                let exists = Expr::Subquery(Box::new(counted));
                *expr = match negated {
                    true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(exists) },
                    false => exists,
                };
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// Whether the subquery, which is taken, has rows.
fn counted(subquery: &mut Query) -> Result<Query> {
    let mut counted = forms::query("SELECT count(*) > 0 FROM (VALUES (1)) AS \"exists\"")?;
    let SetExpr::Select(count) = counted.body.as_mut() else { return Err(Error::internal("a count is not a SELECT")) };
    match subquery.body.as_mut() {
        SetExpr::Select(select) if only_filters(select) && subquery.limit_clause.is_none() => {
            select.projection = std::mem::take(&mut count.projection);
            // Nothing hangs on the order of what is counted.
            subquery.order_by = None;
            std::mem::swap(&mut counted, subquery);
        }
        _ => {
            if let Some(TableFactor::Derived { subquery: table, .. }) = count.from.first_mut().map(|from| &mut from.relation) {
                std::mem::swap(table.as_mut(), subquery);
            }
        }
    }
    Ok(counted)
}

/// Whether a `SELECT` has a row for each that its `FROM` and `WHERE` give, whatever its list says.
fn only_filters(select: &Select) -> bool {
    let is_plain = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::ExprWithAliases { .. } => false,
    };
    let is_grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(exprs, modifiers) if exprs.is_empty() && modifiers.is_empty());
    let keeps_rows = select.distinct.is_none() && select.top.is_none() && select.having.is_none() && select.qualify.is_none();
    keeps_rows && !is_grouped && select.projection.iter().all(is_plain)
}
