//! Rewrites forms that the planner does not read as ones that it does: `FETCH FIRST n ROWS ONLY` as `LIMIT n`, `TABLE t` as `SELECT * FROM t`,
//! `VALUES ROW(1, 2)` as `VALUES (1, 2)` with Trino's column names, `U&'...'` as a plain string, `(a, b) IN (SELECT c, d ...)` as one of rows, and long
//! chains of `AND`, `OR` and `UNION` as balanced trees. Forms that the planner would silently ignore are refused.

use std::{collections::VecDeque, ops::ControlFlow};

use sqlparser::{
    ast::{
        BinaryOperator, Expr, Fetch, Ident, LimitClause, Query, SetExpr, SetOperator, TableFactor, Value, ValueWithSpan, Values,
        VisitMut, VisitorMut,
    },
    parser::Parser,
};

use crate::{
    error::{Error, Result},
    sql::{dialect::AthenaDialect, refusal::unsupported},
};

/// # Errors
/// `Unsupported` for `WITH TIES`, `PERCENT`, `TABLESAMPLE` and locks; `Invalid` for `LIMIT` and `FETCH` together.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    if let ControlFlow::Break(error) = query.visit(&mut Forms) {
        return Err(*error);
    }
    name_values(&mut query.body)
}

struct Forms;

impl VisitorMut for Forms {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        match forms(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<Error>> {
        let refused = match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                Some(("TABLESAMPLE", "Filter by a hash of a key, or by random()"))
            }
            TableFactor::Table { version: Some(_), .. } => Some(("time travel", "Only the current data can be read")),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => Some(("PIVOT", "Athena does not support it either")),
            TableFactor::MatchRecognize { .. } => Some(("MATCH_RECOGNIZE", "Use window functions")),
            _ => None,
        };
        match refused {
            Some((what, hint)) => ControlFlow::Break(Box::new(unsupported(what, hint))),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        balance(expr);
        match look_for_row(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Box<Error>> {
        if let Value::UnicodeStringLiteral(text) = &mut value.value {
            value.value = Value::SingleQuotedString(std::mem::take(text));
        }
        ControlFlow::Continue(())
    }
}

fn forms(query: &mut Query) -> Result<()> {
    if !query.locks.is_empty() {
        return Err(unsupported("SELECT ... FOR UPDATE", "Leave it out: queries take no locks"));
    }
    if let Some(fetch) = query.fetch.take() {
        query.limit_clause = Some(limit(fetch, query.limit_clause.take())?);
    }
    bodies(&mut query.body)
}

fn bodies(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::Values(values) => values.explicit_row = false,
        SetExpr::Table(table) => {
            let names = table.schema_name.iter().chain(&table.table_name);
            let name = names.map(|name| Ident::with_quote('"', name).to_string()).collect::<Vec<_>>().join(".");
            *body = select(&format!("SELECT * FROM {name}"))?;
        }
        SetExpr::SetOperation { .. } => {
            balance_union(body);
            let SetExpr::SetOperation { left, right, .. } = body else { return Ok(()) };
            bodies(left)?;
            bodies(right)?;
        }
        _ => {}
    }
    Ok(())
}

/// From how many operands on a chain is balanced: ordinary queries keep the shape in which they are written.
const LONG_CHAIN: usize = 32;

/// Makes a long chain of the same `AND` or `OR`, which the parser reads as deep as it is long, a tree of logarithmic depth. The operands keep their
/// order.
fn balance(expr: &mut Expr) {
    let Expr::BinaryOp { op: chained @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else { return };
    let chained = chained.clone();
    let (mut at, mut length) = (&*expr, 1);
    while let Expr::BinaryOp { left, op, .. } = at
        && *op == chained
    {
        (at, length) = (left.as_ref(), length + 1);
    }
    if length < LONG_CHAIN {
        return;
    }
    let mut operands = VecDeque::with_capacity(length);
    let mut rest = std::mem::replace(expr, Expr::value(Value::Null));
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == chained => {
                operands.push_front(*right);
                rest = *left;
            }
            first => {
                operands.push_front(first);
                break;
            }
        }
    }
    let join = |left, right| Expr::BinaryOp { left: Box::new(left), op: chained.clone(), right: Box::new(right) };
    if let Some(balanced) = tree(operands, join) {
        *expr = balanced;
    }
}

