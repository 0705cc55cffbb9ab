//! `ANALYZE`, Trino's: `ANALYZE t [WITH (partitions = ARRAY[ARRAY['...']], columns = ARRAY['...'])]`.

use sqlparser::tokenizer::Token;

use super::{
    cursor::Cursor,
    statement::{Analyze, AnalyzePartitions, Statement},
};
use crate::error::{Error, Result};

/// From the word after `ANALYZE`.
pub(super) fn analyze(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let table = cursor.table()?;
    let mut analyze = Analyze { table, partitions: AnalyzePartitions::All, columns: Vec::new() };
    if cursor.eat_word("WITH") {
        cursor.parenthesised(|cursor| {
            let name = cursor.name()?;
            cursor.expect(&Token::Eq)?;
            match name.as_str() {
                "partitions" => analyze.partitions = AnalyzePartitions::These(array(cursor, |cursor| array(cursor, value))?),
                "columns" => analyze.columns = array(cursor, |cursor| cursor.string().map(|name| name.to_lowercase()))?,
                other => {
                    return Err(Error::invalid(format!("ANALYZE has no property \"{other}\""))
                        .with_hint("Its properties are partitions and columns"));
                }
            }
            Ok(())
        })?;
    }
    Ok(Statement::Analyze(analyze))
}

/// `ARRAY[item, item]`.
fn array<T>(cursor: &mut Cursor<'_>, mut item: impl FnMut(&mut Cursor<'_>) -> Result<T>) -> Result<Vec<T>> {
    cursor.expect_words(&["ARRAY"])?;
    cursor.expect(&Token::LBracket)?;
    let mut items = vec![item(cursor)?];
    while cursor.eat(&Token::Comma) {
        items.push(item(cursor)?);
    }
    cursor.expect(&Token::RBracket)?;
    Ok(items)
}

fn value(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat_word("NULL") { Ok(None) } else { cursor.string().map(Some) }
}
