//! A statement's parameters: of which types they are, and their values put in their places.
//!
//! A value takes the type that its place asks for, if it can without loss; otherwise it keeps its own, and is compared as any value of that
//! type would be.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UnionArray},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, SchemaRef},
    util::display::FormatOptions,
};
use datafusion::{
    common::{
        ParamValues, ScalarValue,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Cast, Expr, LogicalPlan, TryCast},
};

use super::output::plain;
use crate::error::{Error, Result, from_datafusion};
use crate::functions::{TO_VARCHAR, TRY_TO_VARCHAR};

/// A value that does not fit is an error, never NULL.
const LOSSLESS: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The values of a statement's parameters, by position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(Vec<ScalarValue>);

impl Parameters {
    /// One row of a batch: its first column is the first parameter, whatever the columns' names.
    ///
    /// # Errors
    /// `Invalid` if there is no such row; `Unsupported` for types that no value here can have.
    pub fn from_row(batch: &RecordBatch, row: usize) -> Result<Self> {
        if row >= batch.num_rows() {
            return Err(Error::invalid(format!("there is no row {row} of parameters, only {}", batch.num_rows())));
        }
        let value = |column: &ArrayRef| {
            // Some clients send every value as a union of the types that it could have.
            let column = match column.as_any().downcast_ref::<UnionArray>() {
                Some(union) => union.value(row),
                None => column.slice(row, 1),
            };
            let column = cast_with_options(&column, &plain(column.data_type()), &LOSSLESS);
            column.map_err(Into::into).and_then(|column| ScalarValue::try_from_array(&column, 0))
        };
        let values: datafusion::error::Result<Vec<_>> = batch.columns().iter().map(value).collect();
        values.map(Self).map_err(|error| {
            Error::unsupported("a parameter has a type that no value can have here")
                .with_hint("Bind numbers, text, binary, booleans, dates, timestamps, decimals, lists or NULL")
                .with_source(error)
        })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For a statement that has no parameters.
    ///
    /// # Errors
    /// `Invalid` if there are values.
    pub(super) fn none_wanted(&self) -> Result<()> {
        match self.0.len() {
            0 => Ok(()),
            given => Err(Error::invalid(format!("the statement has no parameters, and {given} values were given"))
                .with_hint("Only queries have parameters")),
        }
    }

    /// The plan with the values in their places; `wanted` is how many the statement has.
    ///
    /// # Errors
    /// `Invalid` if there are more or fewer values than that, or one cannot stand in its place.
    pub(super) fn bind(&self, plan: LogicalPlan, wanted: usize) -> Result<LogicalPlan> {
        let given = self.0.len();
        if given != wanted {
            return Err(Error::invalid(format!("the statement has {wanted} parameters, and {given} values were given"))
                .with_hint("Bind one value for every ? of the statement"));
        }
        if wanted == 0 {
            return Ok(plan);
        }
        let types = types(&plan, wanted)?;
        let values: Vec<_> = self.0.iter().zip(types).map(|(value, wanted)| fitted(value, &wanted)).collect();
        plan.replace_params_with_values(&ParamValues::from(values)).map_err(from_datafusion)
    }
}

/// The plan with NULLs of the right types in the parameters' places, and those types: `Null` for a parameter whose place does not tell.
pub(super) fn describe(plan: LogicalPlan, count: usize) -> Result<(LogicalPlan, SchemaRef)> {
    let types = types(&plan, count)?;
    let fields: Vec<_> = (1..).zip(&types).map(|(at, wanted)| Field::new(format!("${at}"), plain(wanted), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    if count == 0 {
        return Ok((plan, schema));
    }
    let nulls: Result<Vec<_>, _> = types.iter().map(ScalarValue::try_from).collect();
    let nulls = ParamValues::from(nulls.map_err(from_datafusion)?);
    Ok((plan.replace_params_with_values(&nulls).map_err(from_datafusion)?, schema))
}

/// The fields of parameters of which only the number is known.
pub(super) fn untyped(count: usize) -> SchemaRef {
    Arc::new(Schema::new((1..=count).map(|at| Field::new(format!("${at}"), DataType::Null, true)).collect::<Vec<_>>()))
}

/// The types that the parameters' places ask for, by number.
fn types(plan: &LogicalPlan, count: usize) -> Result<Vec<DataType>> {
    let mut known = plan.get_parameter_types().map_err(from_datafusion)?;
    // What the planner does not look at: numbers of rows, and the types that parameters are cast to.
    let looked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            for counted in [&limit.skip, &limit.fetch].into_iter().flatten() {
                learn(&mut known, counted, &DataType::Int64);
            }
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) = expr {
                    learn(&mut known, expr, field.data_type());
                }
                if let Expr::ScalarFunction(call) = expr
                    && [TO_VARCHAR, TRY_TO_VARCHAR].contains(&call.func.name())
                    && let Some(cast) = call.args.first()
                {
                    learn(&mut known, cast, &DataType::Utf8);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    looked.map_err(from_datafusion)?;
    Ok((1..=count).map(|at| known.remove(&format!("${at}")).flatten().unwrap_or(DataType::Null)).collect())
}

/// Notes the type of a parameter of which nothing else tells it.
fn learn(known: &mut HashMap<String, Option<DataType>>, expr: &Expr, wanted: &DataType) {
    if let Expr::Placeholder(placeholder) = expr {
        known.entry(placeholder.id.clone()).or_default().get_or_insert_with(|| wanted.clone());
    }
}

/// The value in the wanted type, if nothing of it is lost.
fn fitted(value: &ScalarValue, wanted: &DataType) -> ScalarValue {
    let own = value.data_type();
    if own == *wanted || *wanted == DataType::Null {
        return value.clone();
    }
    let there_and_back = || {
        let cast = value.cast_to_with_options(wanted, &LOSSLESS).ok()?;
        let back = cast.cast_to_with_options(&own, &LOSSLESS).ok()?;
        (back == *value || value.is_null()).then_some(cast)
    };
    there_and_back().unwrap_or_else(|| value.clone())
}
