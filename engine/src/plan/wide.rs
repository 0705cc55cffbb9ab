//! Plans a query whose outermost SELECT has very many expressions, written or by `*`. DataFusion compares the names of all of them with each other; here
//! they are looked up once. Only a list of plain expressions is planned so, without aggregates, windows, UNNEST or subqueries; all other queries are
//! DataFusion's.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::FieldRef;
use datafusion::{
    common::{
        Column, DFSchema, Result, TableReference,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::context::SessionState,
    logical_expr::{
        Expr, ExprSchemable, LogicalPlan, Projection, Sort,
        utils::{expand_qualified_wildcard, expand_wildcard},
    },
    sql::parser::Statement,
};
use sqlparser::ast::{
    self, ExprWithAlias, GroupByExpr, Ident, ObjectNamePart, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    Value, ValueWithSpan, WildcardAdditionalOptions,
};

/// Expressions beyond which a list is planned here.
const WIDE: usize = 1_000;

/// The name of what stands for the list while the rest is planned.
const LIST: &str = "glaux_select_list";

/// The plan of a query with such a list; `None` for any other query, and where anything is not as plain as that. Lists of `*` are all planned here: how
/// wide they are is known when the rest is planned.
pub(super) async fn plan(query: &Query, state: &SessionState) -> Result<Option<LogicalPlan>> {
    let Some(items) = wide_list(query) else { return Ok(None) };
    let mut rest = query.clone();
    if let SetExpr::Select(select) = rest.body.as_mut() {
        let null = ast::Expr::Value(ValueWithSpan::from(Value::Null));
        select.projection = vec![SelectItem::ExprWithAlias { expr: null, alias: Ident::with_quote('"', LIST) }];
    }
    let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(rest))));
    // Its errors are told by whoever plans the whole.
    let Ok(planned) = state.statement_to_plan(statement).await else { return Ok(None) };
    let mut is_plain = false;
    let planned = planned.transform_down(|node| match node {
        LogicalPlan::Projection(list) if list.schema.field_names() == [LIST] => {
            let Some(projection) = below(&list).and_then(|input| projection(items, &input, state)) else {
                return Ok(Transformed::new(LogicalPlan::Projection(list), false, TreeNodeRecursion::Stop));
            };
            is_plain = true;
            let is_all = projection.schema.as_ref() == projection.input.schema().as_ref()
                && projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)));
            let plan = if is_all { projection.input.as_ref().clone() } else { LogicalPlan::Projection(projection) };
            Ok(Transformed::new(plan, true, TreeNodeRecursion::Stop))
        }
        // What lies between it and the root passes rows on as they are.
        LogicalPlan::Limit(_) => Ok(Transformed::no(node)),
        other => Ok(Transformed::new(other, false, TreeNodeRecursion::Stop)),
    })?;
    Ok(is_plain.then_some(planned.data))
}

/// What the list is computed from: sorted, if the query sorts by columns that are no part of what stands for the list.
fn below(list: &Projection) -> Option<Arc<LogicalPlan>> {
    let LogicalPlan::Sort(sort) = list.input.as_ref() else { return Some(Arc::clone(&list.input)) };
    let LogicalPlan::Projection(with_keys) = sort.input.as_ref() else { return None };
    let speaks_of_list = sort.expr.iter().any(|key| key.expr.column_refs().iter().any(|column| column.name == LIST));
    if speaks_of_list {
        return None;
    }
    Some(Arc::new(LogicalPlan::Sort(Sort { input: Arc::clone(&with_keys.input), ..sort.clone() })))
}

/// The list of a query's outermost SELECT, if it is or may be wide and nothing else in the query speaks of what it names.
fn wide_list(query: &Query) -> Option<&[SelectItem]> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let Select { distinct, top, exclude, into, lateral_views, group_by, having, named_window, qualify, .. } = select.as_ref();
    let is_grouped = !matches!(group_by, GroupByExpr::Expressions(keys, modifiers) if keys.is_empty() && modifiers.is_empty());
    let is_more = distinct.is_some()
        || top.is_some()
        || exclude.is_some()
        || into.is_some()
        || !lateral_views.is_empty()
        || having.is_some()
        || !named_window.is_empty()
        || qualify.is_some();
    if is_grouped || is_more {
        return None;
    }
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let is_named = select.projection.len() > WIDE && query.order_by.is_none();
    let may_be_wide = !select.from.is_empty() && select.projection.iter().all(is_wildcard);
    (is_named || may_be_wide).then_some(select.projection.as_slice())
}

