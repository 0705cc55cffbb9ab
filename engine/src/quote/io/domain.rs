//! What a filter says of single columns: the values that they may have in rows that pass, as ranges. What it says of several at once is left out, and so
//! is what cannot be written as ranges.

use std::{cmp::Ordering, collections::BTreeMap, ops::Bound, sync::Arc};

use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr},
    },
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::value;

/// The values that a column may have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Domain {
    nulls: bool,
    /// In order, apart from each other.
    ranges: Vec<Range>,
}

/// Values from a least to a greatest one.
#[derive(Debug, Clone, PartialEq)]
struct Range {
    low: Bound<ScalarValue>,
    high: Bound<ScalarValue>,
}

/// What is known of columns, by name; those that are not in it may have any value.
type Domains = BTreeMap<String, Domain>;

/// What a filter says of columns.
pub(super) fn of(filter: Option<&Arc<dyn PhysicalExpr>>) -> Domains {
    filter.map(|filter| domains(filter.as_ref())).unwrap_or_default()
}

fn domains(expr: &dyn PhysicalExpr) -> Domains {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (left, right) = (binary.left().as_ref(), binary.right().as_ref());
        return match binary.op() {
            Operator::And => both(domains(left), &domains(right)),
            Operator::Or => either(&domains(left), &domains(right)),
            op => match (left.downcast_ref::<Column>(), right.downcast_ref::<Literal>()) {
                (Some(column), Some(literal)) => one(column, compared(*op, literal.value())),
                _ => match (left.downcast_ref::<Literal>(), right.downcast_ref::<Column>(), op.swap()) {
                    (Some(literal), Some(column), Some(op)) => one(column, compared(op, literal.value())),
                    _ => Domains::new(),
                },
            },
        };
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        let Some(column) = list.expr().downcast_ref::<Column>() else { return Domains::new() };
        let op = if list.negated() { Operator::NotEq } else { Operator::Eq };
        let each = list.list().iter().map(|item| compared(op, item.downcast_ref::<Literal>()?.value()));
        let Some(each) = each.collect::<Option<Vec<_>>>() else { return Domains::new() };
        let together = each.into_iter().reduce(|one, other| if list.negated() { one.and(&other) } else { one.or(&other) });
        return one(column, together);
    }
    if let Some(column) = expr.downcast_ref::<Column>() {
        return one(column, Some(Domain::of_values([ScalarValue::Boolean(Some(true))])));
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        let Some(column) = not.arg().downcast_ref::<Column>() else { return Domains::new() };
        return one(column, Some(Domain::of_values([ScalarValue::Boolean(Some(false))])));
    }
    if let Some(is_null) = expr.downcast_ref::<IsNullExpr>() {
        let Some(column) = is_null.arg().downcast_ref::<Column>() else { return Domains::new() };
        return one(column, Some(Domain { nulls: true, ranges: Vec::new() }));
    }
    if let Some(is_not_null) = expr.downcast_ref::<IsNotNullExpr>() {
        let Some(column) = is_not_null.arg().downcast_ref::<Column>() else { return Domains::new() };
        return one(column, Some(Domain::within(Bound::Unbounded, Bound::Unbounded)));
    }
    if let Some(like) = expr.downcast_ref::<LikeExpr>() {
        return like_prefix(like).unwrap_or_default();
    }
    Domains::new()
}

fn one(column: &Column, domain: Option<Domain>) -> Domains {
    domain.map(|domain| (column.name().to_owned(), domain)).into_iter().collect()
}

/// What holds if both hold.
fn both(mut left: Domains, right: &Domains) -> Domains {
    for (column, domain) in right {
        match left.get_mut(column) {
            Some(known) => *known = known.and(domain),
            None => _ = left.insert(column.clone(), domain.clone()),
        }
    }
    left
}

/// What holds if one of them holds: of columns that both speak of.
fn either(left: &Domains, right: &Domains) -> Domains {
    let shared = left.iter().filter_map(|(column, domain)| Some((column.clone(), domain.or(right.get(column)?))));
    shared.collect()
}

/// The values that compare so with one; nothing of floats that are told from others, since NaN lies in no range.
fn compared(op: Operator, value: &ScalarValue) -> Option<Domain> {
    if value.is_null() {
        return None;
    }
    let value = value.clone();
    let (any, at, beside) = (Bound::Unbounded, Bound::Included(value.clone()), Bound::Excluded(value.clone()));
    Some(match op {
        Operator::Eq => Domain::of_values([value]),
        Operator::NotEq if value.data_type().is_floating() => return None,
        Operator::NotEq => Domain::within(any.clone(), beside.clone()).or(&Domain::within(beside, any)),
        Operator::Lt => Domain::within(any, beside),
        Operator::LtEq => Domain::within(any, at),
        Operator::Gt => Domain::within(beside, any),
        Operator::GtEq => Domain::within(at, any),
        _ => return None,
    })
}

