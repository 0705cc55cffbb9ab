//! Makes casts part of an expression's name where needed. The planner identifies expressions by name and leaves casts out of names: `sum(a)` and
//! `sum(CAST(a AS double))` have the same. Where a `SELECT` has two such expressions, its casts become arguments of a function that only names them.

use std::{collections::HashMap, ops::ControlFlow};

use sqlparser::ast::{
    Expr, GroupByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value, ValueWithSpan, Visit, VisitMut, Visitor,
    VisitorMut,
};

use super::calls::call;
use crate::functions::NAMED_CAST;

pub(super) fn apply(query: &mut Query) {
    // It never breaks off.
    let _ = VisitMut::visit(query, &mut Queries);
}

struct Queries;

impl VisitorMut for Queries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if of_body(&mut query.body)
            && let Some(OrderByKind::Expressions(items)) = query.order_by.as_mut().map(|order| &mut order.kind)
        {
            items.iter_mut().for_each(|item| mark(&mut item.expr));
        }
        ControlFlow::Continue(())
    }
}

/// Whether the casts of a body that is one `SELECT` were marked.
fn of_body(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => of_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            of_body(left);
            of_body(right);
            false
        }
        _ => false,
    }
}

fn of_select(select: &mut Select) -> bool {
    let mut found = Found::default();
    let _ = Visit::visit(&select.projection, &mut found);
    let _ = Visit::visit(&select.having, &mut found);
    let _ = Visit::visit(&select.qualify, &mut found);
    let _ = Visit::visit(&select.group_by, &mut found);
    if !found.has_casts {
        return false;
    }
    let GroupByExpr::Expressions(groups, _) = &select.group_by else { return false };
    if !groups.is_empty() {
        // GROUP BY may name a column by its position.
        let items = select.projection.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        });
        items.chain(groups.iter().flat_map(grouped)).for_each(|expr| found.add(expr));
    }
    if !found.collide {
        return false;
    }
    let _ = VisitMut::visit(&mut select.projection, &mut Marks::default());
    let _ = VisitMut::visit(&mut select.having, &mut Marks::default());
    let _ = VisitMut::visit(&mut select.qualify, &mut Marks::default());
    let _ = VisitMut::visit(&mut select.group_by, &mut Marks::default());
    let _ = VisitMut::visit(&mut select.named_window, &mut Marks::default());
    true
}

/// What an item of `GROUP BY` groups by.
fn grouped(item: &Expr) -> Vec<&Expr> {
    match item {
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => sets.iter().flatten().flat_map(grouped).collect(),
        Expr::Tuple(parts) => parts.iter().flat_map(grouped).collect(),
        other => vec![other],
    }
}

/// The calls of a `SELECT`, but for those of its subqueries.
#[derive(Default)]
struct Found {
    subqueries: usize,
    has_casts: bool,
    /// Expressions by what they are without casts.
    names: HashMap<String, String>,
    /// Whether two that differ have one name.
    collide: bool,
}

impl Found {
    fn add(&mut self, expr: &Expr) {
        let text = expr.to_string();
        let mut bare = expr.clone();
        let _ = VisitMut::visit(&mut bare, &mut Bare);
        let first = self.names.entry(bare.to_string()).or_insert_with(|| text.clone());
        self.collide |= *first != text;
    }
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.subqueries == 0 {
            self.has_casts |= matches!(expr, Expr::Cast { .. } | Expr::TypedString(_));
            if matches!(expr, Expr::Function(_)) {
                self.add(expr);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Takes casts away.
struct Bare;

impl VisitorMut for Bare {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let bare = match expr {
            Expr::Cast { expr: inner, .. } | Expr::Nested(inner) => {
                std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()))
            }
            Expr::TypedString(literal) => Expr::Value(literal.value.clone()),
            _ => return ControlFlow::Continue(()),
        };
        *expr = bare;
        ControlFlow::Continue(())
    }
}

/// Gives casts their names, but for those of subqueries.
#[derive(Default)]
struct Marks {
    subqueries: usize,
}

fn mark(expr: &mut Expr) {
    let _ = VisitMut::visit(expr, &mut Marks::default());
}

impl VisitorMut for Marks {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let name = match expr {
            _ if self.subqueries > 0 => return ControlFlow::Continue(()),
            Expr::Cast { kind, data_type, .. } => format!("{kind:?} {data_type}"),
            Expr::TypedString(literal) => literal.data_type.to_string(),
            _ => return ControlFlow::Continue(()),
        };
        let cast = std::mem::replace(expr, Expr::Value(Value::Null.into()));
        *expr = call(NAMED_CAST, vec![cast, Expr::Value(ValueWithSpan::from(Value::SingleQuotedString(name)))]);
        ControlFlow::Continue(())
    }
}