/// The list over its input.
fn projection(items: &[SelectItem], input: &Arc<LogicalPlan>, state: &SessionState) -> Option<Projection> {
    let schema = input.schema();
    let mut places: HashMap<&str, Option<usize>> = HashMap::new();
    for (at, field) in schema.fields().iter().enumerate() {
        // A name that several columns have is for others to judge.
        places.entry(field.name()).and_modify(|place| *place = None).or_insert(Some(at));
    }
    let (mut exprs, mut fields) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    for item in items {
        let (sql, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(normalised(alias, state))),
            SelectItem::Wildcard(options) if is_bare(options) => {
                expand(expand_wildcard(schema, input, None).ok()?, schema, &mut exprs, &mut fields)?;
                continue;
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) if is_bare(options) => {
                let [ObjectNamePart::Identifier(table)] = name.0.as_slice() else { return None };
                let table = TableReference::bare(normalised(table, state));
                expand(expand_qualified_wildcard(&table, schema, None).ok()?, schema, &mut exprs, &mut fields)?;
                continue;
            }
            _ => return None,
        };
        let (expr, field) = match sql {
            ast::Expr::Identifier(name) if places.contains_key(normalised(name, state).as_str()) => {
                let at = (*places.get(normalised(name, state).as_str())?)?;
                let (qualifier, field) = schema.qualified_field(at);
                (Expr::Column(Column::from((qualifier, field))), (qualifier.cloned(), Arc::clone(field)))
            }
            sql => {
                let expr = ExprWithAlias { expr: sql.clone(), alias: None };
                let expr = state.create_logical_expr_from_sql_expr(expr, schema).ok().filter(is_plain)?;
                let field = expr.to_field(schema.as_ref()).ok()?;
                (expr, field)
            }
        };
        let (expr, field) = named(expr, field, alias);
        exprs.push(expr);
        fields.push(field);
    }
    let schema = DFSchema::new_with_metadata(fields, schema.metadata().clone()).ok()?;
    Projection::try_new_with_schema(exprs, Arc::clone(input), Arc::new(schema)).ok()
}

/// A wildcard without EXCEPT and its like.
fn is_bare(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions { wildcard_token: _, opt_ilike, opt_exclude, opt_except, opt_replace, opt_rename, opt_alias } =
        options;
    let has_more = opt_ilike.is_some() || opt_exclude.is_some() || opt_except.is_some();
    !has_more && opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none()
}

/// Adds the columns of a wildcard, which are in the order of the schema. `None` if they are not.
fn expand(
    columns: Vec<Expr>,
    schema: &DFSchema,
    exprs: &mut Vec<Expr>,
    fields: &mut Vec<(Option<TableReference>, FieldRef)>,
) -> Option<()> {
    let mut columns = columns.into_iter().peekable();
    for (qualifier, field) in schema.iter() {
        let is_next = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == *field.name() && column.relation.as_ref() == qualifier);
        if let Some(column) = columns.next_if(is_next) {
            exprs.push(column);
            fields.push((qualifier.cloned(), Arc::clone(field)));
        }
    }
    columns.next().is_none().then_some(())
}

/// An expression under another name, if it has not that name.
fn named(
    expr: Expr,
    field: (Option<TableReference>, FieldRef),
    alias: Option<String>,
) -> (Expr, (Option<TableReference>, FieldRef)) {
    match alias {
        Some(alias) if !matches!(&expr, Expr::Column(column) if column.name == alias) => {
            let named = Arc::new(field.1.as_ref().clone().with_name(&alias));
            (expr.alias(alias), (None, named))
        }
        _ => (expr, field),
    }
}

fn normalised(name: &Ident, state: &SessionState) -> String {
    let folds = state.config_options().sql_parser.enable_ident_normalization && name.quote_style.is_none();
    if folds { name.value.to_lowercase() } else { name.value.clone() }
}

/// Whether an expression is computed row by row, by itself.
fn is_plain(expr: &Expr) -> bool {
    let is_more = |part: &Expr| {
        Ok(matches!(
            part,
            Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::Unnest(_)
                | Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::GroupingSet(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    expr.exists(is_more).is_ok_and(|is_more| !is_more)
}
