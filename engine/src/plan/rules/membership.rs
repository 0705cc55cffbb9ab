//! `x IN (SELECT ...)` with three truth values. DataFusion distinguishes them only where the condition is a conjunct of a filter; elsewhere it takes
//! NULL for false. Where that makes a difference, the condition is composed of parts that DataFusion plans correctly.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, DFSchema, ExprSchema, Result, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    config::ConfigOptions,
    error::DataFusionError,
    functions_aggregate::expr_fn::count,
    logical_expr::{
        BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
        expr::{Exists, InSubquery, SetComparison, SetQuantifier},
        lit, scalar_subquery,
        utils::{COUNT_STAR_EXPANSION, merge_schema},
        when,
    },
    optimizer::AnalyzerRule,
};

use super::{nan::found, operands::can_repeat};
use crate::error::{Error, to_datafusion};

#[derive(Debug)]
pub(super) struct Membership;

impl AnalyzerRule for Membership {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(conditions)?.data)
    }

    fn name(&self) -> &str {
        "glaux_membership"
    }
}

/// What of a condition makes a difference to the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Whether it is true; and it is one of the filter's own.
    Holds,
    /// Whether it is true.
    IsTrue,
    /// Whether it is false.
    IsFalse,
    /// Which of the three it is.
    Value,
}

impl Asked {
    const fn negated(self) -> Self {
        match self {
            Self::Holds | Self::IsTrue => Self::IsFalse,
            Self::IsFalse => Self::IsTrue,
            Self::Value => Self::Value,
        }
    }

    /// What is asked of one side of `OR`.
    const fn of_side(self) -> Self {
        match self {
            Self::Holds => Self::IsTrue,
            asked => asked,
        }
    }
}

/// Subqueries are planned in conditions alone.
fn conditions(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_)) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    plan.map_expressions(|expr| match expr.exists(|expr| Ok(matches!(expr, Expr::InSubquery(_) | Expr::SetComparison(_))))? {
        true => Ok(Transformed::yes(condition(expr, Asked::Holds, &schema)?)),
        false => Ok(Transformed::no(expr)),
    })
}

fn condition(expr: Expr, asked: Asked, schema: &DFSchema) -> Result<Expr> {
    let part = |expr: Box<Expr>, asked: Asked| condition(*expr, asked, schema).map(Box::new);
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::And, right }) => {
            Expr::BinaryExpr(BinaryExpr { left: part(left, asked)?, op, right: part(right, asked)? })
        }
        Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::Or, right }) => {
            let asked = asked.of_side();
            Expr::BinaryExpr(BinaryExpr { left: part(left, asked)?, op, right: part(right, asked)? })
        }
        Expr::Not(negated) => match *negated {
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                member(InSubquery { expr, subquery, negated: !negated }, asked, schema)?
            }
            other => Expr::Not(Box::new(condition(other, asked.negated(), schema)?)),
        },
        Expr::IsTrue(expr) => Expr::IsTrue(part(expr, Asked::IsTrue)?),
        Expr::IsNotTrue(expr) => Expr::IsNotTrue(part(expr, Asked::IsTrue)?),
        Expr::IsFalse(expr) => Expr::IsFalse(part(expr, Asked::IsFalse)?),
        Expr::IsNotFalse(expr) => Expr::IsNotFalse(part(expr, Asked::IsFalse)?),
        Expr::InSubquery(asked_for) => member(asked_for, asked, schema)?,
        // The same by another name, that DataFusion would read the subquery more often for.
        Expr::SetComparison(SetComparison { expr, subquery, op: Operator::Eq, quantifier: SetQuantifier::Any }) => {
            member(InSubquery { expr, subquery, negated: false }, asked, schema)?
        }
        Expr::SetComparison(SetComparison { expr, subquery, op: Operator::NotEq, quantifier: SetQuantifier::All }) => {
            member(InSubquery { expr, subquery, negated: true }, asked, schema)?
        }
        other => other.map_children(|expr| condition(expr, Asked::Value, schema).map(Transformed::yes))?.data,
    })
}

