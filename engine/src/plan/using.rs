//! Plans joins with `USING` as Trino does: each column that is named there is one column of the result. It comes before all others, has the value of the
//! side that has one, and belongs to neither table. DataFusion would keep both sides' and show one of them.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::{
    common::{Column, DFSchema, Result, TableReference, plan_err},
    error::DataFusionError,
    logical_expr::{
        Expr, JoinType, LogicalPlan, LogicalPlanBuilder,
        planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning},
    },
};
use sqlparser::ast::{JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableAlias, TableFactor, TableWithJoins};

use crate::{
    error::{Error, ErrorKind},
    sql::rewrite::USING,
};

/// Plans the joins that `sql::rewrite` has put into parentheses for that.
#[derive(Debug)]
pub(super) struct UsingJoins;

impl RelationPlanner for UsingJoins {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let (table, alias) = match relation {
            TableFactor::NestedJoin { table_with_joins, alias: Some(alias) } if is_ours(&alias, &table_with_joins) => {
                (table_with_joins, alias)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let TableWithJoins { relation, mut joins } = *table;
        let Some((join, (join_type, names))) = joins.pop().and_then(|join| Some((join.relation, using(join.join_operator)?)))
        else {
            return plan_err!("a join with USING has nothing to join");
        };
        let left = match joins.is_empty() {
            true => relation,
            false => TableFactor::NestedJoin { table_with_joins: Box::new(TableWithJoins { relation, joins }), alias: None },
        };
        let (left, right) = (context.plan(left)?, context.plan(join)?);
        let names = names.iter().map(|name| name_of(name, context)).collect::<Result<Vec<_>>>()?;
        let qualifier = TableReference::bare(alias.name.value);
        let plan = joined(left, right, join_type, &names, &qualifier, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

fn is_ours(alias: &TableAlias, table: &TableWithJoins) -> bool {
    let is_using = |operator: &JoinOperator| using(operator.clone()).is_some();
    alias.name.value.starts_with(USING) && table.joins.last().is_some_and(|join| is_using(&join.join_operator))
}

fn using(operator: JoinOperator) -> Option<(JoinType, Vec<ObjectName>)> {
    let (join_type, constraint) = match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (JoinType::Inner, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinType::Left, constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (JoinType::Right, constraint),
        JoinOperator::FullOuter(constraint) => (JoinType::Full, constraint),
        _ => return None,
    };
    match constraint {
        JoinConstraint::Using(names) => Some((join_type, names)),
        _ => None,
    }
}

fn name_of(name: &ObjectName, context: &dyn RelationPlannerContext) -> Result<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Ok(context.normalize_ident(name.clone())),
        _ => plan_err!("USING names columns without their tables, not {name}"),
    }
}

fn joined(
    left: LogicalPlan,
    right: LogicalPlan,
    join_type: JoinType,
    names: &[String],
    qualifier: &TableReference,
    context: &dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (mut conditions, mut columns, mut merged) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let (left, left_field) = key(left.schema(), name, "left")?;
        let (right, right_field) = key(right.schema(), name, "right")?;
        merged.extend([left.clone(), right.clone()]);
        let (left, right) = (Expr::Column(left), Expr::Column(right));
        conditions.push(left.clone().eq(right.clone()));
        let value = match join_type {
            JoinType::Right if left_field.data_type() == right_field.data_type() => right,
            JoinType::Inner | JoinType::Left if left_field.data_type() == right_field.data_type() => left,
            _ => match context.context_provider().get_function_meta("coalesce") {
                Some(coalesce) => coalesce.call(vec![left, right]),
                None => return plan_err!("there is no function coalesce"),
            },
        };
        columns.push(value.alias_qualified(Some(qualifier.clone()), name));
    }
    let others = [&left, &right].map(|side| side.schema().columns()).concat();
    columns.extend(others.into_iter().filter(|column| !merged.contains(column)).map(Expr::Column));
    LogicalPlanBuilder::from(left).join_on(right, join_type, conditions)?.project(columns)?.build()
}

/// The column of a name of one side.
fn key<'a>(schema: &'a DFSchema, name: &str, side: &str) -> Result<(Column, &'a Arc<Field>)> {
    let mut found = schema.iter().filter(|(_, field)| field.name() == name);
    match (found.next(), found.next()) {
        (Some((qualifier, field)), None) => Ok((Column::new(qualifier.cloned(), name), field)),
        (None, _) => Err(ours(
            Error::new(ErrorKind::NotFound, format!("column \"{name}\" is missing from the {side} side of the join"))
                .with_hint("USING names columns that both sides have; write ON a.x = b.y for others"),
        )),
        (Some(_), Some(_)) => Err(ours(
            Error::invalid(format!("column '{name}' is ambiguous"))
                .with_hint(format!("Several columns of the {side} side of the join have that name: write ON a.x = b.x")),
        )),
    }
}

fn ours(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
