//! How a file's columns become the table's: by Athena's rules for Parquet.
//!
//! A column that the file lacks reads as NULL; one that the table lacks is not read; order does not matter. Types may differ where no
//! value can be misread: integers among themselves and to decimal or double (a value that does not fit is an error), float to double,
//! decimals among themselves, text and binary, timestamps of any precision. Everything else is refused, by name.
//! `TIMESTAMP` has milliseconds: finer values round half up, as in Athena, and a comparison is moved to the file's own precision, so
//! that statistics still prune. `VARCHAR(n)` truncates; `CHAR(n)` truncates and loses its padding.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMillisecondArray},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType},
};
use datafusion::physical_expr_adapter::{DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory};
use datafusion::{
    common::{
        HashMap, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{ColumnarValue, Operator},
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, Literal, lit},
    },
};
use glaux_catalog::HiveType;

use crate::error::{Error, to_datafusion};

/// Adapts expressions over the table's columns to each file's.
#[derive(Debug)]
pub(super) struct EvolveFactory {
    /// The lengths of `VARCHAR` and `CHAR` columns.
    lengths: Arc<HashMap<String, TextLength>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TextLength {
    characters: usize,
    is_padded: bool,
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
        // Where a timestamp is finer than the table's, DataFusion's adapter must leave it alone: rounding is ours.
        let as_read = table.fields().iter().map(|field| match file.field_with_name(field.name()) {
            Ok(found) if is_fine_timestamp(found.data_type()) && is_timestamp(field.data_type()) => {
                Arc::new(field.as_ref().clone().with_data_type(found.data_type().clone()))
            }
            _ => Arc::clone(field),
        });
        let as_read = Arc::new(Schema::new(as_read.collect::<Vec<FieldRef>>()));
        let inner = DefaultPhysicalExprAdapterFactory.create(as_read, Arc::clone(&file))?;
        Ok(Arc::new(Evolve { table, file, lengths: Arc::clone(&self.lengths), inner }))
    }
}

#[derive(Debug)]
struct Evolve {
    table: SchemaRef,
    file: SchemaRef,
    lengths: Arc<HashMap<String, TextLength>>,
    inner: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for Evolve {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let rewritten = expr.transform_down(|expr| {
            if let Some(comparison) = expr.downcast_ref::<BinaryExpr>()
                && let Some(finer) = self.finer_comparison(comparison)
            {
                return Ok(Transformed::new(finer, true, TreeNodeRecursion::Jump));
            }
            let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            let Some((wanted, found)) = self.fields(column.name()) else { return Ok(Transformed::no(expr)) };
            if !reads_as(found.data_type(), wanted.data_type()) {
                return Err(to_datafusion(mismatch(wanted, found)));
            }
            if is_timestamp(wanted.data_type()) && is_fine_timestamp(found.data_type()) {
                return Ok(Transformed::new(
                    Arc::new(Reshape { child: expr, how: How::ToMillis }),
                    true,
                    TreeNodeRecursion::Jump,
                ));
            }
            if let Some(length) = self.lengths.get(column.name()) {
                return Ok(Transformed::new(
                    Arc::new(Reshape { child: expr, how: How::Cut(*length) }),
                    true,
                    TreeNodeRecursion::Jump,
                ));
            }
            Ok(Transformed::no(expr))
        })?;
        self.inner.rewrite(rewritten.data)
    }
}

impl Evolve {
    /// The field of a column in the table and in the file.
    fn fields(&self, name: &str) -> Option<(&Field, &Field)> {
        Some((self.table.field_with_name(name).ok()?, self.file.field_with_name(name).ok()?))
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

fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Millisecond, None))
}

fn is_fine_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _))
}

