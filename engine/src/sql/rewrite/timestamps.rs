//! Completes the digits of timestamps' texts, and gives times and timestamps Trino's precision: a literal as many digits as it is written with, a type
//! without one milliseconds. The planner would use nanoseconds for all of them, which only reach from 1677 to 2262.

use std::ops::ControlFlow;

use sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Query, TimezoneInfo, TypedString, Value, VisitMut, VisitorMut};

use crate::functions::whole_text;

/// The digits of a type that names none.
const DEFAULT: usize = 3;

/// The digits of a second's fraction that the planner knows.
const PRECISIONS: [usize; 3] = [3, 6, 9];

/// Writes the precision of literals and types down.
pub(super) fn apply(query: &mut Query) {
    // It never breaks off.
    let _ = query.visit(&mut Timestamps);
}

struct Timestamps;

impl VisitorMut for Timestamps {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::TypedString(TypedString { data_type, value, .. }) => {
                if let Value::SingleQuotedString(text) = &mut value.value {
                    fill(data_type, digits(text));
                    if let (DataType::Timestamp(..), Some(whole)) = (data_type, whole_text(text)) {
                        *text = whole;
                    }
                }
            }
            Expr::Cast { data_type, .. } => fill(data_type, DEFAULT),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn fill(data_type: &mut DataType, digits: usize) {
    match data_type {
        DataType::Timestamp(precision @ None, _)
        | DataType::Time(precision @ None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            *precision = PRECISIONS.into_iter().find(|known| *known >= digits).or(Some(9)).map(|digits| digits as u64);
        }
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => fill(item, digits),
        DataType::Struct(fields, _) => fields.iter_mut().for_each(|field| fill(&mut field.field_type, digits)),
        DataType::Map(key, value) => [key, value].into_iter().for_each(|part| fill(part, digits)),
        _ => {}
    }
}

/// The digits after the point.
fn digits(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.bytes().take_while(u8::is_ascii_digit).count())
}
