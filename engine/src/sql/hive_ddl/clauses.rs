//! The clauses and parts of clauses that several statements of the Hive half have.

use glaux_catalog::{
    HiveType,
    model::{Column, Properties},
};
use sqlparser::tokenizer::Token;

use crate::{
    error::{Error, ErrorKind, Result},
    sql::{cursor::Cursor, position::syntax, refusal::unsupported, statement::PartitionSpec},
};

/// What cannot be created, altered or dropped: known objects are `Unsupported`, anything else is a slip.
pub(super) fn object(cursor: &Cursor<'_>, verb: &str, expecting: &[&str]) -> Error {
    for name in ["INDEX", "ROLE", "MACRO", "TEMPORARY", "FUNCTION", "TRANSACTION", "MATERIALIZED"] {
        if cursor.at_words(&[name]) {
            return unsupported(&format!("{verb} {name}"), "Athena does not support it either");
        }
    }
    cursor.unexpected(expecting)
}

/// Refuses a second clause of the same kind.
pub(super) fn once<T>(slot: &mut Option<T>, cursor: &Cursor<'_>, clause: &str, value: T) -> Result<()> {
    if slot.is_some() {
        return Err(cursor.fault(&format!("{clause} is given twice")));
    }
    *slot = Some(value);
    Ok(())
}

/// `name type [COMMENT '...']`.
pub(super) fn column(cursor: &mut Cursor<'_>) -> Result<Column> {
    let name = cursor.name()?;
    let hive_type = hive_type(cursor)?;
    let comment = if cursor.eat_word("COMMENT") { Some(cursor.string()?) } else { None };
    Ok(Column { name, hive_type, comment })
}

/// A type: a word with what is in parentheses or angle brackets after it, read by [`HiveType`].
fn hive_type(cursor: &mut Cursor<'_>) -> Result<HiveType> {
    let (mark, place) = (cursor.mark(), cursor.place());
    if !matches!(cursor.peek().map(|spanned| &spanned.token), Some(Token::Word(word)) if word.quote_style.is_none()) {
        return Err(cursor.unexpected(&["<type>"]));
    }
    cursor.advance();
    cursor.eat_word("PRECISION");
    let mut open = 0_usize;
    loop {
        let (opened, closed) = match cursor.peek().map(|spanned| &spanned.token) {
            Some(Token::Lt | Token::LParen) => (1, 0),
            Some(Token::Gt | Token::RParen) => (0, 1),
            Some(Token::ShiftRight) => (0, 2),
            Some(_) => (0, 0),
            None => break,
        };
        if open == 0 && opened == 0 || closed > open {
            break;
        }
        open = open + opened - closed;
        cursor.advance();
        if open == 0 {
            break;
        }
    }
    cursor.since(mark).parse().map_err(|error: Error| {
        let located = match error.kind() {
            ErrorKind::Syntax | ErrorKind::Invalid => syntax(place, error.message()),
            kind => Error::new(kind, error.message()),
        };
        match error.hint() {
            Some(hint) => located.with_hint(hint),
            None => located,
        }
    })
}

/// `('key' = 'value', ...)`.
pub(super) fn properties(cursor: &mut Cursor<'_>) -> Result<Properties> {
    let mut properties = Properties::new();
    cursor.parenthesised(|cursor| {
        let place = cursor.place();
        let key = cursor.string()?;
        cursor.expect(&Token::Eq)?;
        let value = cursor.string()?;
        if properties.insert(key.clone(), value).is_some() {
            return Err(syntax(place, &format!("property \"{key}\" is given twice")));
        }
        Ok(())
    })?;
    Ok(properties)
}

/// `PARTITION (key = literal, ...)`, from its opening parenthesis.
pub(super) fn partition(cursor: &mut Cursor<'_>) -> Result<PartitionSpec> {
    let mut spec: Vec<(String, String)> = Vec::new();
    cursor.parenthesised(|cursor| {
        let place = cursor.place();
        let key = cursor.name()?;
        if !cursor.at_token(&Token::Eq) {
            if [Token::Lt, Token::Gt, Token::LtEq, Token::GtEq, Token::Neq].iter().any(|token| cursor.at_token(token)) {
                return Err(unsupported("a range of partitions", "Name each partition with =, and separate several with commas"));
            }
            return Err(cursor.unexpected(&["'='"]));
        }
        cursor.advance();
        let value = literal(cursor)?;
        if spec.iter().any(|(other, _)| *other == key) {
            return Err(syntax(place, &format!("partition key \"{key}\" is given twice")));
        }
        spec.push((key, value));
        Ok(())
    })?;
    Ok(PartitionSpec(spec))
}

/// The raw text of a partition's value: `'x'`, `1`, `-1.5`, `true`, `date '2024-01-01'`.
pub(super) fn literal(cursor: &mut Cursor<'_>) -> Result<String> {
    if let Some(word) = cursor.eat_any(&["DATE", "TIMESTAMP"]) {
        return if cursor.at_string() { cursor.string() } else { Err(cursor.fault(&format!("a string must follow {word}"))) };
    }
    if let Some(word) = cursor.eat_any(&["TRUE", "FALSE"]) {
        return Ok(word.to_ascii_lowercase());
    }
    if cursor.at_string() {
        return cursor.string();
    }
    let mark = cursor.mark();
    let _ = cursor.eat(&Token::Minus) || cursor.eat(&Token::Plus);
    match cursor.peek().map(|spanned| &spanned.token) {
        Some(Token::Number(..)) => cursor.advance(),
        _ => return Err(cursor.unexpected(&["<string>", "<number>"])),
    }
    Ok(cursor.since(mark).trim_start_matches('+').split_whitespace().collect())
}
