//! What a query's filters say about the rows it wants of a system table, so that its source need not make the others.
//!
//! Only what can be said for sure: equalities and lists of text, and lower bounds of times. DataFusion applies every filter again to the
//! rows, so that a source may always make more.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use datafusion::{
    logical_expr::{BinaryExpr, Expr, Operator},
    scalar::ScalarValue,
};

/// The rows that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Narrowing {
    /// By column, the values that may pass; a column that is absent takes all.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// By column, the earliest time that may pass.
    since: BTreeMap<String, DateTime<Utc>>,
}

/// What one filter says.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    Text(String, BTreeSet<String>),
    Since(String, DateTime<Utc>),
}

impl Narrowing {
    /// What filters that must all hold say together; those that say nothing are passed over.
    pub(super) fn of(filters: &[Expr]) -> Self {
        let mut narrowing = Self::default();
        for term in filters.iter().flat_map(terms) {
            match term {
                Term::Text(column, values) => {
                    let known = narrowing.texts.entry(column).or_insert_with(|| values.clone());
                    known.retain(|value| values.contains(value));
                }
                Term::Since(column, time) => {
                    let known = narrowing.since.entry(column).or_insert(time);
                    *known = time.max(*known);
                }
            }
        }
        narrowing
    }

    /// Whether a filter says something about one of these columns.
    pub(super) fn is_about(filter: &Expr, columns: &[&str]) -> bool {
        terms(filter).iter().any(|term| match term {
            Term::Text(column, _) | Term::Since(column, _) => columns.contains(&column.as_str()),
        })
    }

    /// Whether rows with this value may be wanted.
    pub(super) fn allows(&self, column: &str, value: &str) -> bool {
        self.texts.get(column).is_none_or(|values| values.contains(value))
    }

    /// The values that may be wanted, if that is narrowed.
    pub(super) fn values(&self, column: &str) -> Option<&BTreeSet<String>> {
        self.texts.get(column)
    }

    /// The one value that may be wanted, if there is just one.
    pub(super) fn only(&self, column: &str) -> Option<&str> {
        self.values(column).filter(|values| values.len() == 1).and_then(|values| values.first()).map(String::as_str)
    }

    /// The earliest time that may be wanted.
    pub(super) fn since(&self, column: &str) -> Option<DateTime<Utc>> {
        self.since.get(column).copied()
    }
}

fn terms(filter: &Expr) -> Vec<Term> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut both = terms(left);
            both.append(&mut terms(right));
            both
        }
        Expr::Between(between) if !between.negated => since(&between.expr, &between.low).into_iter().collect(),
        other => text(other).or_else(|| bound(other)).into_iter().collect(),
    }
}

/// `column = 'x'`, `column IN ('x', 'y')`, and the same joined by OR.
fn text(filter: &Expr) -> Option<Term> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (column, value) = match (column(left), column(right)) {
                (Some(column), None) => (column, literal(right)?),
                (None, Some(column)) => (column, literal(left)?),
                _ => return None,
            };
            Some(Term::Text(column.to_owned(), [value.to_owned()].into()))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => match (text(left)?, text(right)?) {
            (Term::Text(column, mut values), Term::Text(other, mut more)) if column == other => {
                values.append(&mut more);
                Some(Term::Text(column, values))
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated => {
            let values = list.list.iter().map(|value| literal(value).map(str::to_owned)).collect::<Option<_>>()?;
            Some(Term::Text(column(&list.expr)?.to_owned(), values))
        }
        _ => None,
    }
}

/// `column >= time` in any way of writing it, and `column = time`.
fn bound(filter: &Expr) -> Option<Term> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    match op {
        Operator::Gt | Operator::GtEq => since(left, right),
        Operator::Lt | Operator::LtEq => since(right, left),
        Operator::Eq => since(left, right).or_else(|| since(right, left)),
        _ => None,
    }
}

fn since(of: &Expr, low: &Expr) -> Option<Term> {
    let Expr::Literal(low, _) = low else { return None };
    Some(Term::Since(column(of)?.to_owned(), time(low)?))
}

/// A column, also within a cast that keeps the order and equality of its values.
fn column(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        Expr::Cast(cast) if keeps_values(cast.field.data_type()) => column(&cast.expr),
        _ => None,
    }
}

fn keeps_values(to: &DataType) -> bool {
    match to {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Timestamp(_, None) => true,
        DataType::Timestamp(_, Some(zone)) => is_utc(zone),
        _ => false,
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "+00:00" | "Etc/UTC")
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// A moment; one with a zone counts from the same beginning as one in UTC.
fn time(value: &ScalarValue) -> Option<DateTime<Utc>> {
    match value {
        ScalarValue::TimestampSecond(Some(value), _) => DateTime::from_timestamp(*value, 0),
        ScalarValue::TimestampMillisecond(Some(value), _) => DateTime::from_timestamp_millis(*value),
        ScalarValue::TimestampMicrosecond(Some(value), _) => DateTime::from_timestamp_micros(*value),
        ScalarValue::TimestampNanosecond(Some(value), _) => Some(DateTime::from_timestamp_nanos(*value)),
        ScalarValue::Date32(Some(days)) => DateTime::from_timestamp(i64::from(*days) * 86_400, 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn narrowed(filter: Expr) -> Narrowing {
        Narrowing::of(&[filter])
    }

    #[test]
    fn equalities_and_lists_narrow() {
        let both = narrowed(col("t").eq(lit("a")).or(lit("b").eq(col("t"))).and(col("d").in_list(vec![lit("x")], false)));
        assert!(both.allows("t", "a") && both.allows("t", "b") && !both.allows("t", "c"));
        assert_eq!((both.only("t"), both.only("d")), (None, Some("x")));
        let contradiction = Narrowing::of(&[col("t").eq(lit("a")), col("t").eq(lit("b"))]);
        assert!(!contradiction.allows("t", "a") && !contradiction.allows("t", "b"));
    }

    #[test]
    fn what_is_not_sure_does_not_narrow() {
        for filter in [
            col("t").eq(lit("a")).or(col("d").eq(lit("x"))),
            col("t").not_eq(lit("a")),
            col("t").in_list(vec![lit("a")], true),
            col("t").eq(col("d")),
            col("t").eq(lit("a")).or(col("n").gt(lit(1))),
            col("t").lt(lit("a")),
        ] {
            assert_eq!(narrowed(filter.clone()), Narrowing::default(), "{filter}");
        }
    }

    #[test]
    fn the_latest_lower_bound_counts() {
        let at = |millis| lit(ScalarValue::TimestampMillisecond(Some(millis), None));
        let narrowing = Narrowing::of(&[col("s").gt(at(5)), at(9).lt_eq(col("s")), col("s").lt(at(50))]);
        assert_eq!(narrowing.since("s"), DateTime::from_timestamp_millis(9));
        let day = narrowed(col("day").eq(lit(ScalarValue::Date32(Some(2)))));
        assert_eq!(day.since("day"), DateTime::from_timestamp(2 * 86_400, 0));
        assert_eq!(narrowed(col("s").lt(at(50))).since("s"), None);
    }
}
