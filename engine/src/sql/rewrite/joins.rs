//! Puts each join with `USING`, and all to the left of it, into parentheses that have a name of ours: by it `plan/using` finds them. `NATURAL` joins are
//! refused, as in Trino.

use std::{collections::HashSet, ops::ControlFlow};

use sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, TableAlias, TableFactor, TableWithJoins, VisitMut,
    VisitorMut,
};

use crate::error::{Error, Result};

/// What the names of such joins begin with.
pub(crate) const USING: &str = "glaux_using_";

pub(super) fn apply(query: &mut Query) -> Result<()> {
    match VisitMut::visit(query, &mut Nest { named: 0 }) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Nest {
    /// Joins that have a name.
    named: usize,
}

impl VisitorMut for Nest {
    type Break = Box<Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        let nested = std::mem::take(&mut select.from).into_iter().map(|table| self.nested(table)).collect::<Result<Vec<_>>>();
        match nested {
            Ok(from) => {
                select.from = from;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Nest {
    fn nested(&mut self, table: TableWithJoins) -> Result<TableWithJoins> {
        let mut whole = TableWithJoins { relation: self.inside(table.relation)?, joins: Vec::new() };
        for join in table.joins {
            let relation = self.inside(join.relation)?;
            let is_using = match constraint_of(&join.join_operator) {
                Some(JoinConstraint::Using(columns)) => {
                    check(columns, &relation)?;
                    true
                }
                Some(JoinConstraint::Natural) => {
                    return Err(
                        Error::unsupported("NATURAL JOIN is not supported").with_hint("Name the columns: JOIN ... USING (a, b)")
                    );
                }
                _ => false,
            };
            whole.joins.push(Join { relation, ..join });
            if is_using {
                self.named += 1;
                let name = Ident::with_quote('"', format!("{USING}{}", self.named));
                let alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
                let relation = TableFactor::NestedJoin { table_with_joins: Box::new(whole), alias };
                whole = TableWithJoins { relation, joins: Vec::new() };
            }
        }
        Ok(whole)
    }

    /// A table of a join, which may be a join in parentheses.
    fn inside(&mut self, factor: TableFactor) -> Result<TableFactor> {
        Ok(match factor {
            TableFactor::NestedJoin { table_with_joins, alias } => {
                TableFactor::NestedJoin { table_with_joins: Box::new(self.nested(*table_with_joins)?), alias }
            }
            other => other,
        })
    }
}

/// What rows of a join must have in common.
fn constraint_of(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn check(columns: &[ObjectName], right: &TableFactor) -> Result<()> {
    let plain =
        |name: &ObjectName| name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.clone()).collect::<String>();
    let mut names = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !names.insert(*name)) {
        return Err(
            Error::invalid(format!("column \"{}\" appears multiple times in USING", plain(twice))).with_hint("Name it once")
        );
    }
    let refers_to_left = match right {
        TableFactor::Derived { lateral, .. } | TableFactor::Function { lateral, .. } => *lateral,
        TableFactor::UNNEST { .. } => true,
        _ => false,
    };
    match refers_to_left {
        true => Err(Error::unsupported("USING with LATERAL or UNNEST is not supported")
            .with_hint("Write CROSS JOIN, and the condition in WHERE")),
        false => Ok(()),
    }
}
