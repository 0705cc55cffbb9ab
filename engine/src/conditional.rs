//! `AND` and `OR` from left to right: an operand that may fail is evaluated only for the rows that those before it leave open, as in Trino. DataFusion
//! evaluates both sides for all rows, unless few are left. Operands that never fail go first: planning changes their order.

mod fallible;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch},
    compute::{and_kleene, filter_record_batch, or_kleene},
    datatypes::{DataType, Schema},
};
use datafusion::{
    common::{
        Result, ScalarValue, internal_err,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{ColumnarValue, Operator},
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, LambdaExpr},
        utils::collect_columns,
    },
    physical_expr_common::utils::scatter,
};

pub(crate) use self::fallible::may_fail;

/// The same expression over such columns with its conditions evaluated from left to right where that matters; itself if it matters nowhere.
///
/// # Errors
/// If DataFusion does not take its own expressions.
pub(crate) fn lazily(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    // What a filter has found while the query runs, and what is evaluated for elements of arrays, is DataFusion's.
    if expr.is::<DynamicFilterPhysicalExpr>() || expr.is::<LambdaExpr>() {
        return Ok(Arc::clone(expr));
    }
    if let Some(op) = logical(expr) {
        return chain(expr, op, schema);
    }
    let children = expr.children();
    let rewritten = children.iter().map(|child| lazily(child, schema)).collect::<Result<Vec<_>>>()?;
    if children.iter().zip(&rewritten).all(|(child, rewritten)| Arc::ptr_eq(child, rewritten)) {
        return Ok(Arc::clone(expr));
    }
    Arc::clone(expr).with_new_children(rewritten)
}

/// `AND` or `OR`, if that is what an expression is.
fn logical(expr: &Arc<dyn PhysicalExpr>) -> Option<Operator> {
    let op = *expr.downcast_ref::<BinaryExpr>()?.op();
    matches!(op, Operator::And | Operator::Or).then_some(op)
}

/// Operands of one operator: those that never fail in their order, then the others in theirs.
fn chain(expr: &Arc<dyn PhysicalExpr>, op: Operator, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let operands = operands(expr, op);
    if !operands.iter().any(|operand| may_fail(operand, schema)) {
        return Ok(Arc::clone(expr));
    }
    let (mut safe, mut fallible) = (Vec::new(), Vec::new());
    for operand in operands {
        let rewritten = lazily(operand, schema)?;
        if may_fail(operand, schema) { &mut fallible } else { &mut safe }.push(rewritten);
    }
    let safe = safe.into_iter().reduce(|left, right| Arc::new(BinaryExpr::new(left, op, right)) as Arc<dyn PhysicalExpr>);
    let mut fallible = fallible.into_iter();
    let Some(mut whole) = safe.or_else(|| fallible.next()) else { return Ok(Arc::clone(expr)) };
    for operand in fallible {
        whole = Arc::new(Conditional::new(whole, op == Operator::And, operand)?);
    }
    Ok(whole)
}

/// What `a AND (b AND c) AND d` connects, in this order.
fn operands(expr: &Arc<dyn PhysicalExpr>, op: Operator) -> Vec<&Arc<dyn PhysicalExpr>> {
    let (mut operands, mut rest) = (Vec::new(), vec![expr]);
    while let Some(next) = rest.pop() {
        match next.downcast_ref::<BinaryExpr>().filter(|binary| *binary.op() == op) {
            Some(binary) => rest.extend([binary.right(), binary.left()]),
            None => operands.push(next),
        }
    }
    operands
}

/// Two conditions of which the second is evaluated only where the first leaves open what both are.
#[derive(Debug)]
struct Conditional {
    left: Arc<dyn PhysicalExpr>,
    /// Whether both have to hold, not one of them.
    is_and: bool,
    right: Arc<dyn PhysicalExpr>,
    /// The columns that the right side speaks of, ascending, and the right side over them alone.
    narrow: Option<(Vec<usize>, Arc<dyn PhysicalExpr>)>,
}

impl Conditional {
    fn new(left: Arc<dyn PhysicalExpr>, is_and: bool, right: Arc<dyn PhysicalExpr>) -> Result<Self> {
        let narrow = if right.exists(|part| Ok(part.is::<LambdaExpr>()))? { None } else { Some(narrowed(&right)?) };
        Ok(Self { left, is_and, right, narrow })
    }

    /// The right side where it is asked for, NULL elsewhere.
    fn right_of(&self, batch: &RecordBatch, open: &BooleanArray, asked: usize) -> Result<ArrayRef> {
        if asked == batch.num_rows() {
            return self.right.evaluate(batch)?.into_array(asked);
        }
        let values = match &self.narrow {
            Some((columns, right)) => right.evaluate(&filter_record_batch(&batch.project(columns)?, open)?)?,
            None => self.right.evaluate(&filter_record_batch(batch, open)?)?,
        };
        scatter(open, values.into_array(asked)?.as_ref())
    }
}

fn narrowed(expr: &Arc<dyn PhysicalExpr>) -> Result<(Vec<usize>, Arc<dyn PhysicalExpr>)> {
    let mut columns: Vec<usize> = collect_columns(expr).iter().map(Column::index).collect();
    columns.sort_unstable();
    columns.dedup();
    let narrow = Arc::clone(expr).transform_down(|part| {
        let place = part.downcast_ref::<Column>().and_then(|column| {
            let at = columns.binary_search(&column.index()).ok()?;
            Some(Column::new(column.name(), at))
        });
        Ok(match place {
            Some(column) => Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(part),
        })
    })?;
    Ok((columns, narrow.data))
}

