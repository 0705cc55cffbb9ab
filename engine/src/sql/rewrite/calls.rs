//! Functions that SQL writes in forms of their own, as calls: `x AT TIME ZONE z`, `TIMESTAMP '2024-01-01 00:00:00 Europe/Berlin'`,
//! `SUBSTRING(x FROM a FOR b)`, `CAST(x AS varchar(n))`; the parts of `EXTRACT` by the numbers that Trino gives them; and what Trino means where
//! arguments are left out.

use std::ops::ControlFlow;

use sqlparser::ast::{
    CastKind, CharacterLength, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, TimezoneInfo, TypedString, Value, ValueWithSpan, VisitMut,
    VisitorMut,
};

use crate::functions::{AT_TIMEZONE, TO_VARCHAR, TRY_TO_VARCHAR, WITH_TIMEZONE};

pub(super) fn apply(query: &mut Query) {
    // It never breaks off.
    let _ = query.visit(&mut Calls);
}

struct Calls;

impl VisitorMut for Calls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                call(AT_TIMEZONE, [timestamp, time_zone].map(|part| std::mem::replace(part.as_mut(), nothing())).into())
            }
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let parts = [Some(expr), Some(from), substring_for.as_mut()];
                let parts = parts.into_iter().flatten().map(|part| std::mem::replace(part.as_mut(), nothing()));
                call("substr", parts.collect())
            }
            Expr::Cast {
                kind, expr, data_type: DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. })), ..
            } => {
                let name = if *kind == CastKind::TryCast { TRY_TO_VARCHAR } else { TO_VARCHAR };
                let length = Expr::Value(ValueWithSpan::from(Value::Number(length.to_string(), false)));
                call(name, vec![std::mem::replace(expr.as_mut(), nothing()), length])
            }
            Expr::TypedString(literal) => match with_zone(literal) {
                Some(rewritten) => rewritten,
                None => return ControlFlow::Continue(()),
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

/// A timestamp's literal that names its zone, as a local time and its zone.
fn with_zone(literal: &TypedString) -> Option<Expr> {
    let TypedString { data_type: data_type @ DataType::Timestamp(_, zoned), value, uses_odbc_syntax } = literal else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    let (local, zone) = split_zone(text)?;
    let string = |text: &str| ValueWithSpan { value: Value::SingleQuotedString(text.to_owned()), span: value.span };
    let data_type = match (zoned, data_type) {
        (TimezoneInfo::None, data_type) => data_type.clone(),
        (_, DataType::Timestamp(precision, _)) => DataType::Timestamp(*precision, TimezoneInfo::None),
        _ => return None,
    };
    let local = TypedString { data_type, value: string(local), uses_odbc_syntax: *uses_odbc_syntax };
    Some(call(WITH_TIMEZONE, vec![Expr::TypedString(local), Expr::Value(string(zone))]))
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
