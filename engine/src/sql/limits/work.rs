//! How much planning a query takes, estimated from its tree. The planner often visits a subquery twice for each visit of the query around it, plans a
//! common table expression again wherever it is named, and writes some arguments twice: at thirty levels, a statement of a few lines would never
//! be planned.

use std::{collections::HashMap, ops::ControlFlow, ptr};

use sqlparser::ast::{Cte, Expr, Function, GroupByExpr, ObjectName, ObjectNamePart, Query, Select, TableFactor, Visit, Visitor};

use super::{limit, too_complex};
use crate::error::{Error, Result};

/// What may be planned beyond what is written: in units of an expression.
const MOST_REPEATED: u64 = 1 << 16;

/// How often more than it is written a large query may be planned.
const MOST_TIMES: u64 = 4;

/// The units of a table in `FROM`, and of a `SELECT`.
const TABLE: u64 = 8;

/// As many grouping sets as Trino allows.
const MAX_GROUPING_SETS: u64 = 2048;

/// # Errors
/// `LimitExceeded` for queries whose planning would take more than what is written of them, many times over, and for grouping sets
/// without end.
pub(in crate::sql) fn check(query: &Query) -> Result<()> {
    let mut estimate = Estimate { written: 0, open: vec![Part::default()], subqueries: Vec::new() };
    match query.visit(&mut estimate) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Estimate {
    /// Units that are written.
    written: u64,
    /// Parts whose ends have not come, outermost first.
    open: Vec<Part>,
    /// How many times those queries are planned that stand in expressions, noted when the expressions begin.
    subqueries: Vec<(*const Query, u64)>,
}

/// A part of the query, and what planning it once takes.
#[derive(Default)]
struct Part {
    units: u64,
    /// How many times it is planned, where it stands.
    times: u64,
    /// What planning each common table expression of a query takes.
    named: HashMap<String, u64>,
    /// Which of its queries are those.
    definitions: HashMap<*const Query, String>,
}

impl Estimate {
    fn add(&mut self, units: u64) -> ControlFlow<Box<Error>> {
        self.written += units;
        self.repeat(units)
    }

    /// Adds what is planned and not written here.
    fn repeat(&mut self, units: u64) -> ControlFlow<Box<Error>> {
        let Some(part) = self.open.last_mut() else { return ControlFlow::Continue(()) };
        part.units = part.units.saturating_add(units);
        if part.units > MOST_REPEATED.saturating_add(self.written.saturating_mul(MOST_TIMES)) {
            return ControlFlow::Break(Box::new(too_complex()));
        }
        ControlFlow::Continue(())
    }

    fn open(&mut self, times: u64) {
        self.open.push(Part { times, ..Part::default() });
    }

    /// Ends the innermost part; what it takes comes to the one around it.
    fn close(&mut self) -> ControlFlow<Box<Error>> {
        match self.open.pop() {
            Some(part) => self.repeat(part.units.saturating_mul(part.times)),
            None => ControlFlow::Continue(()),
        }
    }

    /// What the common table expression of this name takes.
    fn named(&self, name: &str) -> Option<u64> {
        self.open.iter().rev().find_map(|part| part.named.get(name)).copied()
    }
}

impl Visitor for Estimate {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Box<Error>> {
        let times = self.subqueries.iter().rev().find(|(subquery, _)| ptr::eq(*subquery, query)).map_or(1, |(_, times)| *times);
        // The names of tables below a WITH are looked for twice.
        let is_with = query.with.is_some() && self.open.len() > 1;
        self.open(times.saturating_mul(if is_with { 2 } else { 1 }));
        if let (Some(with), Some(part)) = (&query.with, self.open.last_mut()) {
            let definition = |cte: &Cte| (ptr::from_ref(cte.query.as_ref()), cte.alias.name.value.clone());
            part.definitions = with.cte_tables.iter().map(definition).collect();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Box<Error>> {
        let around = self.open.len().checked_sub(2).and_then(|around| self.open.get_mut(around));
        let Some(name) = around.and_then(|part| part.definitions.remove(&ptr::from_ref(query))) else { return self.close() };
        let units = self.open.pop().map_or(0, |part| part.units.saturating_mul(part.times));
        if let Some(part) = self.open.last_mut() {
            part.named.insert(name, units);
        }
        // It is planned once where it is defined.
        self.repeat(units)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Box<Error>> {
        if let TableFactor::Table { name: ObjectName(parts), .. } = factor
            && let [ObjectNamePart::Identifier(name)] = parts.as_slice()
            && let Some(units) = self.named(&name.value)
        {
            self.repeat(units)?;
        }
        self.add(TABLE)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Box<Error>> {
        if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
            let sets = exprs.iter().map(grouping_sets).fold(1, u64::saturating_mul);
            if sets > MAX_GROUPING_SETS {
                let message = format!("GROUP BY has {sets} grouping sets, more than {MAX_GROUPING_SETS}");
                let error = limit(message).with_hint("Group by fewer columns in CUBE and ROLLUP");
                return ControlFlow::Break(Box::new(error));
            }
            self.repeat(sets)?;
        }
        self.add(TABLE)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Box<Error>> {
        let subquery = match expr {
            Expr::Exists { subquery, .. } | Expr::InSubquery { subquery, .. } | Expr::Subquery(subquery) => Some((subquery, 2)),
            // Planned as three subqueries.
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => match right.as_ref() {
                Expr::Subquery(subquery) => Some((subquery, 6)),
                _ => None,
            },
            _ => None,
        };
        if let Some((subquery, times)) = subquery
            && !self.subqueries.iter().any(|(noted, _)| ptr::eq(*noted, subquery.as_ref()))
        {
            self.subqueries.push((ptr::from_ref(subquery.as_ref()), times));
        }
        self.add(1)?;
        self.open(repeats(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Box<Error>> {
        if let Expr::Exists { subquery, .. } | Expr::InSubquery { subquery, .. } | Expr::Subquery(subquery) = expr {
            self.subqueries.retain(|(noted, _)| !ptr::eq(*noted, subquery.as_ref()));
        }
        self.close()
    }
}

/// How many times an expression writes its parts down.
fn repeats(expr: &Expr) -> u64 {
    match expr {
        Expr::Between { .. } => 2,
        Expr::InList { list, .. } if list.len() <= 3 => 3,
        Expr::Function(Function { name, .. }) => match name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] if matches!(name.value.as_str(), "coalesce" | "map" | "nullif" | "if") => 2,
            _ => 1,
        },
        _ => 1,
    }
}

/// How many grouping sets an element of `GROUP BY` stands for.
fn grouping_sets(expr: &Expr) -> u64 {
    match expr {
        Expr::Cube(columns) => {
            u32::try_from(columns.len()).ok().and_then(|columns| 1_u64.checked_shl(columns)).unwrap_or(u64::MAX)
        }
        Expr::Rollup(columns) => columns.len() as u64 + 1,
        Expr::GroupingSets(sets) => sets.len() as u64,
        _ => 1,
    }
}