impl PhysicalExpr for Conditional {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        Ok(self.left.nullable(schema)? || self.right.nullable(schema)?)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let left = match self.left.evaluate(batch)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(holds))) => {
                let decided = ColumnarValue::Scalar(ScalarValue::Boolean(Some(holds)));
                return if holds == self.is_and { self.right.evaluate(batch) } else { Ok(decided) };
            }
            left => left.into_array(batch.num_rows())?,
        };
        let Some(left) = left.as_boolean_opt() else { return internal_err!("a condition is neither true nor false") };
        let undecided = if self.is_and { left.values().clone() } else { !left.values() };
        let open = match left.nulls() {
            Some(nulls) => BooleanArray::new(&undecided | &!nulls.inner(), None),
            None => BooleanArray::new(undecided, None),
        };
        let asked = open.true_count();
        if asked == 0 {
            return Ok(ColumnarValue::Array(Arc::new(left.clone())));
        }
        let right = self.right_of(batch, &open, asked)?;
        let Some(right) = right.as_boolean_opt() else { return internal_err!("a condition is neither true nor false") };
        let both = if self.is_and { and_kleene(left, right)? } else { or_kleene(left, right)? };
        Ok(ColumnarValue::Array(Arc::new(both)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[Arc<dyn PhysicalExpr>; 2]>::try_from(children) {
            Ok([left, right]) => Ok(Arc::new(Self::new(left, self.is_and, right)?)),
            Err(children) => internal_err!("a condition has two sides, not {}", children.len()),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        self.left.fmt_sql(f)?;
        f.write_str(if self.is_and { " AND " } else { " OR " })?;
        self.right.fmt_sql(f)?;
        f.write_str(")")
    }
}

impl fmt::Display for Conditional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_and { "AND" } else { "OR" };
        write!(f, "{} {word} THEN {}", self.left, self.right)
    }
}

impl PartialEq for Conditional {
    fn eq(&self, other: &Self) -> bool {
        self.is_and == other.is_and && self.left.eq(&other.left) && self.right.eq(&other.right)
    }
}

impl Eq for Conditional {}

impl Hash for Conditional {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.left.hash(state);
        self.is_and.hash(state);
        self.right.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::Int64Array, datatypes::Field};
    use datafusion::physical_expr::expressions::{binary, col, lit};

    use super::*;

    /// `flag AND 6 / n > 1` or `flag OR 6 / n > 1`, over rows of a flag and a number.
    fn evaluated(op: Operator, rows: &[(Option<bool>, i64)]) -> Result<Vec<Option<bool>>> {
        let schema =
            Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("flag", DataType::Boolean, true)]));
        let flags: BooleanArray = rows.iter().map(|(flag, _)| *flag).collect();
        let numbers: Int64Array = rows.iter().map(|(_, number)| Some(*number)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers), Arc::new(flags)])?;
        let quotient = binary(lit(6_i64), Operator::Divide, col("n", &schema)?, &schema)?;
        let fallible = binary(quotient, Operator::Gt, lit(1_i64), &schema)?;
        let whole = lazily(&binary(col("flag", &schema)?, op, fallible, &schema)?, &schema)?;
        Ok(whole.evaluate(&batch)?.into_array(rows.len())?.as_boolean().iter().collect())
    }

    #[test]
    fn the_right_side_is_evaluated_where_the_left_does_not_decide() {
        let (yes, no, unknown) = (Some(true), Some(false), None);
        let and = |rows: &[_]| evaluated(Operator::And, rows);
        assert_eq!(and(&[(no, 0), (yes, 2), (yes, 6), (unknown, 2), (unknown, 6)]).unwrap(), [no, yes, no, unknown, no]);
        assert_eq!(and(&[(no, 0), (no, 0)]).unwrap(), [no, no]);
        assert!(and(&[(yes, 0), (no, 1)]).is_err());
        assert!(and(&[(unknown, 0), (no, 1)]).is_err());
        let or = |rows: &[_]| evaluated(Operator::Or, rows);
        assert_eq!(or(&[(yes, 0), (no, 2), (no, 6), (unknown, 2), (unknown, 6)]).unwrap(), [yes, yes, no, yes, unknown]);
        assert_eq!(or(&[(no, 2)]).unwrap(), [yes]);
        assert!(or(&[(no, 0), (yes, 1)]).is_err());
        assert!(and(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_never_fails_stays_and_goes_first() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Int64, true)]);
        let (a, b) = (col("a", &schema).unwrap(), col("b", &schema).unwrap());
        let compare = |left: &Arc<dyn PhysicalExpr>, op, right| binary(Arc::clone(left), op, right, &schema).unwrap();
        let and = |left, right| binary(left, Operator::And, right, &schema).unwrap();
        let (safe, other) = (compare(&a, Operator::Gt, lit(1_i64)), compare(&b, Operator::NotEq, lit(0_i64)));
        let plain = and(Arc::clone(&safe), Arc::clone(&other));
        assert!(Arc::ptr_eq(&lazily(&plain, &schema).unwrap(), &plain));
        let fallible = compare(&compare(&a, Operator::Divide, b), Operator::Gt, lit(1_i64));
        let whole = lazily(&and(and(fallible, safe), other), &schema).unwrap();
        assert_eq!(whole.to_string(), "a@0 > 1 AND b@1 != 0 AND THEN a@0 / b@1 > 1");
    }
}