/// The texts that begin as a pattern does.
fn like_prefix(like: &LikeExpr) -> Option<Domains> {
    let column = like.expr().downcast_ref::<Column>()?;
    let pattern = like.pattern().downcast_ref::<Literal>()?.value();
    let text = pattern.try_as_str()??;
    if like.negated() || like.case_insensitive() || text.contains('\\') {
        return None;
    }
    let prefix = text.split(['%', '_']).next().filter(|prefix| !prefix.is_empty())?;
    let of_text = |text: String| ScalarValue::Utf8(Some(text)).cast_to(&pattern.data_type()).ok();
    if prefix.len() == text.len() {
        return Some(one(column, Some(Domain::of_values([of_text(text.to_owned())?]))));
    }
    let mut next = prefix.to_owned();
    let last = next.pop()?;
    next.push(char::from_u32(u32::from(last) + 1)?);
    let within = Domain::within(Bound::Included(of_text(prefix.to_owned())?), Bound::Excluded(of_text(next)?));
    Some(one(column, Some(within)))
}

impl Domain {
    /// These values.
    pub(super) fn of_values(values: impl IntoIterator<Item = ScalarValue>) -> Self {
        let (nulls, mut known): (Vec<_>, Vec<_>) = values.into_iter().partition(ScalarValue::is_null);
        known.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        let single = |value: ScalarValue| Range { low: Bound::Included(value.clone()), high: Bound::Included(value) };
        Self { nulls: !nulls.is_empty(), ranges: known.into_iter().map(single).collect() }
    }

    fn within(low: Bound<ScalarValue>, high: Bound<ScalarValue>) -> Self {
        Self { nulls: false, ranges: vec![Range { low, high }] }
    }

    /// Whether no value, and no NULL, is in it.
    pub(super) fn is_none(&self) -> bool {
        !self.nulls && self.ranges.is_empty()
    }

    /// Whether all values, and NULL, are in it.
    pub(super) fn is_all(&self) -> bool {
        self.nulls && self.ranges.iter().any(|range| range.low == Bound::Unbounded && range.high == Bound::Unbounded)
    }

    /// What is in both.
    fn and(&self, other: &Self) -> Self {
        let pairs = self.ranges.iter().flat_map(|one| other.ranges.iter().map(move |other| one.and(other)));
        Self { nulls: self.nulls && other.nulls, ranges: pairs.flatten().collect() }
    }

    /// What is in one of them.
    fn or(&self, other: &Self) -> Self {
        let mut ranges: Vec<Range> = self.ranges.iter().chain(&other.ranges).cloned().collect();
        ranges.sort_by(|one, other| lows(&one.low, &other.low));
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if last.reaches(&range.low) => {
                    if highs(&last.high, &range.high).is_lt() {
                        last.high = range.high;
                    }
                }
                _ => merged.push(range),
            }
        }
        Self { nulls: self.nulls || other.nulls, ranges: merged }
    }
}

impl Range {
    /// What is in both, if anything is.
    fn and(&self, other: &Self) -> Option<Self> {
        let low = if lows(&self.low, &other.low).is_ge() { &self.low } else { &other.low };
        let high = if highs(&self.high, &other.high).is_le() { &self.high } else { &other.high };
        let range = Self { low: low.clone(), high: high.clone() };
        (!range.is_empty()).then_some(range)
    }

    fn is_empty(&self) -> bool {
        let (Some(low), Some(high)) = (value_of(&self.low), value_of(&self.high)) else { return false };
        let are_apart = matches!((&self.low, &self.high), (Bound::Excluded(_), Bound::Excluded(_)));
        match low.partial_cmp(high) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => !matches!((&self.low, &self.high), (Bound::Included(_), Bound::Included(_))),
            // No whole number lies between two neighbours.
            Some(Ordering::Less) => are_apart && whole(low).zip(whole(high)).is_some_and(|(low, high)| high - low == 1),
            None => false,
        }
    }

    /// Whether a range that begins there goes on where this one ends, or before.
    fn reaches(&self, low: &Bound<ScalarValue>) -> bool {
        let (Some(end), Some(begin)) = (value_of(&self.high), value_of(low)) else { return true };
        match begin.partial_cmp(end) {
            Some(Ordering::Less) => true,
            Some(Ordering::Equal) => !matches!((&self.high, low), (Bound::Excluded(_), Bound::Excluded(_))),
            _ => false,
        }
    }
}

