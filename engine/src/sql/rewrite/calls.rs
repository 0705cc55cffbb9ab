//! Functions that SQL writes in forms of their own, as calls: `x AT TIME ZONE z`, `TIMESTAMP '2024-01-01 00:00:00 Europe/Berlin'`,
//! `SUBSTRING(x FROM a FOR b)`, `CAST(x AS varchar(n))`, `CAST(x AS char(n))`, and casts to types that have such ones within; the parts of
//! `EXTRACT` by the numbers that Trino gives them; and what Trino means where arguments are left out.

use std::ops::ControlFlow;

use sqlparser::ast::{
    ArrayElemTypeDef, CastKind, CharacterLength, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, TimezoneInfo, TypedString, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};

use crate::{
    error::{Error, Result},
    functions::{AT_TIMEZONE, CUT_TEXTS, TO_CHAR, TO_VARCHAR, TRY_TO_VARCHAR, WITH_TIMEZONE, is_left_out, whole_text},
};

/// # Errors
/// `Invalid` for a timestamp's literal that its zone's clocks never show.
pub(super) fn apply(query: &mut Query) -> Result<()> {
    match query.visit(&mut Calls) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Calls;

impl VisitorMut for Calls {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        let rewritten = match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                call(AT_TIMEZONE, [timestamp, time_zone].map(|part| std::mem::replace(part.as_mut(), nothing())).into())
            }
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let parts = [Some(expr), Some(from), substring_for.as_mut()];
                let parts = parts.into_iter().flatten().map(|part| std::mem::replace(part.as_mut(), nothing()));
                call("substr", parts.collect())
            }
            Expr::Cast { kind, expr: inner, data_type, .. } => match length(data_type) {
                Some((is_char, length)) => {
                    let name = match (is_char, kind) {
                        (true, _) => TO_CHAR,
                        (false, CastKind::TryCast) => TRY_TO_VARCHAR,
                        (false, _) => TO_VARCHAR,
                    };
                    let length = Expr::Value(ValueWithSpan::from(Value::Number(length.to_string(), false)));
                    call(name, vec![std::mem::replace(inner.as_mut(), nothing()), length])
                }
                None => {
                    let mut of = Vec::new();
                    bounds(data_type, &mut of);
                    if of.iter().all(|bound| bound == UNBOUNDED) {
                        return ControlFlow::Continue(());
                    }
                    let of = Expr::Value(ValueWithSpan::from(Value::SingleQuotedString(of.join(","))));
                    call(CUT_TEXTS, vec![std::mem::replace(expr, nothing()), of])
                }
            },
            Expr::TypedString(literal) => match with_zone(literal) {
                Ok(Some(rewritten)) => rewritten,
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => return ControlFlow::Break(Box::new(error)),
            },
            Expr::Function(function) => {
                complete(function);
                return ControlFlow::Continue(());
            }
            Expr::Extract { field, .. } => {
                part(field);
                return ControlFlow::Continue(());
            }
            _ => return ControlFlow::Continue(()),
        };
        *expr = rewritten;
        ControlFlow::Continue(())
    }
}

/// Whether a type is `char(n)` or `varchar(n)`, and the length. A `char` without one is a single character.
fn length(data_type: &DataType) -> Option<(bool, u64)> {
    let of = |length: &CharacterLength| match length {
        CharacterLength::IntegerLength { length, .. } => Some(*length),
        CharacterLength::Max => None,
    };
    match data_type {
        DataType::Varchar(Some(length)) => Some((false, of(length)?)),
        DataType::Char(length) | DataType::Character(length) => Some((true, length.as_ref().map_or(Some(1), of)?)),
        _ => None,
    }
}

const UNBOUNDED: &str = "-";

/// The bounds of the texts in a type, for `cut_texts`.
fn bounds(data_type: &DataType, of: &mut Vec<String>) {
    match data_type {
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => bounds(item, of),
        DataType::Struct(fields, _) => fields.iter().for_each(|field| bounds(&field.field_type, of)),
        DataType::Map(key, value) => [key, value].into_iter().for_each(|part| bounds(part, of)),
        other => of.push(match length(other) {
            Some((true, length)) => format!("c{length}"),
            Some((false, length)) => format!("v{length}"),
            None => UNBOUNDED.to_owned(),
        }),
    }
}

fn nothing() -> Expr {
    Expr::Value(ValueWithSpan::from(Value::Null))
}

pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Says what Trino means and the planner's function of the same name does not where arguments are left out.
fn complete(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return };
    if name.value == COALESCE {
        flatten(&mut list.args);
    }
    let left_out: &[&str] = match (name.value.as_str(), list.args.len()) {
        ("array_sort", 1) => &["ASC", "NULLS LAST"],
        // All matches are replaced.
        ("regexp_replace", 2) => &["", "g"],
        ("regexp_replace", 3) => {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(replacement))) = &mut list.args[2]
                && let Value::SingleQuotedString(text) = &mut replacement.value
            {
                *text = with_braces(text);
            }
            &["g"]
        }
        _ => return,
    };
    list.args.extend(left_out.iter().map(|text| {
        let text = Expr::Value(ValueWithSpan::from(Value::SingleQuotedString((*text).to_owned())));
        FunctionArg::Unnamed(FunctionArgExpr::Expr(text))
    }));
}

const COALESCE: &str = "coalesce";

