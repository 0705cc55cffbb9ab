//! `DESCRIBE`.

use sqlparser::tokenizer::Token;

use super::clauses::partition;
use crate::{
    error::Result,
    sql::{
        cursor::Cursor,
        refusal::unsupported,
        statement::{Describe, DescribeDetail, Statement},
        workgroup,
    },
};

pub(super) fn describe(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let alone = |cursor: &Cursor<'_>| cursor.nth_token(1, &Token::Period);
    let detail = match alone(cursor) {
        true => None,
        false => cursor.eat_any(&["EXTENDED", "FORMATTED"]),
    };
    for name in ["DATABASE", "SCHEMA", "FUNCTION", "INPUT", "OUTPUT"] {
        if cursor.at_words(&[name]) && !alone(cursor) {
            return Err(unsupported(&format!("DESCRIBE {name}"), "DESCRIBE takes a table, a view or a workgroup"));
        }
    }
    let mark = cursor.mark();
    // A table may be called "workgroup".
    if detail.is_none() && cursor.eat_word("WORKGROUP") {
        if !(cursor.is_end() || cursor.at_token(&Token::Period) || cursor.at_words(&["PARTITION"])) {
            return Ok(Statement::DescribeWorkgroup { name: workgroup::name(cursor)? });
        }
        cursor.rewind(mark);
    }
    if cursor.at_words(&["TABLE"]) && !alone(cursor) {
        return Err(cursor.unexpected(&["<identifier>"]).with_hint("Write DESCRIBE and the table's name, without TABLE"));
    }
    // `DESCRIBE VIEW v`; a view may itself be called "view".
    if cursor.eat_word("VIEW") && (cursor.is_end() || cursor.at_token(&Token::Period) || cursor.at_words(&["PARTITION"])) {
        cursor.rewind(mark);
    }
    let table = cursor.table()?;
    let partition = if cursor.eat_word("PARTITION") { Some(partition(cursor)?) } else { None };
    let mut path = Vec::new();
    if !cursor.is_end() {
        path.push(cursor.name()?);
        while cursor.eat(&Token::Period) {
            path.push(if cursor.at_string() { cursor.string()? } else { cursor.name()? });
        }
    }
    let detail = match detail {
        Some("EXTENDED") => DescribeDetail::Extended,
        Some(_) => DescribeDetail::Formatted,
        None => DescribeDetail::Columns,
    };
    Ok(Statement::Describe(Describe { table, detail, partition, path }))
}
