//! Output columns with the same name: Trino returns them, the planner refuses them. They get a mark after their name, which [`label`] removes from the
//! result. In a subquery all of them get one, so none can be named; in the outermost query the first keeps its name, for `ORDER BY`, as do those that
//! their relations tell apart.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use sqlparser::ast::{Expr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut};

use crate::error::{Error, Result};

/// What no name of a user's holds.
const MARK: char = '\u{1}';

/// An output column's name as the user knows it.
#[must_use]
pub(crate) fn label(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Marks what select lists name again. What a `*` brings is not known here: `plan/wildcards` writes it out where it has to be.
///
/// # Errors
/// `Invalid` if `ORDER BY` names what several columns of the outermost query are called.
pub(crate) fn mark_duplicates(query: &mut Query) -> Result<()> {
    let _ = query.visit(&mut Inner::default());
    match query.body.as_mut() {
        SetExpr::Select(select) => outermost(select, query.order_by.as_ref()),
        body => {
            inner(body);
            Ok(())
        }
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
        SetExpr::Select(select) => mark_all(select),
        SetExpr::SetOperation { left, right, .. } => {
            inner(left);
            inner(right);
        }
        _ => {}
    }
}

/// Marks all columns whose name is there more than once.
fn mark_all(select: &mut Select) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in select.projection.iter().filter_map(any_name) {
        *counts.entry(name).or_default() += 1;
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &mut select.projection {
        let Some(name) = any_name(item).filter(|name| counts.get(name).is_some_and(|count| *count > 1)) else { continue };
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        mark(item, &name, *times);
    }
}

/// The columns of a name in the outermost query.
#[derive(Default)]
struct Named {
    count: usize,
    /// Those that kept the name, by their relations; `None` if it is one that belongs to none.
    kept: Option<HashSet<String>>,
}

fn outermost(select: &mut Select, order: Option<&OrderBy>) -> Result<()> {
    let mut seen: HashMap<String, Named> = HashMap::new();
    for item in &mut select.projection {
        let Some((name, relation)) = plain_name(item) else { continue };
        let named = seen.entry(name.clone()).or_default();
        named.count += 1;
        let is_kept = match (&mut named.kept, relation) {
            (kept, relation) if named.count == 1 => {
                *kept = relation.map(|relation| HashSet::from([relation]));
                true
            }
            (Some(kept), Some(relation)) => kept.insert(relation),
            _ => false,
        };
        if !is_kept {
            mark(item, &name, named.count);
        }
    }
    let Some(OrderByKind::Expressions(keys)) = order.map(|order| &order.kind) else { return Ok(()) };
    let is_ambiguous = |name: &&Ident| seen.get(&name.value).is_some_and(|named| named.count > 1);
    match keys.iter().flat_map(|key| names(&key.expr)).find(is_ambiguous) {
        Some(name) => {
            Err(Error::invalid(format!("column '{}' is ambiguous", name.value)).with_hint("Give the columns different names"))
        }
        None => Ok(()),
    }
}

/// The unqualified names that a sort key computes with.
fn names(key: &Expr) -> Vec<&Ident> {
    match key {
        Expr::Identifier(name) => vec![name],
        Expr::Nested(expr) | Expr::UnaryOp { expr, .. } => names(expr),
        Expr::BinaryOp { left, right, .. } => [names(left), names(right)].concat(),
        _ => Vec::new(),
    }
}

fn mark(item: &mut SelectItem, name: &str, times: usize) {
    let alias = Ident::with_quote('"', format!("{name}{MARK}{times}"));
    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = &*item {
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// The name of an item, and of the relation that it belongs to, if it says so.
fn plain_name(item: &SelectItem) -> Option<(String, Option<String>)> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some((label(&alias.value).to_owned(), None)),
        SelectItem::UnnamedExpr(expr) => match stripped(expr) {
            Expr::Identifier(name) => Some((label(&name.value).to_owned(), None)),
            Expr::CompoundIdentifier(parts) => {
                let (name, relations) = parts.split_last()?;
                Some((label(&name.value).to_owned(), relations.last().map(|relation| relation.value.clone())))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The name of an item to the query around it.
fn any_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => plain_name(item).map(|(name, _)| name).or_else(|| Some(expr.to_string())),
        item => plain_name(item).map(|(name, _)| name),
    }
}

fn stripped(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
