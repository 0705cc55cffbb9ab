//! Output columns with the same name: Trino returns them, the planner refuses them. They get a mark after their name, which [`label`] removes from the
//! result. In a subquery all of them get one, so none can be named; in the outermost query the first keeps its name, for `ORDER BY`.

use std::{collections::HashMap, ops::ControlFlow};

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut};

/// What no name of a user's holds.
const MARK: char = '\u{1}';

/// An output column's name as the user knows it.
#[must_use]
pub(crate) fn label(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Marks what select lists name again. What a `*` brings is not known here.
pub(super) fn apply(query: &mut Query) {
    let _ = query.visit(&mut Inner::default());
    match query.body.as_mut() {
        SetExpr::Select(select) => mark(select, plain_name, 1),
        body => inner(body),
    }
}

#[derive(Default)]
struct Inner {
    depth: usize,
}

impl VisitorMut for Inner {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if self.depth > 0 {
            inner(&mut query.body);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

fn inner(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => mark(select, any_name, 0),
        SetExpr::SetOperation { left, right, .. } => {
            inner(left);
            inner(right);
        }
        _ => {}
    }
}

/// Marks the columns whose name is there more than once, but for the first ones, which are `kept`.
fn mark(select: &mut Select, name: fn(&SelectItem) -> Option<String>, kept: usize) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in select.projection.iter().filter_map(name) {
        *counts.entry(name).or_default() += 1;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &mut select.projection {
        let Some(name) = name(&*item).filter(|name| counts.get(name).is_some_and(|count| *count > 1)) else { continue };
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times <= kept {
            continue;
        }
        let alias = Ident::with_quote('"', format!("{name}{MARK}{times}"));
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item else { continue };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// The name of an item; none for columns that their relations tell apart.
fn plain_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
        _ => None,
    }
}

/// The name of an item to the query around it.
fn any_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|name| name.value.clone()),
        SelectItem::UnnamedExpr(expr) => plain_name(item).or_else(|| Some(expr.to_string())),
        item => plain_name(item),
    }
}
