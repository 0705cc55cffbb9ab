//! Which rows of a system table a query's filters allow, so that its source need not produce the others.
//!
//! Only what is certain: equalities, lists, ranges and prefixes of text, and ranges of times and numbers. Every filter is applied again to the rows (`scan`), so
//! that a source may always make more.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use chrono::{DateTime, Utc};
use datafusion::{
    logical_expr::{BinaryExpr, Expr, Like, Operator},
    scalar::ScalarValue,
};

use crate::lifecycle::{NumberBounds, TextBounds};

/// The rows that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Narrowing {
    /// By column, the texts that may pass; a column that is absent takes all.
    texts: BTreeMap<String, TextBounds>,
    /// By column, the earliest time that may pass.
    since: BTreeMap<String, DateTime<Utc>>,
    /// By column, the latest time that may pass.
    until: BTreeMap<String, DateTime<Utc>>,
    /// By column, the numbers that may pass.
    numbers: BTreeMap<String, NumberBounds>,
}

/// What one filter says.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    Text(String, TextBounds),
    Since(String, DateTime<Utc>),
    Until(String, DateTime<Utc>),
    Number(String, NumberBounds),
}

impl Narrowing {
    /// What filters that must all hold say together; those that say nothing are ignored.
    pub(super) fn of(filters: &[Expr]) -> Self {
        let mut narrowing = Self::default();
        for term in filters.iter().flat_map(terms) {
            match term {
                Term::Text(column, bounds) => {
                    let known = narrowing.texts.entry(column).or_default();
                    *known = std::mem::take(known).and(bounds);
                }
                Term::Since(column, time) => {
                    let known = narrowing.since.entry(column).or_insert(time);
                    *known = time.max(*known);
                }
                Term::Until(column, time) => {
                    let known = narrowing.until.entry(column).or_insert(time);
                    *known = time.min(*known);
                }
                Term::Number(column, bounds) => {
                    let known = narrowing.numbers.entry(column).or_default();
                    *known = known.and(bounds);
                }
            }
        }
        narrowing
    }

    /// Whether rows with this value may be wanted.
    pub(super) fn allows(&self, column: &str, value: &str) -> bool {
        self.texts.get(column).is_none_or(|bounds| bounds.allow(value))
    }

    /// The values that may be wanted, if that is narrowed.
    pub(super) fn values(&self, column: &str) -> Option<&BTreeSet<String>> {
        self.texts.get(column)?.values.as_ref()
    }

    /// What is said of texts, by column.
    pub(super) fn texts(&self) -> &BTreeMap<String, TextBounds> {
        &self.texts
    }

    /// What is said of numbers, by column.
    pub(super) fn numbers(&self) -> &BTreeMap<String, NumberBounds> {
        &self.numbers
    }

    /// The earliest time that may be wanted.
    pub(super) fn since(&self, column: &str) -> Option<DateTime<Utc>> {
        self.since.get(column).copied()
    }

    /// The latest time that may be wanted.
    pub(super) fn until(&self, column: &str) -> Option<DateTime<Utc>> {
        self.until.get(column).copied()
    }
}