/// The same for a long chain of `UNION ALL` or of `UNION`.
fn balance_union(body: &mut SetExpr) {
    let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: chained, .. } = body else { return };
    let chained = *chained;
    let (mut at, mut length) = (&*body, 1);
    while let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, .. } = at
        && *set_quantifier == chained
    {
        (at, length) = (left.as_ref(), length + 1);
    }
    if length < LONG_CHAIN {
        return;
    }
    let mut operands = VecDeque::with_capacity(length);
    let mut rest =
        std::mem::replace(body, SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() }));
    loop {
        match rest {
            SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } if set_quantifier == chained => {
                operands.push_front(*right);
                rest = *left;
            }
            first => {
                operands.push_front(first);
                break;
            }
        }
    }
    let join = |left, right| SetExpr::SetOperation {
        left: Box::new(left),
        op: SetOperator::Union,
        set_quantifier: chained,
        right: Box::new(right),
    };
    if let Some(balanced) = tree(operands, join) {
        *body = balanced;
    }
}

/// Joins neighbours, and then the pairs, until one is left.
fn tree<T>(mut operands: VecDeque<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    while operands.len() > 1 {
        let mut pairs = VecDeque::with_capacity(operands.len().div_ceil(2));
        while let Some(left) = operands.pop_front() {
            pairs.push_back(match operands.pop_front() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        operands = pairs;
    }
    operands.pop_front()
}

/// A query of our own making.
pub(super) fn query(text: &str) -> Result<Query> {
    let query = Parser::new(&AthenaDialect::default()).try_with_sql(text).and_then(|mut parser| parser.parse_query());
    Ok(*query.map_err(|error| Error::internal(format!("\"{text}\" does not parse")).with_source(error))?)
}

fn select(text: &str) -> Result<SetExpr> {
    Ok(*query(text)?.body)
}

/// Makes a subquery in which several values are looked for together one of rows.
fn look_for_row(expr: &mut Expr) -> Result<()> {
    let Expr::InSubquery { expr: value, subquery, .. } = expr else { return Ok(()) };
    let Expr::Tuple(fields) = &**value else { return Ok(()) };
    let names = (0..fields.len()).map(|at| format!("\"field{at}\"")).collect::<Vec<_>>().join(", ");
    let mut rows = select(&format!("SELECT ({names}) FROM (VALUES (1)) AS \"fields\" ({names})"))?;
    if let SetExpr::Select(select) = &mut rows
        && let Some(TableFactor::Derived { subquery: inner, .. }) = select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(inner, subquery);
        *subquery.body = rows;
    }
    Ok(())
}

/// Gives the outermost `VALUES` the column names `_col0`, `_col1`, ..., as Trino does.
fn name_values(body: &mut SetExpr) -> Result<()> {
    let SetExpr::Values(values) = &*body else { return Ok(()) };
    let count = values.rows.first().map_or(0, |row| row.content.len());
    let names: Vec<_> = (0..count).map(|index| format!("\"_col{index}\"")).collect();
    let mut named = select(&format!("SELECT * FROM (VALUES (1)) AS \"values\" ({})", names.join(", ")))?;
    if let SetExpr::Select(select) = &mut named
        && let Some(TableFactor::Derived { subquery, .. }) = select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(subquery.body.as_mut(), body);
        *body = named;
    }
    Ok(())
}

fn limit(fetch: Fetch, clause: Option<LimitClause>) -> Result<LimitClause> {
    if fetch.with_ties || fetch.percent {
        let what = if fetch.with_ties { "FETCH FIRST ... WITH TIES" } else { "FETCH FIRST ... PERCENT" };
        return Err(unsupported(what, "Use rank() in a subquery, and filter by it"));
    }
    let quantity = fetch.quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
    match clause {
        None => Ok(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() }),
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) => {
            Ok(LimitClause::LimitOffset { limit: Some(quantity), offset, limit_by })
        }
        Some(_) => Err(Error::invalid("LIMIT and FETCH FIRST are given together").with_hint("Leave one of them out")),
    }
}
