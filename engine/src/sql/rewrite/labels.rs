//! Names of output columns: unnamed expressions become `_col0`, `_col1`, ... by their position in the select list, as in Trino, and the columns of the
//! outermost query keep the case in which the query writes them.
//!
//! The position is that in the select list. After a `*` it is not the number of the column, which only the planner knows.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use sqlparser::ast::{
    AccessExpr, Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};

use super::tokens::Originals;

pub(super) fn apply(query: &mut Query, originals: &Originals) {
    let _ = query.visit(&mut Inner);
    let mut outer = Outer::default();
    name_body(&mut query.body, &mut outer.aliases);
    case_body(&mut query.body, originals, &mut outer);
    outer.order(query);
}

/// Names what derived tables and common table expressions give out: `SELECT *` shows it.
struct Inner;

impl VisitorMut for Inner {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            inner(&mut cte.query);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            inner(subquery);
        }
        ControlFlow::Continue(())
    }
}

fn inner(query: &mut Query) {
    let mut outer = Outer::default();
    name_body(&mut query.body, &mut outer.aliases);
    outer.order(query);
}

/// What `ORDER BY` must say instead, once select items have other names.
#[derive(Default)]
struct Outer {
    /// Expressions that were given a name.
    aliases: Vec<(Expr, Ident)>,
    /// Folded names that were given back their casing.
    cased: HashMap<String, Ident>,
}

impl Outer {
    fn order(&self, query: &mut Query) {
        if self.aliases.is_empty() && self.cased.is_empty() {
            return;
        }
        let Some(OrderByKind::Expressions(items)) = query.order_by.as_mut().map(|order| &mut order.kind) else { return };
        for item in items {
            if let Some((_, alias)) = self.aliases.iter().find(|(expr, _)| *expr == item.expr) {
                item.expr = Expr::Identifier(alias.clone());
            } else {
                let _ = item.expr.visit(&mut Cased(&self.cased));
            }
        }
    }
}

/// Gives names in `ORDER BY` that mean an output column its casing.
struct Cased<'a>(&'a HashMap<String, Ident>);

impl VisitorMut for Cased<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = expr
            && let Some(cased) = self.0.get(&ident.value)
        {
            *ident = cased.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Names the unnamed columns of every `SELECT` of a body.
fn name_body(body: &mut SetExpr, aliases: &mut Vec<(Expr, Ident)>) {
    match body {
        SetExpr::Select(select) => name_select(select, aliases),
        SetExpr::Query(query) => {
            name_body(&mut query.body, &mut Vec::new());
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_body(left, &mut Vec::new());
            name_body(right, &mut Vec::new());
        }
        _ => {}
    }
}

fn name_select(select: &mut Select, aliases: &mut Vec<(Expr, Ident)>) {
    let relations = relations(&select.from);
    let mut taken: HashSet<String> = select.projection.iter().filter_map(|item| plain_name(item, &relations)).collect();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let alias = match stripped(expr) {
            Expr::Identifier(_) => continue,
            Expr::CompoundIdentifier(parts) => match field(parts, &relations) {
                // A struct's field has its own name, where that is not another column's.
                Some(name) if taken.insert(name.value.clone()) => name.clone(),
                _ => continue,
            },
            Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
                Some(AccessExpr::Dot(Expr::Identifier(name))) if taken.insert(name.value.clone()) => name.clone(),
                _ => Ident::with_quote('"', format!("_col{index}")),
            },
            _ => Ident::with_quote('"', format!("_col{index}")),
        };
        aliases.push((expr.clone(), alias.clone()));
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

fn stripped(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

/// The names by which a `FROM` clause's relations are known.
fn relations(from: &[TableWithJoins]) -> HashSet<String> {
    let mut names = HashSet::new();
    for table in from {
        add_relation(&table.relation, &mut names);
        table.joins.iter().for_each(|join| add_relation(&join.relation, &mut names));
    }
    names
}

fn add_relation(factor: &TableFactor, names: &mut HashSet<String>) {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            names.extend(relations(std::slice::from_ref(table_with_joins.as_ref())));
        }
        TableFactor::Table { name, alias: None, .. } => {
            names.extend(name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.clone()));
        }
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::TableFunction { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => {
            names.insert(alias.name.value.clone());
        }
        _ => {}
    }
}

/// The field's name if the parts lead into a struct: past a relation (with its database) and its column, or past a column.
fn field<'a>(parts: &'a [Ident], relations: &HashSet<String>) -> Option<&'a Ident> {
    let known = |index: usize| parts.get(index).is_some_and(|part| relations.contains(&part.value));
    let column = if known(0) {
        1
    } else if parts.len() >= 3 && known(1) {
        2
    } else if parts.len() >= 4 && known(2) {
        3
    } else {
        0
    };
    // A name of one relation's outside of this select is left to the planner.
    if relations.is_empty() || parts.len() <= column + 1 { None } else { parts.last() }
}

/// The name that an item has without this pass.
fn plain_name(item: &SelectItem, relations: &HashSet<String>) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(expr) => match stripped(expr) {
            Expr::Identifier(name) => Some(name.value.clone()),
            Expr::CompoundIdentifier(parts) if field(parts, relations).is_none() => parts.last().map(|name| name.value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Gives the columns of the outermost query, whose names come from its first `SELECT`, their casing.
fn case_body(body: &mut SetExpr, originals: &Originals, outer: &mut Outer) {
    match body {
        SetExpr::Select(select) => case_select(select, originals, outer),
        SetExpr::Query(query) => case_body(&mut query.body, originals, outer),
        SetExpr::SetOperation { left, .. } => case_body(left, originals, outer),
        _ => {}
    }
}

fn case_select(select: &mut Select, originals: &Originals, outer: &mut Outer) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(expr) => match stripped(expr) {
            Expr::Identifier(name) => Some(name.clone()),
            Expr::CompoundIdentifier(parts) => parts.last().cloned(),
            _ => None,
        },
        _ => None,
    };
    for found in select.projection.iter().filter_map(name) {
        *counts.entry(found.value).or_default() += 1;
    }
    for item in &mut select.projection {
        let Some(folded) = name(item) else { continue };
        // Two columns of one name stay apart by their relations only while they have no alias.
        let Some(original) = originals.get(&folded.span.start).filter(|_| counts.get(&folded.value) == Some(&1)) else {
            continue;
        };
        let label = Ident::with_quote('"', original.as_str());
        outer.cased.insert(folded.value.clone(), label.clone());
        match item {
            SelectItem::ExprWithAlias { alias, expr } => {
                outer.aliases.retain(|(other, _)| other != expr);
                *alias = label;
            }
            SelectItem::UnnamedExpr(expr) => {
                outer.aliases.push((expr.clone(), label.clone()));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: label };
            }
            _ => {}
        }
    }
}
