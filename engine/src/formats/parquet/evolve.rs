//! How a file's columns become the table's: by Athena's rules for Parquet.
//!
//! A column that the file lacks reads as NULL; one that the table lacks is not read; order does not matter. Types may differ where no
//! value can be misread: integers among themselves and to decimal or double (a value that does not fit is an error), float to double,
//! decimals among themselves (as bytes too, however many they are), text and binary, timestamps of any precision. Everything else is refused, by name.
//! `TIMESTAMP` has milliseconds: finer values round half up, as in Athena, and a comparison is moved to the file's own precision, so
//! that statistics still prune. `VARCHAR(n)` truncates; `CHAR(n)` truncates and loses its padding.

mod compatible;
mod reshape;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::{
    common::{
        HashMap, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    functions::core::getfield::GetFieldFunc,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr, ScalarFunctionExpr,
        expressions::{BinaryExpr, Column, Literal, lit},
    },
    physical_expr_adapter::{DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory},
};
use glaux_catalog::HiveType;

use self::{
    compatible::{mismatch, reads_as},
    reshape::{How, Reshape, TextLength},
};
use super::metadata::{decimal_of, meaning};
use crate::error::to_datafusion;

/// Adapts expressions over the table's columns to each file's.
#[derive(Debug, Clone)]
pub(super) struct EvolveFactory {
    /// The lengths of `VARCHAR` and `CHAR` columns.
    lengths: Arc<HashMap<String, TextLength>>,
}

impl EvolveFactory {
    pub(super) fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a HiveType)>) -> Self {
        let length = |hive_type: &HiveType| match hive_type {
            HiveType::Varchar(length) => Some(TextLength { characters: *length as usize, is_padded: false }),
            HiveType::Char(length) => Some(TextLength { characters: *length as usize, is_padded: true }),
            _ => None,
        };
        let lengths = columns.filter_map(|(name, hive_type)| Some((name.to_owned(), length(hive_type)?)));
        Self { lengths: Arc::new(lengths.collect()) }
    }
}

impl PhysicalExprAdapterFactory for EvolveFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(file.fields().len());
        for (at, field) in file.fields().iter().enumerate() {
            places.entry(field.name()).or_insert(at);
        }
        // What is ours to convert, DataFusion's adapter must leave as it is in the file; and what has the table's type already, whether or not
        // the file allows NULL.
        let mut as_they_are = HashMap::new();
        let as_read = table.fields().iter().map(|field| {
            let Some(at) = places.get(field.name().as_str()) else { return Arc::clone(field) };
            let found = &file.fields()[*at];
            let is_converted = self.lengths.contains_key(field.name()) || is_ours(found, field.data_type());
            let is_same = found.data_type() == field.data_type();
            if is_same && !is_converted {
                as_they_are.insert(field.name().clone(), *at);
            }
            Arc::clone(if is_converted || is_same { found } else { field })
        });
        let as_read = Arc::new(Schema::new(as_read.collect::<Vec<FieldRef>>()));
        drop(places);
        let inner = DefaultPhysicalExprAdapterFactory.create(as_read, Arc::clone(&file))?;
        Ok(Arc::new(Evolve { table, file, lengths: Arc::clone(&self.lengths), as_they_are, inner }))
    }
}

#[derive(Debug)]
struct Evolve {
    table: SchemaRef,
    file: SchemaRef,
    lengths: Arc<HashMap<String, TextLength>>,
    /// Columns that are read as the file has them, and their places in it.
    as_they_are: HashMap<String, usize>,
    inner: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for Evolve {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        if let Some(column) = expr.downcast_ref::<Column>()
            && let Some(at) = self.as_they_are.get(column.name())
        {
            return Ok(Arc::new(Column::new(column.name(), *at)));
        }
        let rewritten = expr.transform_down(|expr| {
            if let Some(comparison) = expr.downcast_ref::<BinaryExpr>()
                && let Some(finer) = self.finer_comparison(comparison)
            {
                return Ok(Transformed::new(finer, true, TreeNodeRecursion::Jump));
            }
            if let Some(leaf) = self.field_access(&expr)? {
                return Ok(Transformed::new(leaf, true, TreeNodeRecursion::Jump));
            }
            let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            let Some((wanted, found)) = self.fields(column.name()) else { return Ok(Transformed::no(expr)) };
            if !reads_as(&meaning(found), wanted.data_type()) {
                return Err(to_datafusion(mismatch(wanted, found)));
            }
            let how = match self.lengths.get(column.name()) {
                Some(length) => How::Cut(*length),
                None if is_ours(found, wanted.data_type()) => match decimal_of(found) {
                    Some((_, scale)) => How::Number { scale, to: wanted.data_type().clone() },
                    None => How::To(wanted.data_type().clone()),
                },
                None => return Ok(Transformed::no(expr)),
            };
            Ok(Transformed::new(Arc::new(Reshape { child: expr, how }), true, TreeNodeRecursion::Jump))
        })?;
        self.inner.rewrite(rewritten.data)
    }
}

impl Evolve {
    /// The field of a column in the table and in the file.
    fn fields(&self, name: &str) -> Option<(&Field, &Field)> {
        Some((self.table.field_with_name(name).ok()?, self.file.field_with_name(name).ok()?))
    }

