//! A statement's parameters: their types, and how values are bound to them.
//!
//! A value is converted to the type that its place asks for if that loses nothing; otherwise it keeps its own type, and is compared or cast as any
//! value of that type would be. It is never reinterpreted: no number is a date, no timestamp a number of ticks of another unit.

mod inference;
mod kinds;

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UnionArray},
    compute::{CastOptions, cast_with_options, concat},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    util::display::FormatOptions,
};
use datafusion::{
    common::{ParamValues, ScalarValue},
    logical_expr::LogicalPlan,
};

use self::{
    inference::types,
    kinds::{declared, is_akin, is_other, taken_type},
};
use crate::{
    error::{Error, ErrorKind, Result},
    failure::{from_datafusion, type_name},
};

/// A value that does not fit is an error, never NULL.
const LOSSLESS: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The values of a statement's parameters, by position: one row or several, for each of which the statement is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters(Vec<ArrayRef>);

impl Parameters {
    /// How many rows of values a statement takes at once.
    pub const MAX_ROWS: usize = 1_000;

    /// The rows of batches of one schema: their first column is the first parameter, whatever the columns' names.
    ///
    /// # Errors
    /// `Invalid` if there is no row, or a value is too large for any type of the engine; `LimitExceeded` for more than [`Self::MAX_ROWS`];
    /// `Unsupported` for types that no value of the engine can have.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let Some(first) = batches.iter().find(|batch| batch.num_rows() > 0) else {
            return Err(Error::invalid("no values are bound").with_hint("Send a row of values"));
        };
        if rows > Self::MAX_ROWS {
            return Err(Error::new(
                ErrorKind::LimitExceeded,
                format!("{rows} rows of values are bound, but a statement takes at most {}", Self::MAX_ROWS),
            )
            .with_hint("Bind fewer rows at a time; rows for a table are ingested"));
        }
        let column = |at: usize| {
            let parts = batches.iter().filter(|batch| batch.num_rows() > 0).map(|batch| taken(batch.column(at)));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
            concat(&parts).map_err(|error| unlike(&error))
        };
        (0..first.num_columns()).map(column).collect::<Result<_>>().map(Self)
    }

    /// How many values a row has.
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
        match self.len() {
            0 => Ok(()),
            given => Err(Error::invalid(format!("the statement has no parameters, but {given} values were given"))
                .with_hint("Only queries have parameters")),
        }
    }

    /// How many rows there are; a statement without parameters is run once.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.first().map_or(1, Array::len)
    }

    /// For a statement that is run for one row alone.
    ///
    /// # Errors
    /// `Unsupported` if there are several.
    pub(super) fn one_row(&self) -> Result<()> {
        match self.rows() {
            1 => Ok(()),
            rows => Err(Error::unsupported(format!("EXPLAIN takes one row of values, not {rows}")).with_hint("Bind one row")),
        }
    }

    /// The plan with the values in their places, once for each row; `wanted` is how many parameters the statement has. All have one schema.
    ///
    /// # Errors
    /// `Invalid` if there are more or fewer values than that, or one does not fit its place.
    pub(super) fn bind(&self, plan: LogicalPlan, wanted: usize) -> Result<Vec<LogicalPlan>> {
        let given = self.len();
        if given != wanted {
            return Err(Error::invalid(format!("the statement has {wanted} parameters, but {given} values were given"))
                .with_hint("Bind one value for each ? in the statement"));
        }
        if wanted == 0 {
            return Ok(vec![plan]);
        }
        let types = types(&plan, wanted)?;
        for (number, (column, wanted)) in (1..).zip(self.0.iter().zip(&types)) {
            if is_other(column.data_type(), wanted) {
                let [found, wanted] = [column.data_type(), wanted].map(type_name);
                return Err(Error::invalid(format!("parameter {number} has type {found}, but {wanted} is expected"))
                    .with_hint("Bind a value of the expected type: numbers and times are not converted into each other"));
            }
        }
        let columns: Vec<_> = self.0.iter().zip(&types).map(|(column, wanted)| fitted(column, wanted)).collect();
        let row = |row| {
            let values = columns.iter().map(|column| ScalarValue::try_from_array(column, row));
            let values: Vec<_> = values.collect::<datafusion::error::Result<_>>()?;
            plan.clone().replace_params_with_values(&ParamValues::from(values))
        };
        (0..self.rows()).map(row).collect::<datafusion::error::Result<_>>().map_err(from_datafusion)
    }
}

