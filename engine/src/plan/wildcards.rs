//! Writes out what the `*` of a select list stands for, where it brings a column that the list has already: `SELECT *, id`. Trino returns both; the
//! planner refuses them, so that a query comes here only then. What is written out can be told apart by `sql::rewrite::mark_duplicates`.

use std::ops::ControlFlow;

use datafusion::{
    common::{Column, SchemaError},
    error::DataFusionError,
    execution::context::SessionState,
    sql::parser::Statement,
};
use sqlparser::ast::{
    self, Cte, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Visit, VisitMut, Visitor, VisitorMut, With,
};

use crate::{error::Result, sql::rewrite::mark_duplicates};

/// Queries within one statement that are looked at.
const MOST: usize = 100;

/// Whether planning failed since a select list has a column twice.
pub(super) fn is_twice(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => !matches!(**error, SchemaError::FieldNotFound { .. }),
        DataFusionError::Plan(message) => message.contains("require unique expression names"),
        _ => false,
    }
}

/// The query with such lists written out; `None` if it has none.
///
/// # Errors
/// `Invalid` if `ORDER BY` names what several columns are called.
pub(super) async fn written_out(query: &Query, state: &SessionState) -> Result<Option<Query>> {
    let mut written = query.clone();
    let (mut skip, mut has_changed) = (0, false);
    for _ in 0..MOST {
        let mut search = Search { skip, scope: Vec::new(), found: None };
        let _ = Visit::visit(&written, &mut search);
        let Some((found, outer)) = search.found else { break };
        // What cannot be planned by itself is told by whoever plans the whole.
        let Some(mut lists) = lists_of(&found, &outer, state).await else {
            skip += 1;
            continue;
        };
        lists.reverse();
        let _ = VisitMut::visit(&mut written, &mut Replace { skip, lists });
        // Those around it are planned with it.
        mark_duplicates(&mut written)?;
        has_changed = true;
    }
    Ok(has_changed.then_some(written))
}

/// The lists of a query's `SELECT`s that are to be written out, in their order; `None` if one cannot be.
async fn lists_of(query: &Query, outer: &[With], state: &SessionState) -> Option<Vec<Vec<SelectItem>>> {
    let mut lists = Vec::new();
    for select in mixed(&query.body) {
        let mut list = Vec::new();
        for item in &select.projection {
            match is_wildcard(item) {
                true => list.extend(columns(query, select, item, outer, state).await?),
                false => list.push(item.clone()),
            }
        }
        lists.push(list);
    }
    Some(lists)
}

/// The columns of a wildcard, by planning it alone.
async fn columns(
    query: &Query,
    select: &Select,
    item: &SelectItem,
    outer: &[With],
    state: &SessionState,
) -> Option<Vec<SelectItem>> {
    let alone = Select {
        distinct: None,
        projection: vec![item.clone()],
        selection: None,
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        ..select.clone()
    };
    let mut alone = Query {
        body: Box::new(SetExpr::Select(Box::new(alone))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        ..query.clone()
    };
    let mut around: Vec<Cte> = outer.iter().flat_map(|with| with.cte_tables.clone()).collect();
    let own = query.with.as_ref().map(|with| with.cte_tables.clone()).unwrap_or_default();
    let with = query.with.as_ref().or_else(|| outer.last()).cloned();
    let is_recursive = outer.iter().chain(&query.with).any(|with| with.recursive);
    loop {
        let mut cte_tables: Vec<Cte> = around.clone();
        cte_tables.retain(|cte| own.iter().all(|nearer| nearer.alias.name != cte.alias.name));
        cte_tables.extend(own.iter().cloned());
        let is_empty = cte_tables.is_empty();
        alone.with = with.clone().filter(|_| !is_empty).map(|with| With { recursive: is_recursive, cte_tables, ..with });
        let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(alone.clone()))));
        let Ok(plan) = state.statement_to_plan(statement).await else {
            // The query may itself be part of the last of those around it.
            around.pop()?;
            continue;
        };
        let columns = plan.schema().columns();
        return Some(columns.into_iter().map(|column| SelectItem::UnnamedExpr(reference(column))).collect());
    }
}

fn reference(column: Column) -> Expr {
    let quoted = |name: String| Ident::with_quote('"', name);
    match column.relation {
        Some(relation) => Expr::CompoundIdentifier(relation.to_vec().into_iter().chain([column.name]).map(quoted).collect()),
        None => Expr::Identifier(quoted(column.name)),
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

/// Whether a list has more beside a wildcard.
fn is_mixed(select: &Select) -> bool {
    select.projection.len() > 1 && select.projection.iter().any(is_wildcard)
}

/// The `SELECT`s of a body with such a list.
fn mixed(body: &SetExpr) -> Vec<&Select> {
    match body {
        SetExpr::Select(select) if is_mixed(select) => vec![select.as_ref()],
        SetExpr::SetOperation { left, right, .. } => [mixed(left), mixed(right)].concat(),
        _ => Vec::new(),
    }
}

/// Looks for a query with such a `SELECT`, inner ones first.
struct Search {
    /// Such queries that are passed over.
    skip: usize,
    /// The `WITH` of the queries around.
    scope: Vec<Option<With>>,
    found: Option<(Query, Vec<With>)>,
}

impl Visitor for Search {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scope.push(query.with.clone());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scope.pop();
        if mixed(&query.body).is_empty() {
            return ControlFlow::Continue(());
        }
        if self.skip > 0 {
            self.skip -= 1;
            return ControlFlow::Continue(());
        }
        self.found = Some((query.clone(), self.scope.iter().flatten().cloned().collect()));
        ControlFlow::Break(())
    }
}

/// Puts lists, the last one first, in the place of those of the query that [`Search`] has found.
struct Replace {
    skip: usize,
    lists: Vec<Vec<SelectItem>>,
}

impl VisitorMut for Replace {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if mixed(&query.body).is_empty() {
            return ControlFlow::Continue(());
        }
        if self.skip > 0 {
            self.skip -= 1;
            return ControlFlow::Continue(());
        }
        self.replace(&mut query.body);
        ControlFlow::Break(())
    }
}

impl Replace {
    fn replace(&mut self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) if is_mixed(select) => {
                if let Some(list) = self.lists.pop() {
                    select.projection = list;
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.replace(left);
                self.replace(right);
            }
            _ => {}
        }
    }
}
