//! `ANALYZE TABLE`, Hive's.

use sqlparser::tokenizer::Token;

use super::clauses::literal;
use crate::{
    error::Result,
    sql::{
        cursor::Cursor,
        refusal::unsupported,
        statement::{Analyze, AnalyzePartitions, Statement},
    },
};

/// From the word after `ANALYZE`.
pub(super) fn analyze(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_words(&["TABLE"])?;
    let table = cursor.table()?;
    let mut partitions = AnalyzePartitions::All;
    if cursor.eat_word("PARTITION") {
        let keys = cursor.parenthesised(|cursor| {
            let key = cursor.name()?;
            let value = if cursor.eat(&Token::Eq) { Some(literal(cursor)?) } else { None };
            Ok((key, value))
        })?;
        partitions = AnalyzePartitions::Having(keys);
    }
    cursor.expect_words(&["COMPUTE", "STATISTICS"])?;
    let mut columns = Vec::new();
    if cursor.eat_words(&["FOR", "COLUMNS"]) {
        while !cursor.is_end() {
            columns.push(cursor.name()?);
            if !cursor.eat(&Token::Comma) {
                break;
            }
        }
    }
    for (word, hint) in [
        ("NOSCAN", "Leave it out: only footers are read anyway"),
        ("PARTIALSCAN", "Leave it out: only footers are read anyway"),
        ("FOR", "Write FOR COLUMNS, or leave it out for all columns"),
        ("CACHE", "Leave it out"),
    ] {
        if cursor.at_words(&[word]) {
            return Err(unsupported(&format!("ANALYZE TABLE ... {word}"), hint));
        }
    }
    Ok(Statement::Analyze(Analyze { table, partitions, columns }))
}
