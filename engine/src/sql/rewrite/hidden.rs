//! Athena's hidden columns: `"$path"` and its like belong to every table, but only for those who name them; `*` never shows them.
//!
//! Where a `SELECT` mentions one, the base tables that it may mean are read under the name `"t$hidden"`, with the alias `t`: tables of
//! that name have the hidden columns as ordinary ones, and wildcards leave them out again.

use std::{
    collections::{BTreeSet, HashSet},
    ops::ControlFlow,
};

use sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins, Visit, VisitMut, Visitor,
    VisitorMut, WildcardAdditionalOptions,
};

use crate::{
    error::{Error, Result},
    sql::refusal::unsupported,
};

/// The hidden columns of every base table.
pub(crate) const HIDDEN_COLUMNS: [&str; 3] = ["$path", "$file_size", "$file_modified_time"];

/// What is added to a table's name to read it with its hidden columns.
pub(crate) const HIDDEN_SUFFIX: &str = "$hidden";

/// # Errors
/// `Unsupported`, with a hint, where a wildcard or an alias leaves no way to say it.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    let mut find = Find::default();
    let _ = Visit::visit(query, &mut find);
    if find.marks.iter().all(BTreeSet::is_empty) {
        return Ok(());
    }
    let mut mark = Mark { marks: find.marks, next: 0, qualified: HashSet::new() };
    if let ControlFlow::Break(error) = query.visit(&mut mark) {
        return Err(*error);
    }
    let _ = query.visit(&mut Unqualify(mark.qualified));
    Ok(())
}

fn is_hidden(name: &Ident) -> bool {
    HIDDEN_COLUMNS.contains(&name.value.as_str())
}

/// Which relations of which `SELECT` (numbered in the order of visiting) must show their hidden columns.
#[derive(Default)]
struct Find {
    marks: Vec<BTreeSet<String>>,
    scopes: Vec<Scope>,
    /// The common table expressions in reach, a list a query.
    ctes: Vec<Vec<String>>,
    /// What the `ORDER BY` of each query in reach mentions, until the query's own `SELECT` comes, to which it belongs.
    order: Vec<Vec<Mention>>,
}

struct Scope {
    select: usize,
    /// Names of the relations, and whether they are base tables.
    relations: Vec<(String, bool)>,
}

/// A hidden column by name; with the relation's name, if given.
type Mention = Option<String>;

impl Find {
    fn mention(&mut self, mention: &Mention) {
        match mention {
            Some(relation) => {
                for scope in self.scopes.iter().rev() {
                    if let Some((name, base)) = scope.relations.iter().find(|(name, _)| name == relation) {
                        if *base {
                            self.marks[scope.select].insert(name.clone());
                        }
                        return;
                    }
                }
            }
            None => {
                if let Some(scope) = self.scopes.last() {
                    let bases = scope.relations.iter().filter(|(_, base)| *base).map(|(name, _)| name.clone());
                    self.marks[scope.select].extend(bases);
                }
            }
        }
    }

    fn add_relations(&self, from: &[TableWithJoins], relations: &mut Vec<(String, bool)>) {
        for table in from {
            for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
                match factor {
                    TableFactor::Table { name, alias, args, .. } => {
                        let Some(last) = name.0.last().and_then(ObjectNamePart::as_ident) else { continue };
                        let cte = name.0.len() == 1 && self.ctes.iter().flatten().any(|cte| *cte == last.value);
                        let base = args.is_none() && !cte && !last.value.contains('$');
                        relations.push((alias.as_ref().map_or(&last.value, |alias| &alias.name.value).clone(), base));
                    }
                    TableFactor::NestedJoin { table_with_joins, .. } => {
                        self.add_relations(std::slice::from_ref(table_with_joins.as_ref()), relations);
                    }
                    other => relations.extend(alias_of(other).map(|name| (name.value.clone(), false))),
                }
            }
        }
    }
}

impl Visitor for Find {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone()).collect();
        self.ctes.push(ctes);
        let mut mentions = Mentions(Vec::new());
        if let (SetExpr::Select(_), Some(OrderByKind::Expressions(items))) =
            (query.body.as_ref(), query.order_by.as_ref().map(|order| &order.kind))
        {
            for item in items {
                let _ = item.expr.visit(&mut mentions);
            }
        }
        self.order.push(mentions.0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.ctes.pop();
        self.order.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut relations = Vec::new();
        self.add_relations(&select.from, &mut relations);
        self.scopes.push(Scope { select: self.marks.len(), relations });
        self.marks.push(BTreeSet::new());
        for mention in self.order.last_mut().map(std::mem::take).unwrap_or_default() {
            self.mention(&mention);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Some(mention) = mention(expr) {
            self.mention(&mention);
        }
        ControlFlow::Continue(())
    }
}

/// Collects the mentions in an expression.
struct Mentions(Vec<Mention>);

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.extend(mention(expr));
        ControlFlow::Continue(())
    }
}