    /// `column.field` of a struct that is ours: the field is taken from the file's struct, so that only its column is read.
    fn field_access(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(access) = ScalarFunctionExpr::try_downcast_func::<GetFieldFunc>(expr.as_ref()) else { return Ok(None) };
        let Some((source, keys)) = access.args().split_first() else { return Ok(None) };
        let Some((wanted, found)) = source.downcast_ref::<Column>().and_then(|column| self.fields(column.name())) else {
            return Ok(None);
        };
        if !is_ours(found, wanted.data_type()) || !reads_as(found.data_type(), wanted.data_type()) {
            return Ok(None);
        }
        let (mut wanted, mut found) = (wanted, Some(found));
        for key in keys {
            let name = key.downcast_ref::<Literal>().and_then(|literal| literal.value().try_as_str().flatten());
            let (Some(name), DataType::Struct(fields)) = (name, wanted.data_type()) else { return Ok(None) };
            let Some((_, field)) = fields.find(name) else { return Ok(None) };
            wanted = field;
            found = match found.map(Field::data_type) {
                Some(DataType::Struct(fields)) => fields.find(name).map(|(_, field)| field.as_ref()),
                Some(_) => return Ok(None),
                None => None,
            };
        }
        let Some(found) = found else { return Ok(Some(lit(ScalarValue::try_from(wanted.data_type())?))) };
        let function = Arc::new(access.fun().clone());
        let settings = Arc::new(access.config_options().clone());
        let child: Arc<dyn PhysicalExpr> =
            Arc::new(ScalarFunctionExpr::try_new(function, self.over_file(access.args())?, &self.file, settings)?);
        Ok(Some(if found.data_type() == wanted.data_type() {
            child
        } else {
            Arc::new(Reshape { child, how: How::To(wanted.data_type().clone()) })
        }))
    }

    /// Arguments whose first is a column, with that column's place in the file.
    fn over_file(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        let place = |argument: &Arc<dyn PhysicalExpr>| match argument.downcast_ref::<Column>() {
            Some(column) => Ok(Arc::new(Column::new_with_schema(column.name(), &self.file)?) as Arc<dyn PhysicalExpr>),
            None => Ok(Arc::clone(argument)),
        };
        arguments.iter().map(place).collect()
    }

    /// `column op literal` over rounded milliseconds, as an equal comparison of the file's finer values.
    fn finer_comparison(&self, comparison: &BinaryExpr) -> Option<Arc<dyn PhysicalExpr>> {
        let (column, op, literal) =
            match (comparison.left().downcast_ref::<Column>(), comparison.right().downcast_ref::<Literal>()) {
                (Some(_), Some(literal)) => (comparison.left(), *comparison.op(), literal),
                _ => {
                    let literal = comparison.left().downcast_ref::<Literal>()?;
                    (comparison.right(), comparison.op().swap()?, literal)
                }
            };
        let (wanted, found) = self.fields(column.downcast_ref::<Column>()?.name())?;
        if !is_timestamp(wanted.data_type()) {
            return None;
        }
        let ScalarValue::TimestampMillisecond(Some(millis), None) = literal.value() else { return None };
        let DataType::Timestamp(unit, zone) = found.data_type() else { return None };
        let step: i64 = match unit {
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1_000_000,
            _ => return None,
        };
        // Rounding half up takes [low, high) to `millis`.
        let low = millis.checked_mul(step)?.checked_sub(step / 2)?;
        let high = low.checked_add(step)?;
        let at = |value: i64| -> Arc<dyn PhysicalExpr> {
            lit(match unit {
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(value), zone.clone()),
                _ => ScalarValue::TimestampNanosecond(Some(value), zone.clone()),
            })
        };
        let compare =
            |op: Operator, value: i64| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(Arc::clone(column), op, at(value))) };
        let both = |op, left, right| -> Arc<dyn PhysicalExpr> { Arc::new(BinaryExpr::new(left, op, right)) };
        Some(match op {
            Operator::Eq => both(Operator::And, compare(Operator::GtEq, low), compare(Operator::Lt, high)),
            Operator::NotEq => both(Operator::Or, compare(Operator::Lt, low), compare(Operator::GtEq, high)),
            Operator::Lt => compare(Operator::Lt, low),
            Operator::LtEq => compare(Operator::Lt, high),
            Operator::Gt => compare(Operator::GtEq, high),
            Operator::GtEq => compare(Operator::GtEq, low),
            _ => return None,
        })
    }
}

/// Whether a conversion is ours and not DataFusion's: it rounds, or goes into nested values.
fn is_ours(found: &Field, wanted: &DataType) -> bool {
    use DataType as T;
    match (found.data_type(), wanted) {
        _ if decimal_of(found).is_some() => true,
        (found, wanted) if found == wanted => false,
        (T::Struct(_), T::Struct(_)) | (T::List(_), T::List(_)) | (T::Map(..), T::Map(..)) => true,
        (T::Decimal32(_, from) | T::Decimal64(_, from) | T::Decimal128(_, from), T::Decimal128(_, to)) => from > to,
        (T::Decimal256(..), T::Decimal128(..)) => true,
        (found, wanted) => is_fine_timestamp(found) && is_timestamp(wanted),
    }
}

fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Millisecond, None))
}

fn is_fine_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _))
}