fn terms(filter: &Expr) -> Vec<Term> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut both = terms(left);
            both.append(&mut terms(right));
            both
        }
        Expr::Between(between) if !between.negated => {
            let (of, low, high) = (&between.expr, &between.low, &between.high);
            let ranges = [from_to(of, Some(low), Some(high)), within(of, Some(low), Some(high))];
            since(of, low).into_iter().chain(until(of, high)).chain(ranges.into_iter().flatten()).collect()
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match text(filter) {
            Some(term) => vec![term],
            None => {
                let either = |time: fn(&Expr, &Expr) -> Option<Term>| time(left, right).or_else(|| time(right, left));
                let number = |of: &Expr, value: &Expr| within(of, Some(value), Some(value));
                either(since).into_iter().chain(either(until)).chain(either(number)).collect()
            }
        },
        other => text(other).or_else(|| prefix(other)).or_else(|| bound(other)).into_iter().collect(),
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
            Some(Term::Text(column.to_owned(), TextBounds::of([value.to_owned()].into())))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => match (text(left)?, text(right)?) {
            (Term::Text(column, bounds), Term::Text(other, more)) if column == other => {
                let (mut values, mut more) = (bounds.values?, more.values?);
                values.append(&mut more);
                Some(Term::Text(column, TextBounds::of(values)))
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated => {
            let values = list.list.iter().map(|value| literal(value).map(str::to_owned)).collect::<Option<_>>()?;
            Some(Term::Text(column(&list.expr)?.to_owned(), TextBounds::of(values)))
        }
        _ => None,
    }
}

/// `column LIKE 'x%'`: what comes before the first wildcard.
fn prefix(filter: &Expr) -> Option<Term> {
    let Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) = filter else {
        return None;
    };
    let beginning: String = literal(pattern)?.chars().take_while(|char| !matches!(char, '%' | '_' | '\\')).collect();
    if beginning.is_empty() {
        return None;
    }
    // The next text that does not begin so is let through too; it does no harm.
    let mut until = beginning.clone();
    let mut end = None;
    while let Some(last) = until.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            until.push(next);
            end = Some(until);
            break;
        }
    }
    let bounds = TextBounds { from: Some(beginning), until: end, ..TextBounds::default() };
    Some(Term::Text(column(expr)?.to_owned(), bounds))
}

/// `column >= bound` in any way of writing it.
fn bound(filter: &Expr) -> Option<Term> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    let (of, low, high) = match op {
        Operator::Gt | Operator::GtEq if column(left).is_some() => (left, Some(right), None),
        Operator::Gt | Operator::GtEq => (right, None, Some(left)),
        Operator::Lt | Operator::LtEq if column(left).is_some() => (left, None, Some(right)),
        Operator::Lt | Operator::LtEq => (right, Some(left), None),
        _ => return None,
    };
    let time = low.and_then(|low| since(of, low)).or_else(|| high.and_then(|high| until(of, high)));
    let (low, high): (Option<&Expr>, Option<&Expr>) = (low.map(AsRef::as_ref), high.map(AsRef::as_ref));
    time.or_else(|| from_to(of, low, high)).or_else(|| within(of, low, high))
}

fn since(of: &Expr, low: &Expr) -> Option<Term> {
    let Expr::Literal(low, _) = low else { return None };
    Some(Term::Since(column(of)?.to_owned(), time(low)?))
}

fn until(of: &Expr, high: &Expr) -> Option<Term> {
    let Expr::Literal(high, _) = high else { return None };
    Some(Term::Until(column(of)?.to_owned(), time(high)?))
}

/// A range of texts.
fn from_to(of: &Expr, low: Option<&Expr>, high: Option<&Expr>) -> Option<Term> {
    let text = |bound: Option<&Expr>| bound.and_then(literal).map(str::to_owned);
    let bounds = TextBounds { from: text(low), until: text(high), ..TextBounds::default() };
    (bounds != TextBounds::default()).then_some(Term::Text(column(of)?.to_owned(), bounds))
}

/// A range of numbers.
fn within(of: &Expr, low: Option<&Expr>, high: Option<&Expr>) -> Option<Term> {
    let Expr::Column(column) = of else { return None };
    let bounds = NumberBounds { from: low.and_then(number), until: high.and_then(number) };
    (bounds != NumberBounds::default()).then(|| Term::Number(column.name.clone(), bounds))
}