fn mention(expr: &Expr) -> Option<Mention> {
    match expr {
        Expr::Identifier(name) if is_hidden(name) => Some(None),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [.., relation, name] if is_hidden(name) => Some(Some(relation.value.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn alias_of(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref().map(|alias| &alias.name),
        _ => None,
    }
}

/// Rewrites what was found.
struct Mark {
    marks: Vec<BTreeSet<String>>,
    next: usize,
    /// Tables with their database that now have an alias, by which alone they can be named.
    qualified: HashSet<(String, String)>,
}

impl VisitorMut for Mark {
    type Break = Box<Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        let marked = self.marks.get(self.next).cloned().unwrap_or_default();
        self.next += 1;
        if marked.is_empty() {
            return ControlFlow::Continue(());
        }
        let rewritten = wildcards(select, &marked).and_then(|()| self.tables(&mut select.from, &marked));
        match rewritten {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Mark {
    fn tables(&mut self, from: &mut [TableWithJoins], marked: &BTreeSet<String>) -> Result<()> {
        for table in from {
            for factor in std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation)) {
                match factor {
                    TableFactor::Table { name, alias, .. } => self.table(name, alias, marked)?,
                    TableFactor::NestedJoin { table_with_joins, .. } => {
                        self.tables(std::slice::from_mut(table_with_joins.as_mut()), marked)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, name: &mut ObjectName, alias: &mut Option<TableAlias>, marked: &BTreeSet<String>) -> Result<()> {
        let database = name.0.len().checked_sub(2).and_then(|index| name.0[index].as_ident()).cloned();
        let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else { return Ok(()) };
        let relation = alias.as_ref().map_or(&last.value, |alias| &alias.name.value).clone();
        if !marked.contains(&relation) || last.value.contains('$') {
            return Ok(());
        }
        match alias {
            Some(alias) if !alias.columns.is_empty() => {
                let what = format!("selecting hidden columns of \"{relation}\", whose alias names its columns,");
                return Err(unsupported(&what, "Leave the list of columns out of the alias"));
            }
            Some(_) => {}
            None => {
                self.qualified.extend(database.map(|database| (database.value, relation.clone())));
                let name = Ident::with_quote('"', relation);
                *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
            }
        }
        *last = Ident::with_quote('"', format!("{}{HIDDEN_SUFFIX}", last.value));
        Ok(())
    }
}

/// Leaves the hidden columns of the marked relations out of `*` and `t.*`.
fn wildcards(select: &mut Select, marked: &BTreeSet<String>) -> Result<()> {
    let mut projection = Vec::with_capacity(select.projection.len());
    for mut item in std::mem::take(&mut select.projection) {
        match &mut item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                if name.0.last().and_then(ObjectNamePart::as_ident).is_some_and(|last| marked.contains(&last.value)) {
                    options.opt_except = Some(except());
                }
                projection.push(item);
            }
            SelectItem::Wildcard(options) if marked.len() == 1 => {
                options.opt_except = Some(except());
                projection.push(item);
            }
            SelectItem::Wildcard(_) => expand(&select.from, marked, &mut projection)?,
            _ => projection.push(item),
        }
    }
    select.projection = projection;
    Ok(())
}

/// `*` as one wildcard a relation.
fn expand(from: &[TableWithJoins], marked: &BTreeSet<String>, projection: &mut Vec<SelectItem>) -> Result<()> {
    for table in from {
        if table.joins.iter().any(merges) {
            return Err(unsupported(
                "SELECT * with hidden columns of several tables joined by USING or NATURAL",
                "Join with ON, or name the columns",
            ));
        }
        for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
            let name = match (factor, alias_of(factor)) {
                (_, Some(alias)) => alias.clone(),
                (TableFactor::Table { name, .. }, None) => match name.0.last().and_then(ObjectNamePart::as_ident) {
                    Some(last) => last.clone(),
                    None => continue,
                },
                (TableFactor::NestedJoin { table_with_joins, .. }, None) => {
                    expand(std::slice::from_ref(table_with_joins.as_ref()), marked, projection)?;
                    continue;
                }
                _ => {
                    return Err(unsupported(
                        "SELECT * with hidden columns beside a subquery without a name",
                        "Give the subquery an alias",
                    ));
                }
            };
            let opt_except = marked.contains(&name.value).then(except);
            let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![name]));
            projection.push(SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions { opt_except, ..Default::default() }));
        }
    }
    Ok(())
}

/// Whether the join makes one column of two.
fn merges(join: &Join) -> bool {
    let constraint = match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => constraint,
        _ => return false,
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

fn except() -> ExceptSelectItem {
    let [first, rest @ ..] = HIDDEN_COLUMNS.map(|name| Ident::with_quote('"', name));
    ExceptSelectItem { first_element: first, additional_elements: rest.into() }
}

/// Shortens `d.t.c` to `t.c` where the table now has an alias.
struct Unqualify(HashSet<(String, String)>);

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr {
            for table in [1, 2] {
                let pair = (parts.get(table - 1), parts.get(table));
                if let (Some(database), Some(name)) = pair
                    && parts.len() > table + 1
                    && self.0.contains(&(database.value.clone(), name.value.clone()))
                {
                    parts.drain(..table);
                    break;
                }
            }
        }
        ControlFlow::Continue(())
    }
}