/// `coalesce(coalesce(a, b), c)` as `coalesce(a, b, c)`: each argument but the last is planned twice.
fn flatten(args: &mut Vec<FunctionArg>) {
    for mut argument in std::mem::take(args) {
        match coalesced(&mut argument) {
            Some(inner) => args.append(inner),
            None => args.push(argument),
        }
    }
}

/// The arguments of a call of `coalesce`.
fn coalesced(argument: &mut FunctionArg) -> Option<&mut Vec<FunctionArg>> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) = argument else { return None };
    match (function.name.0.as_slice(), &mut function.args) {
        ([ObjectNamePart::Identifier(name)], FunctionArguments::List(list)) if name.value == COALESCE => Some(&mut list.args),
        _ => None,
    }
}

/// A replacement whose groups end where their digits end: `$1a` is the first group and an `a`; `\$` is no group.
fn with_braces(replacement: &str) -> String {
    let mut written = String::with_capacity(replacement.len() + 4);
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        let (before, group) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('\\') {
            written.extend([before, "$$"]);
            rest = &group[1..];
            continue;
        }
        let digits = group[1..].bytes().take_while(u8::is_ascii_digit).count();
        written.push_str(before);
        match digits {
            0 => written.push('$'),
            _ => written.extend(["${", &group[1..=digits], "}"]),
        }
        rest = &group[1 + digits..];
    }
    written + rest
}

/// A timestamp's literal that names its zone, as a local time and its zone; nothing if it names none.
///
/// # Errors
/// `Invalid` for a time that the zone's clocks never show.
fn with_zone(literal: &TypedString) -> Result<Option<Expr>> {
    let TypedString { data_type: DataType::Timestamp(precision, _), value, uses_odbc_syntax } = literal else { return Ok(None) };
    let Value::SingleQuotedString(text) = &value.value else { return Ok(None) };
    let Some((local, zone)) = split_zone(text) else { return Ok(None) };
    let local = whole_text(local).unwrap_or_else(|| local.to_owned());
    if is_left_out(&local, zone) {
        let error = Error::invalid(format!("'{text}' is not a valid TIMESTAMP literal"));
        return Err(error.with_hint(format!("Clocks in {zone} skip this time: use one that exists")));
    }
    let string = |text: String| ValueWithSpan { value: Value::SingleQuotedString(text), span: value.span };
    let data_type = DataType::Timestamp(*precision, TimezoneInfo::None);
    let zone = Expr::Value(string(zone.to_owned()));
    let local = TypedString { data_type, value: string(local), uses_odbc_syntax: *uses_odbc_syntax };
    Ok(Some(call(WITH_TIMEZONE, vec![Expr::TypedString(local), zone])))
}

/// `2024-01-01 00:00:00.000 Europe/Berlin` as its two parts; nothing if it names no zone.
fn split_zone(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    // Behind the year, month and day.
    let (date, rest) = text.split_at_checked(10)?;
    let is_time = |character: char| character.is_ascii_digit() || matches!(character, ':' | '.' | ' ');
    let end = rest.find(|character| !is_time(character))?;
    let (time, zone) = rest.split_at(end);
    let is_zone =
        zone.starts_with(['+', '-']) || zone.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    let is_date = date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    // A `T` between date and time is no zone.
    let is_iso = zone.starts_with('T') && time.is_empty();
    (is_zone && is_date && !is_iso).then(|| (text[..10 + time.len()].trim_end(), zone))
}

/// Trino counts weekdays from Monday, 1, to Sunday, 7, under two names.
fn part(field: &mut DateTimeField) {
    let instead = match field {
        DateTimeField::Dow | DateTimeField::DayOfWeek => DateTimeField::Isodow,
        DateTimeField::DayOfYear => DateTimeField::Doy,
        DateTimeField::Custom(name) => match name.value.to_lowercase().as_str() {
            "day_of_week" => DateTimeField::Isodow,
            "day_of_year" => DateTimeField::Doy,
            "day_of_month" => DateTimeField::Day,
            "year_of_week" | "yow" => DateTimeField::Isoyear,
            _ => return,
        },
        _ => return,
    };
    *field = instead;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_replacements_end_with_their_digits() {
        for (replacement, written) in [("$1a$12", "${1}a${12}"), ("${name}$", "${name}$"), ("plain", "plain"), (r"a\$1", "a$$1")]
        {
            assert_eq!(with_braces(replacement), written);
        }
    }

    #[test]
    fn zones_of_literals_are_told_from_their_times() {
        for (text, parts) in [
            ("2020-01-01 00:00:00 UTC", Some(("2020-01-01 00:00:00", "UTC"))),
            ("2020-01-01 00:00:00.123 America/New_York", Some(("2020-01-01 00:00:00.123", "America/New_York"))),
            ("2020-01-01 00:00:00+05:30", Some(("2020-01-01 00:00:00", "+05:30"))),
            ("2020-01-01 00:00 -08:00", Some(("2020-01-01 00:00", "-08:00"))),
            ("2020-01-01 Z", Some(("2020-01-01", "Z"))),
            ("2020-01-01 00:00:00", None),
            ("2020-01-01", None),
            ("2020-01-01T00:00:00", None),
            ("soon", None),
        ] {
            assert_eq!(split_zone(text), parts, "{text}");
        }
    }
}