/// A whole number or a decimal, in 10^-18.
fn number(expr: &Expr) -> Option<i128> {
    const PLACES: u32 = 18;
    let Expr::Literal(value, _) = expr else { return None };
    let (value, places) = match *value {
        ScalarValue::Int8(value) => (i128::from(value?), 0),
        ScalarValue::Int16(value) => (i128::from(value?), 0),
        ScalarValue::Int32(value) => (i128::from(value?), 0),
        ScalarValue::Int64(value) => (i128::from(value?), 0),
        ScalarValue::UInt64(value) => (i128::from(value?), 0),
        ScalarValue::Decimal128(value, _, places) => (value?, u32::try_from(places).ok()?),
        _ => return None,
    };
    value.checked_mul(10_i128.checked_pow(PLACES.checked_sub(places)?)?)
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
        assert_eq!(both.values("d"), Some(&["x".to_owned()].into()));
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
            col("t").eq(lit("a")).or(col("t").gt(lit("b"))),
            col("t").like(lit("%a")),
            col("t").not_like(lit("a%")),
            col("t").ilike(lit("a%")),
            col("t").lt(col("d")),
        ] {
            assert_eq!(narrowed(filter.clone()), Narrowing::default(), "{filter}");
        }
    }

    #[test]
    fn the_latest_lower_bound_counts() {
        let at = |millis| lit(ScalarValue::TimestampMillisecond(Some(millis), None));
        let narrowing = Narrowing::of(&[col("s").gt(at(5)), at(9).lt_eq(col("s")), col("s").lt(at(50))]);
        assert_eq!(narrowing.since("s"), DateTime::from_timestamp_millis(9));
        assert_eq!(narrowing.until("s"), DateTime::from_timestamp_millis(50));
        let day = narrowed(col("day").eq(lit(ScalarValue::Date32(Some(2)))));
        assert_eq!(day.since("day"), DateTime::from_timestamp(2 * 86_400, 0));
        assert_eq!(day.until("day"), day.since("day"));
        assert_eq!(narrowed(col("s").lt(at(50))).since("s"), None);
        let between = narrowed(col("s").between(at(3), at(4)));
        assert_eq!(
            (between.since("s"), between.until("s")),
            (DateTime::from_timestamp_millis(3), DateTime::from_timestamp_millis(4))
        );
    }

    #[test]
    fn ranges_of_numbers_narrow() {
        let decimal = |value, places| lit(ScalarValue::Decimal128(Some(value), 38, places));
        let bounds = |filter: Expr| narrowed(filter).numbers().get("n").copied();
        let one = 10_i128.pow(18);
        let range = |from, until| Some(NumberBounds { from, until });
        assert_eq!(bounds(col("n").gt(lit(5_i64)).and(col("n").lt_eq(lit(9_i64)))), range(Some(5 * one), Some(9 * one)));
        assert_eq!(bounds(lit(5_i64).gt(col("n"))), range(None, Some(5 * one)));
        assert_eq!(bounds(col("n").eq(decimal(25, 2))), range(Some(one / 4), Some(one / 4)));
        assert_eq!(bounds(col("n").between(lit(1_i64), decimal(-3, 0))), range(Some(one), Some(-3 * one)));
        assert_eq!(bounds(col("n").gt(decimal(1, 0)).and(col("n").gt(lit(3_i64)))), range(Some(3 * one), None));
        for unsure in [decimal(i128::MAX, 0), decimal(1, 19), decimal(1, -1), lit(1.5), lit(ScalarValue::Int64(None))] {
            assert_eq!(bounds(col("n").gt(unsure.clone())), None, "{unsure}");
        }
        assert_eq!(bounds(col("n").not_eq(lit(5_i64))), None);
    }

    #[test]
    fn ranges_and_beginnings_of_text_narrow() {
        let range = narrowed(col("t").gt(lit("b")).and(lit("d").gt_eq(col("t"))));
        assert!(range.allows("t", "c") && !range.allows("t", "a") && !range.allows("t", "da"));
        for (pattern, inside, outside) in [
            ("ab%", ["ab", "ab\u{10FFFF}\u{10FFFF}"], ["aa", "ad"]),
            ("a_c", ["a", "azc"], ["b0", "A"]),
            ("\u{D7FF}%", ["\u{D7FF}", "\u{D7FF}x"], ["\u{D7FE}", "\u{E001}"]),
            ("a\u{10FFFF}%", ["a\u{10FFFF}", "a\u{10FFFF}x"], ["a", "bb"]),
        ] {
            let narrowing = narrowed(col("t").like(lit(pattern)));
            assert!(inside.iter().all(|text| narrowing.allows("t", text)), "{pattern}");
            assert!(outside.iter().all(|text| !narrowing.allows("t", text)), "{pattern}");
        }
    }
}
