//! `CREATE WORKGROUP`, `ALTER WORKGROUP` and `DROP WORKGROUP`, with settings in Trino's syntax of properties. Names that are quoted are not folded.

use glaux_catalog::model::{SettingValue, WORKGROUP_SETTINGS, WorkgroupSetting, WorkgroupSettings};
use sqlparser::tokenizer::Token;

use super::{
    cursor::Cursor,
    position::syntax,
    statement::{AlterWorkgroup, CreateWorkgroup, Statement},
};
use crate::error::{Error, Result, nearest};

/// From behind `CREATE WORKGROUP`.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let name = name(cursor)?;
    let comment = if cursor.eat_word("COMMENT") { Some(cursor.string()?) } else { None };
    let settings = if cursor.eat_word("WITH") { assignments(cursor)? } else { Vec::new() };
    Ok(Statement::CreateWorkgroup(CreateWorkgroup { name, if_not_exists, comment, settings }))
}

/// From behind `ALTER WORKGROUP`.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let name = name(cursor)?;
    let action = match cursor.eat_any(&["SET", "RESET", "ENABLE", "DISABLE"]) {
        Some("SET") if cursor.eat_word("COMMENT") => AlterWorkgroup::SetComment(cursor.string()?),
        Some("SET") => AlterWorkgroup::Set(assignments(cursor)?),
        Some("RESET") => AlterWorkgroup::Reset(cursor.parenthesised(|cursor| setting(cursor).map(|setting| setting.name))?),
        Some("ENABLE") => AlterWorkgroup::Enable,
        Some(_) => AlterWorkgroup::Disable,
        None => return Err(cursor.unexpected(&["'SET'", "'RESET'", "'ENABLE'", "'DISABLE'"])),
    };
    Ok(Statement::AlterWorkgroup { name, action })
}

/// From behind `DROP WORKGROUP`.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_exists = cursor.if_exists();
    Ok(Statement::DropWorkgroup { name: name(cursor)?, if_exists })
}

/// The name of a workgroup. Other characters than those of names have to be quoted.
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<String> {
    let name = cursor.case_sensitive_name()?;
    if [Token::Minus, Token::Period].iter().any(|token| cursor.at_token(token)) {
        return Err(cursor.unexpected(&["<EOF>"]).with_hint("Quote names with dots and hyphens: \"my-team\""));
    }
    Ok(name)
}

/// `(setting = value, ...)`.
fn assignments(cursor: &mut Cursor<'_>) -> Result<Vec<(&'static str, SettingValue)>> {
    let mut tried = WorkgroupSettings::default();
    let mut settings: Vec<(&'static str, SettingValue)> = Vec::new();
    cursor.parenthesised(|cursor| {
        let place = cursor.place();
        let setting = setting(cursor)?;
        if settings.iter().any(|(other, _)| *other == setting.name) {
            return Err(syntax(place, &format!("setting {} is given twice", setting.name)));
        }
        cursor.expect(&Token::Eq)?;
        let value = value(cursor)?;
        setting.set(&mut tried, &value)?;
        settings.push((setting.name, setting.get(&tried).unwrap_or(value)));
        Ok(())
    })?;
    Ok(settings)
}

fn setting(cursor: &mut Cursor<'_>) -> Result<&'static WorkgroupSetting> {
    let name = cursor.name()?;
    WorkgroupSetting::find(&name).ok_or_else(|| {
        let error = Error::invalid(format!("workgroups have no setting \"{name}\""));
        let names = || WORKGROUP_SETTINGS.iter().map(|setting| setting.name);
        error.with_hint(match nearest(&name, names()) {
            Some(near) => format!("The nearest name is \"{near}\""),
            None => format!("The settings are {}", names().collect::<Vec<_>>().join(", ")),
        })
    })
}

/// A string, a number, `TRUE`, `FALSE`, or an `ARRAY` of them.
fn value(cursor: &mut Cursor<'_>) -> Result<SettingValue> {
    if cursor.eat_word("ARRAY") {
        cursor.expect(&Token::LBracket)?;
        let mut items = Vec::new();
        while !cursor.eat(&Token::RBracket) {
            if !items.is_empty() && !cursor.eat(&Token::Comma) {
                return Err(cursor.unexpected(&["','", "']'"]));
            }
            items.push(scalar(cursor)?);
        }
        return Ok(SettingValue::List(items));
    }
    scalar(cursor)
}

fn scalar(cursor: &mut Cursor<'_>) -> Result<SettingValue> {
    if cursor.at_string() {
        return cursor.string().map(SettingValue::Text);
    }
    if let Some(word) = cursor.eat_any(&["TRUE", "FALSE"]) {
        return Ok(SettingValue::Boolean(word == "TRUE"));
    }
    // Whether a setting takes a negative number is said with the values that it takes.
    let sign = if cursor.eat(&Token::Minus) { "-" } else { "" };
    match cursor.peek().map(|spanned| &spanned.token) {
        Some(Token::Number(digits, _)) => {
            let number = SettingValue::Number(format!("{sign}{digits}"));
            cursor.advance();
            Ok(number)
        }
        _ => Err(cursor.unexpected(&["<string>", "<number>", "'TRUE'", "'FALSE'", "'ARRAY'"])),
    }
}
