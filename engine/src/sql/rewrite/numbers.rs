//! Numbers with an exponent (`5e-1`, `1E300`) are doubles, as in Trino; the planner would make decimals of them. `DECIMAL '1.50'` has the precision and
//! scale of its digits, and a decimal without a precision has 38 digits; the planner would give both a scale of ten.

use std::ops::ControlFlow;

use sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, Query, TypedString, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};

/// The most digits of a decimal.
const MOST_DIGITS: usize = 38;

/// # Errors
/// `Invalid` for `DECIMAL '...'` of what is no decimal.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    match query.visit(&mut Numbers) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Numbers;

impl VisitorMut for Numbers {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Number(text, _), span }) if text.contains(['e', 'E']) => {
                let Ok(number) = text.parse::<f64>() else { return ControlFlow::Continue(()) };
                // In the form that every reader of numbers reads.
                let text = Value::SingleQuotedString(format!("{number:?}"));
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(Expr::Value(ValueWithSpan { value: text, span: *span })),
                    data_type: DataType::Double(ExactNumberInfo::None),
                    array: false,
                    format: None,
                };
            }
            Expr::TypedString(TypedString { data_type, value, .. }) => {
                let (Some(info), Value::SingleQuotedString(text)) = (decimal(data_type), &value.value) else {
                    return ControlFlow::Continue(());
                };
                let Some((precision, scale)) = digits(text) else {
                    let error = Error::invalid(format!("'{text}' is not a valid DECIMAL literal"));
                    let error = error.with_hint(format!("Write up to {MOST_DIGITS} digits, such as DECIMAL '-1.50'"));
                    return ControlFlow::Break(Box::new(error));
                };
                *info = ExactNumberInfo::PrecisionAndScale(precision, scale);
            }
            Expr::Cast { data_type, .. } => fill(data_type),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The precision and scale of a decimal.
fn decimal(data_type: &mut DataType) -> Option<&mut ExactNumberInfo> {
    match data_type {
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => Some(info),
        _ => None,
    }
}

fn fill(data_type: &mut DataType) {
    match data_type {
        DataType::Dec(info) => {
            *data_type = DataType::Decimal(*info);
            fill(data_type);
        }
        DataType::Decimal(info @ ExactNumberInfo::None) | DataType::Numeric(info @ ExactNumberInfo::None) => {
            *info = ExactNumberInfo::PrecisionAndScale(MOST_DIGITS as u64, 0);
        }
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => fill(item),
        DataType::Struct(fields, _) => fields.iter_mut().for_each(|field| fill(&mut field.field_type)),
        DataType::Map(key, value) => [key, value].into_iter().for_each(|part| fill(part)),
        _ => {}
    }
}

/// The precision and scale of a number as it is written; zeros before its first digit do not count.
fn digits(text: &str) -> Option<(u64, i64)> {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = whole.len() + fraction.len() > 0 && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let precision = (whole.trim_start_matches('0').len() + fraction.len()).max(1);
    (is_number && precision <= MOST_DIGITS).then_some((precision as u64, fraction.len() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_the_digits_that_are_written() {
        for (text, of) in [
            ("007.50", Some((3, 2))),
            ("0.5", Some((1, 1))),
            (".5", Some((1, 1))),
            ("5.", Some((1, 0))),
            ("-1.50", Some((3, 2))),
            ("+1", Some((1, 0))),
            ("00", Some((1, 0))),
            ("000.00", Some((2, 2))),
            ("12345678901234567890123456789012345678", Some((38, 0))),
            ("123456789012345678901234567890123456789", None),
            ("1e3", None),
            (" 1.5 ", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(digits(text), of, "{text}");
        }
    }
}