/// Whether values of a file's type can be read as the table's without misreading any.
fn reads_as(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    let is_text = |data_type: &DataType| {
        matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView)
    };
    match (found, wanted) {
        (found, wanted) if found == wanted => true,
        (T::Null, _) | (T::Timestamp(..), T::Timestamp(..)) | (T::Float32, T::Float64) => true,
        (found, wanted) if found.is_integer() => wanted.is_integer() || matches!(wanted, T::Float64 | T::Decimal128(..)),
        (T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..), T::Decimal128(..)) => true,
        (T::FixedSizeBinary(_), T::Binary) => true,
        (T::Struct(found), T::Struct(wanted)) => {
            wanted.iter().all(|wanted| match found.iter().find(|f| f.name() == wanted.name()) {
                Some(found) => reads_as(found.data_type(), wanted.data_type()),
                None => true,
            })
        }
        (T::List(found) | T::LargeList(found), T::List(wanted)) => reads_as(found.data_type(), wanted.data_type()),
        (T::Map(found, _), T::Map(wanted, _)) => match (found.data_type(), wanted.data_type()) {
            (T::Struct(found), T::Struct(wanted)) => {
                found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| reads_as(f.data_type(), w.data_type()))
            }
            _ => false,
        },
        (found, wanted) => is_text(found) && is_text(wanted),
    }
}

fn mismatch(wanted: &Field, found: &Field) -> Error {
    Error::corrupt(format!(
        "column \"{}\" is {} in the file but {} in the table",
        wanted.name(),
        found.data_type(),
        wanted.data_type()
    ))
    .with_hint("ALTER TABLE ... REPLACE COLUMNS gives the table the files' types; a table has one type a column")
}

/// What [`Reshape`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum How {
    /// A finer timestamp to milliseconds, rounding half up.
    ToMillis,
    /// Text to its declared length.
    Cut(TextLength),
}

/// Values as the table's type has them.
#[derive(Debug, Clone, Eq)]
struct Reshape {
    child: Arc<dyn PhysicalExpr>,
    how: How,
}

// By hand: a derived comparison of a trait object moves it.
impl PartialEq for Reshape {
    fn eq(&self, other: &Self) -> bool {
        self.child.eq(&other.child) && self.how == other.how
    }
}

impl Hash for Reshape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.child.hash(state);
        self.how.hash(state);
    }
}

impl fmt::Display for Reshape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::ToMillis => write!(f, "to_millis({})", self.child),
            How::Cut(length) => write!(f, "cut({}, {})", self.child, length.characters),
        }
    }
}

impl PhysicalExpr for Reshape {
    fn data_type(&self, _input: &Schema) -> Result<DataType> {
        Ok(match self.how {
            How::ToMillis => DataType::Timestamp(TimeUnit::Millisecond, None),
            How::Cut(_) => DataType::Utf8,
        })
    }

    fn nullable(&self, input: &Schema) -> Result<bool> {
        self.child.nullable(input)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.child.evaluate(batch)?.into_array(batch.num_rows())?;
        let reshaped: ArrayRef = match self.how {
            How::ToMillis => Arc::new(to_millis(&array)?),
            How::Cut(length) => Arc::new(cut(&array, length)?),
        };
        Ok(ColumnarValue::Array(reshaped))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.child]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let child = children.pop().unwrap_or_else(|| Arc::clone(&self.child));
        Ok(Arc::new(Self { child, how: self.how }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn to_millis(array: &ArrayRef) -> Result<TimestampMillisecondArray> {
    let half_up = |value: i64, step: i64| value.div_euclid(step) + i64::from(value.rem_euclid(step) >= step / 2);
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().unary(|value| half_up(value, 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().unary(|value| half_up(value, 1_000))
        }
        _ => cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?.as_primitive().clone(),
    })
}

fn cut(array: &ArrayRef, length: TextLength) -> Result<StringArray> {
    let text = cast(array, &DataType::Utf8)?;
    let cut = |value: &str| -> String {
        let end = value.char_indices().nth(length.characters).map_or(value.len(), |(end, _)| end);
        let value = &value[..end];
        if length.is_padded { value.trim_end_matches(' ').to_owned() } else { value.to_owned() }
    };
    Ok(text.as_string::<i32>().iter().map(|value| value.map(cut)).collect())
}