fn value_of(bound: &Bound<ScalarValue>) -> Option<&ScalarValue> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

/// A whole number, or a day.
fn whole(value: &ScalarValue) -> Option<i128> {
    Some(match value {
        ScalarValue::Int8(Some(value)) => i128::from(*value),
        ScalarValue::Int16(Some(value)) => i128::from(*value),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => i128::from(*value),
        ScalarValue::Int64(Some(value)) => i128::from(*value),
        _ => return None,
    })
}

/// Which of two ranges begins first.
fn lows(one: &Bound<ScalarValue>, other: &Bound<ScalarValue>) -> Ordering {
    compare(one, other, Ordering::Less)
}

/// Which of two ranges ends first.
fn highs(one: &Bound<ScalarValue>, other: &Bound<ScalarValue>) -> Ordering {
    compare(one, other, Ordering::Greater)
}

/// By their values; no bound is beyond all of them on its side, where one that leaves its value out is nearer.
fn compare(one: &Bound<ScalarValue>, other: &Bound<ScalarValue>, unbounded: Ordering) -> Ordering {
    match (value_of(one), value_of(other)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => unbounded,
        (Some(_), None) => unbounded.reverse(),
        (Some(value), Some(of_other)) => value.partial_cmp(of_other).unwrap_or(Ordering::Equal).then_with(|| {
            match (matches!(one, Bound::Excluded(_)), matches!(other, Bound::Excluded(_))) {
                (true, false) => unbounded.reverse(),
                (false, true) => unbounded,
                _ => Ordering::Equal,
            }
        }),
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("nullsAllowed", &self.nulls)?;
        map.serialize_entry("ranges", &self.ranges)?;
        map.end()
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("low", &Marker::of(&self.low, "ABOVE"))?;
        map.serialize_entry("high", &Marker::of(&self.high, "BELOW"))?;
        map.end()
    }
}

/// One end of a range, as the document has it.
#[derive(Serialize)]
struct Marker {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    bound: &'static str,
}

impl Marker {
    /// `open` is what it is called where its value is left out.
    fn of(bound: &Bound<ScalarValue>, open: &'static str) -> Self {
        let is_exact = matches!(bound, Bound::Included(_));
        Self { value: value_of(bound).map(value::text), bound: if is_exact { "EXACTLY" } else { open } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> ScalarValue {
        ScalarValue::Int64(Some(value))
    }

    fn told(domain: &Domain) -> String {
        let end = |bound: &Bound<ScalarValue>| value_of(bound).map_or_else(String::new, value::text);
        let range = |range: &Range| {
            let (open, close) = (
                if matches!(range.low, Bound::Included(_)) { '[' } else { '(' },
                if matches!(range.high, Bound::Included(_)) { ']' } else { ')' },
            );
            format!("{open}{},{}{close}", end(&range.low), end(&range.high))
        };
        let nulls = if domain.nulls { "NULL " } else { "" };
        format!("{nulls}{}", domain.ranges.iter().map(range).collect::<Vec<_>>().join(" "))
    }

    /// As Trino's documents have them: `answers.jsonl` among the front door's tests.
    #[test]
    fn ranges_are_joined_and_cut() {
        let of = |op, value| compared(op, &number(value)).unwrap();
        for (domain, expected) in [
            (of(Operator::NotEq, 1).and(&of(Operator::NotEq, 2)), "(,1) (2,)"),
            (of(Operator::NotEq, 1).and(&of(Operator::NotEq, 5)), "(,1) (1,5) (5,)"),
            (of(Operator::Eq, 5).or(&of(Operator::Eq, 1)), "[1,1] [5,5]"),
            (of(Operator::GtEq, 2).and(&of(Operator::LtEq, 3)), "[2,3]"),
            (of(Operator::Lt, 2).or(&of(Operator::GtEq, 2)), "(,)"),
            (of(Operator::Lt, 2).or(&of(Operator::Gt, 2)), "(,2) (2,)"),
            (of(Operator::Eq, 1).and(&of(Operator::Eq, 2)), ""),
            (of(Operator::Gt, 3).or(&Domain { nulls: true, ranges: Vec::new() }), "NULL (3,)"),
            (of(Operator::Gt, 3).or(&of(Operator::Eq, 3)), "[3,)"),
            (of(Operator::Lt, 9).and(&of(Operator::Lt, 4)).and(&of(Operator::LtEq, 4)), "(,4)"),
        ] {
            assert_eq!(told(&domain), expected);
        }
    }
}
