//! Refuses joins whose merged column the planner would take from the wrong side: `RIGHT` and `FULL JOIN ... USING`, and `NATURAL` ones. In Trino that
//! column is the value of the side that has one; the planner takes the left side's, which may be NULL.

use std::ops::ControlFlow;

use sqlparser::ast::{JoinConstraint, JoinOperator, Query, Select, Visit, Visitor};

use crate::error::{Error, Result};

pub(super) fn check(query: &Query) -> Result<()> {
    match query.visit(&mut OuterMerges) {
        ControlFlow::Break(join) => Err(Error::unsupported(format!("{join} with USING or NATURAL is not supported"))
            .with_hint("Write ON a.x = b.x, and select coalesce(a.x, b.x)")),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct OuterMerges;

impl Visitor for OuterMerges {
    type Break = &'static str;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        for join in select.from.iter().flat_map(|from| &from.joins) {
            let (kind, constraint) = match &join.join_operator {
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("RIGHT JOIN", constraint),
                JoinOperator::FullOuter(constraint) => ("FULL JOIN", constraint),
                _ => continue,
            };
            if matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural) {
                return ControlFlow::Break(kind);
            }
        }
        ControlFlow::Continue(())
    }
}
