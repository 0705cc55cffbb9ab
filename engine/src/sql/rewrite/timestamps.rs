//! The precision of timestamp literals: as many digits as are written, as in Trino. The planner would take nanoseconds for all of them, which
//! reach from 1677 to 2262 only.

use std::ops::ControlFlow;

use sqlparser::ast::{DataType, Expr, Query, TimezoneInfo, TypedString, Value, VisitMut, VisitorMut};

/// The digits of a second's fraction that the planner knows.
const PRECISIONS: [usize; 3] = [3, 6, 9];

/// Writes the precision of literals down.
pub(super) fn apply(query: &mut Query) {
    // It never breaks off.
    let _ = query.visit(&mut Timestamps);
}

struct Timestamps;

impl VisitorMut for Timestamps {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::TypedString(TypedString { data_type, value, .. }) = expr
            && let Value::SingleQuotedString(text) = &value.value
        {
            fill(data_type, digits(text));
        }
        ControlFlow::Continue(())
    }
}

fn fill(data_type: &mut DataType, digits: usize) {
    if let DataType::Timestamp(precision @ None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) = data_type {
        *precision = PRECISIONS.into_iter().find(|known| *known >= digits).or(Some(9)).map(|digits| digits as u64);
    }
}

/// The digits after the point.
fn digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count())
}
