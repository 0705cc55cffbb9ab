//! The types of parameters, as far as the expressions around them determine them.
//!
//! DataFusion looks at the other sides of operators. This file has the rest: casts, numbers of rows, truth values, the branches of `CASE`, lists,
//! and arguments of functions. A place that takes values of several kinds, such as the argument of `abs`, leaves the type open.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::{
    common::{
        DFSchema,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, Like, LogicalPlan, Operator, TryCast,
        expr::{InList, ScalarFunction},
        type_coercion::{binary::type_union_resolution, functions::fields_with_udf},
        utils::merge_schema,
    },
};

use super::kinds::declared;
use crate::{
    error::Result,
    failure::from_datafusion,
    functions::{TO_VARCHAR, TRY_TO_VARCHAR},
};

/// The types that a function is tried with, to find out which it takes.
const TRIED: [DataType; 7] = [
    DataType::Utf8,
    DataType::Int64,
    DataType::Float64,
    DataType::Boolean,
    DataType::Binary,
    DataType::Date32,
    DataType::Timestamp(TimeUnit::Millisecond, None),
];

/// Functions with more arguments are not tried.
const MAX_ARGUMENTS: usize = 16;

/// The types that the parameters' places ask for, by number; `Null` for a place that leaves it open.
pub(super) fn types(plan: &LogicalPlan, count: usize) -> Result<Vec<DataType>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let known = plan.get_parameter_types().map_err(from_datafusion)?;
    let known = known.into_iter().map(|(name, of)| (name, of.filter(|data_type| !data_type.is_null())));
    let mut places = Places(known.collect());
    let looked = plan.apply_with_subqueries(|node| {
        places.of_node(node);
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                places.of_expression(expr, &schema);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    looked.map_err(from_datafusion)?;
    Ok((1..=count).map(|at| places.0.remove(&format!("${at}")).flatten().unwrap_or(DataType::Null)).collect())
}

/// What is known so far, by the parameters' names.
struct Places(HashMap<String, Option<DataType>>);

impl Places {
    fn of_node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Limit(limit) => {
                for counted in [&limit.skip, &limit.fetch].into_iter().flatten() {
                    self.learn(counted, &DataType::Int64);
                }
            }
            LogicalPlan::Filter(filter) => self.learn(&filter.predicate, &DataType::Boolean),
            _ => {}
        }
    }

    fn of_expression(&mut self, expr: &Expr, schema: &DFSchema) {
        match expr {
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => self.learn(expr, field.data_type()),
            Expr::Not(truth) => self.learn(truth, &DataType::Boolean),
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
                self.learn(left, &DataType::Boolean);
                self.learn(right, &DataType::Boolean);
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => self.concatenated(&[left, right], schema),
            Expr::Like(Like { expr, pattern, .. }) => {
                self.learn(expr, &DataType::Utf8);
                self.learn(pattern, &DataType::Utf8);
            }
            Expr::Between(Between { expr, low, high, .. }) => self.alike(&[expr, low, high], schema),
            Expr::InList(InList { expr, list, .. }) => {
                let all: Vec<&Expr> = std::iter::once(expr.as_ref()).chain(list).collect();
                self.alike(&all, schema);
            }
            Expr::Case(case) => self.of_case(case, schema),
            Expr::ScalarFunction(call) => self.of_call(call, schema),
            _ => {}
        }
    }

    fn of_case(&mut self, case: &Case, schema: &DFSchema) {
        let conditions = case.when_then_expr.iter().map(|(condition, _)| condition.as_ref());
        match &case.expr {
            Some(subject) => {
                let compared: Vec<&Expr> = std::iter::once(subject.as_ref()).chain(conditions).collect();
                self.alike(&compared, schema);
            }
            None => {
                for condition in conditions {
                    self.learn(condition, &DataType::Boolean);
                }
            }
        }
        let results = case.when_then_expr.iter().map(|(_, result)| result.as_ref());
        let results: Vec<&Expr> = results.chain(case.else_expr.as_deref()).collect();
        self.alike(&results, schema);
    }

    fn of_call(&mut self, call: &ScalarFunction, schema: &DFSchema) {
        if !call.args.iter().any(is_unknown) {
            return;
        }
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match call.func.name() {
            TO_VARCHAR | TRY_TO_VARCHAR => self.learn(arguments[0], &DataType::Utf8),
            "coalesce" | "nullif" | "greatest" | "least" | "make_array" => self.alike(&arguments, schema),
            "concat" | "concat_ws" => self.concatenated(&arguments, schema),
            _ => self.tried(call, schema),
        }
    }

    /// Learns that the expressions have one type, if those of known types determine it.
    fn alike(&mut self, exprs: &[&Expr], schema: &DFSchema) {
        if !exprs.iter().any(|expr| is_unknown(expr)) {
            return;
        }
        let types = exprs.iter().filter_map(|expr| expr.get_type(schema).ok());
        let types: Vec<DataType> = types.filter(|data_type| !data_type.is_null()).collect();
        if let Some(common) = type_union_resolution(&types) {
            for expr in exprs {
                self.learn(expr, &common);
            }
        }
    }

    /// Learns that what is joined to text, or to nothing that has a type, is text.
    fn concatenated(&mut self, exprs: &[&Expr], schema: &DFSchema) {
        if !exprs.iter().any(|expr| is_unknown(expr)) {
            return;
        }
        let is_text = |expr: &&Expr| {
            let data_type = expr.get_type(schema);
            data_type.is_ok_and(|data_type| data_type.is_null() || data_type.is_string())
        };
        if exprs.iter().all(is_text) {
            for expr in exprs {
                self.learn(expr, &DataType::Utf8);
            }
        }
    }

    /// Learns what a function casts its argument to, if that is the same kind whatever it is given.
    fn tried(&mut self, call: &ScalarFunction, schema: &DFSchema) {
        let types: Result<Vec<DataType>, _> = call.args.iter().map(|argument| argument.get_type(schema)).collect();
        let Ok(types) = types else { return };
        if types.len() > MAX_ARGUMENTS {
            return;
        }
        for (at, argument) in call.args.iter().enumerate().filter(|(_, argument)| is_unknown(argument)) {
            let taken = TRIED.iter().filter_map(|tried| {
                let given = |(index, own): (usize, &DataType)| if index == at { tried.clone() } else { own.clone() };
                let fields = types.iter().enumerate().map(given).map(|given| Arc::new(Field::new("", given, true)));
                let coerced = fields_with_udf(&fields.collect::<Vec<_>>(), call.func.as_ref()).ok()?;
                Some(coerced.get(at)?.data_type().clone())
            });
            let taken: Vec<DataType> = taken.collect();
            if let Some(first) = taken.first()
                && taken.iter().all(|other| declared(other) == declared(first))
            {
                self.learn(argument, first);
            }
        }
    }

    /// Records the type of a parameter, if nothing else determines it.
    fn learn(&mut self, expr: &Expr, wanted: &DataType) {
        if let Expr::Placeholder(placeholder) = expr {
            self.0.entry(placeholder.id.clone()).or_default().get_or_insert_with(|| wanted.clone());
        }
    }
}

/// Whether it is a parameter whose type DataFusion does not know. Beside another such parameter it has the type of NULL.
fn is_unknown(expr: &Expr) -> bool {
    let Expr::Placeholder(placeholder) = expr else { return false };
    placeholder.field.as_ref().is_none_or(|field| field.data_type().is_null())
}