fn member(asked_for: InSubquery, asked: Asked, schema: &DFSchema) -> Result<Expr> {
    let InSubquery { expr, subquery, negated } = asked_for;
    let value = condition(*expr, Asked::Value, schema)?;
    let plan = subquery.subquery.as_ref();
    let is_correlated = !plan.all_out_ref_exprs().is_empty();
    if is_correlated && is_one_row(plan) {
        let op = if negated { Operator::NotEq } else { Operator::Eq };
        return Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(value), op, Box::new(Expr::ScalarSubquery(subquery)))));
    }
    let is_nullable = plan.schema().field(0).is_nullable() || value.nullable(schema).unwrap_or(true);
    let is_planned = match asked {
        Asked::Holds => !negated || !is_correlated,
        Asked::IsTrue => !negated || !is_nullable,
        Asked::IsFalse => negated || !is_nullable,
        Asked::Value => !is_nullable,
    };
    // Trino compares the values that a filter's own condition finds, and looks up all others among those of the subquery: NaN is found there.
    let is_looked_up = (is_planned || !is_correlated) && (negated || asked != Asked::Holds);
    let (value, subquery) =
        match is_looked_up.then(|| found(&value, Operator::IsNotDistinctFrom, &subquery, schema)).transpose()? {
            Some(Some(keyed)) => keyed,
            _ => (value, subquery),
        };
    if is_planned {
        return Ok(Expr::InSubquery(InSubquery::new(Box::new(value), subquery, negated)));
    }
    if !can_repeat(&value) {
        return Err(unsupported("of a value computed by a subquery or a non-deterministic function"));
    }
    let asked_of_it = if negated { asked.negated() } else { asked };
    let member = if is_correlated {
        by_equality(&value, &subquery, asked_of_it, schema)?
    } else {
        let unmatched = unmatched(&value, &subquery.subquery)?;
        Expr::InSubquery(InSubquery::new(Box::new(value), subquery, false)).or(unmatched)
    };
    Ok(if negated { Expr::Not(Box::new(member)) } else { member })
}

/// What `value IN (plan)` is where no value of the plan equals it: it is the same for all values, so that the plan is read once.
fn unmatched(value: &Expr, plan: &LogicalPlan) -> Result<Expr> {
    let column = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let counts = [count(lit(COUNT_STAR_EXPANSION)), count(column)];
    let counted = LogicalPlanBuilder::from(plan.clone()).aggregate(Vec::<Expr>::new(), counts)?.build()?;
    let [rows, known] = [0, 1].map(|at| Expr::Column(Column::from(counted.schema().qualified_field(at))));
    let kind = when(rows.clone().eq(lit(0_i64)), lit(0_i64)).when(rows.eq(known), lit(1_i64)).otherwise(lit(2_i64))?;
    let kind = LogicalPlanBuilder::from(counted).project([kind.alias("kind")])?.build()?;
    let (none, all_known) = (lit(0_i64), lit(1_i64));
    let branches = [(none, lit(false)), (all_known, value.clone().is_null().and(unknown()))];
    let branches = branches.map(|(kind, then)| (Box::new(kind), Box::new(then))).into();
    Ok(Expr::Case(Case::new(Some(Box::new(scalar_subquery(Arc::new(kind)))), branches, Some(Box::new(unknown())))))
}

/// `value IN (subquery)` by whether there are rows for which the values are equal, or not known to differ.
fn by_equality(value: &Expr, subquery: &Subquery, asked: Asked, schema: &DFSchema) -> Result<Expr> {
    let plan = subquery.subquery.as_ref();
    let is_cut = plan.exists(|node| Ok(matches!(node, LogicalPlan::Limit(_)) && !node.all_out_ref_exprs().is_empty()))?;
    if is_cut {
        return Err(unsupported("that refers to the outer query and has a LIMIT"));
    }
    let column = Expr::Column(Column::from(plan.schema().qualified_field(0)));
    let equal = outer(value, schema)?.eq(column);
    let exists = |filter: Expr| -> Result<Expr> {
        let plan = LogicalPlanBuilder::from(plan.clone()).filter(filter)?.build()?;
        let outer_ref_columns = plan.all_out_ref_exprs();
        let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans.clone() };
        Ok(Expr::Exists(Exists::new(subquery, false)))
    };
    match asked {
        Asked::Holds | Asked::IsTrue => exists(equal),
        Asked::IsFalse => exists(equal.is_not_false()),
        Asked::Value => Ok(exists(equal.clone())?.or(exists(equal.is_null())?.and(unknown()))),
    }
}

/// Whether a plan gives one row, whatever there is: an aggregation of all.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_one_row(&alias.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    }
}

/// An expression as it is written inside a subquery.
fn outer(expr: &Expr, schema: &DFSchema) -> Result<Expr> {
    let outer = expr.clone().transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.field_from_column(&column)?);
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        }
        expr => Ok(Transformed::no(expr)),
    });
    outer.map(|outer| outer.data)
}

fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}

fn unsupported(what: &str) -> DataFusionError {
    to_datafusion(
        Error::unsupported(format!("IN (SELECT ...) {what} is not supported here"))
            .with_hint("Join with the subquery in FROM, or use EXISTS"),
    )
}