/// A column of values in a type that values here can have, without loss.
fn taken(column: &ArrayRef) -> Result<ArrayRef> {
    // Some clients send every value as a union of the types that it could have.
    if let Some(union) = column.as_any().downcast_ref::<UnionArray>() {
        let values: Vec<_> = (0..union.len()).map(|row| union.value(row)).collect();
        let values: Vec<&dyn Array> = values.iter().map(|value| value.as_ref()).collect();
        return taken(&concat(&values).map_err(|error| unlike(&error))?);
    }
    let unsupported = || {
        Error::unsupported(format!("parameters of type \"{}\" are not supported", column.data_type()))
            .with_hint("Bind numbers, text, binary, booleans, dates, times, timestamps, decimals, lists or NULL")
    };
    let wanted = taken_type(column.data_type()).ok_or_else(unsupported)?;
    if wanted == *column.data_type() {
        return Ok(Arc::clone(column));
    }
    let cast = cast_with_options(column, &wanted, &LOSSLESS).map_err(|error| match error {
        ArrowError::NotYetImplemented(_) => unsupported(),
        error => lost(column.data_type(), &wanted).with_source(error),
    })?;
    // A day with a time in it is cut silently.
    if *column.data_type() == DataType::Date64
        && cast_with_options(&cast, column.data_type(), &LOSSLESS).is_ok_and(|back| &back != column)
    {
        return Err(lost(column.data_type(), &wanted));
    }
    Ok(cast)
}

fn lost(found: &DataType, wanted: &DataType) -> Error {
    Error::invalid(format!("a parameter of type \"{found}\" has a value that does not fit \"{wanted}\""))
        .with_hint("Bind it as a decimal, a timestamp or text, and CAST it in the statement")
}

fn unlike(error: &ArrowError) -> Error {
    Error::unsupported("the rows of a parameter have values of different types")
        .with_hint("Bind values of one type, or one row at a time")
        .with_source(Error::invalid(error.to_string()))
}

/// The plan with NULLs of the right types in the parameters' places, and those types: `Null` for a parameter whose type its place leaves open.
pub(super) fn describe(plan: LogicalPlan, count: usize) -> Result<(LogicalPlan, SchemaRef)> {
    let types = types(&plan, count)?;
    let fields: Vec<_> = (1..).zip(&types).map(|(at, wanted)| Field::new(format!("${at}"), declared(wanted), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    if count == 0 {
        return Ok((plan, schema));
    }
    let nulls: Result<Vec<_>, _> = types.iter().map(ScalarValue::try_from).collect();
    let nulls = ParamValues::from(nulls.map_err(from_datafusion)?);
    Ok((plan.replace_params_with_values(&nulls).map_err(from_datafusion)?, schema))
}

/// The values in the wanted type, if that loses nothing of any of them.
fn fitted(values: &ArrayRef, wanted: &DataType) -> ArrayRef {
    let own = values.data_type();
    if own == wanted || !is_akin(own, wanted) {
        return Arc::clone(values);
    }
    let there_and_back = || {
        let cast = cast_with_options(values, wanted, &LOSSLESS).ok()?;
        let back = cast_with_options(&cast, own, &LOSSLESS).ok()?;
        (values.null_count() == values.len() || &back == values).then_some(cast)
    };
    there_and_back().unwrap_or_else(|| Arc::clone(values))
}
