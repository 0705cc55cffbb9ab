//! `FETCH FIRST n ROWS ONLY` as `LIMIT n`, and rows written `VALUES ROW(1, 2)` as `VALUES (1, 2)`.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Fetch, LimitClause, Query, SetExpr, Value, VisitMut, VisitorMut};

use crate::error::{Error, Result};

/// # Errors
/// `Unsupported` for `WITH TIES` and `PERCENT`; `Invalid` for `LIMIT` and `FETCH` together.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    match query.visit(&mut Limits) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Limits;

impl VisitorMut for Limits {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            values.explicit_row = false;
        }
        match query.fetch.take() {
            Some(fetch) => match limit(fetch, query.limit_clause.take()) {
                Ok(clause) => query.limit_clause = Some(clause),
                Err(error) => return ControlFlow::Break(Box::new(error)),
            },
            None => {}
        }
        ControlFlow::Continue(())
    }
}

fn limit(fetch: Fetch, clause: Option<LimitClause>) -> Result<LimitClause> {
    if fetch.with_ties || fetch.percent {
        let what = if fetch.with_ties { "FETCH FIRST ... WITH TIES" } else { "FETCH FIRST ... PERCENT" };
        return Err(
            Error::unsupported(format!("{what} is not supported")).with_hint("Use rank() in a subquery, and filter by it")
        );
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
