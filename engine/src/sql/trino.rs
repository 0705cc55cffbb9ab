//! The Trino half of Athena's SQL: queries, `EXPLAIN`, views, workgroups and session statements. Queries are parsed by `sqlparser` and rewritten;
//! the words around them are parsed here.

use sqlparser::{
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use super::{
    analyze, call,
    cursor::Cursor,
    dialect::AthenaDialect,
    grant, limits,
    position::{from_parser, mismatched},
    refusal::unsupported,
    rewrite::{self, tokens},
    statement::{CreateView, Explain, ExplainFormat, ExplainWhat, Query, Statement},
    workgroup,
};
use crate::error::{Error, Result};

/// Parses one statement of the Trino half.
///
/// # Errors
/// As [`super::parse`].
pub(super) fn parse(text: &str) -> Result<Statement> {
    let mut cursor = Cursor::new(text, &AthenaDialect::default(), false)?;
    if at_query(&cursor) {
        return Ok(Statement::Query(query(&cursor)?));
    }
    let statement = match cursor
        .eat_any(&["EXPLAIN", "CREATE", "DROP", "USE", "SET", "RESET", "CALL", "ANALYZE", "GRANT", "DENY", "REVOKE", "KILL"])
    {
        Some("EXPLAIN") => return explain(&mut cursor),
        Some("CREATE") if cursor.eat_word("WORKGROUP") => workgroup::create(&mut cursor)?,
        Some("CREATE") => return create(&mut cursor),
        Some("DROP") if cursor.eat_word("WORKGROUP") => workgroup::drop(&mut cursor)?,
        Some("DROP") => {
            cursor.expect_words(&["VIEW"])?;
            let if_exists = cursor.if_exists();
            Statement::DropView { view: cursor.table()?, if_exists }
        }
        Some("USE") => Statement::Use { database: cursor.database()? },
        Some("SET") if cursor.eat_word("SESSION") => {
            let name = setting(&mut cursor)?;
            cursor.expect(&Token::Eq)?;
            Statement::SetSession { name, value: value(&mut cursor)? }
        }
        Some("SET") => {
            if !cursor.eat_words(&["TIME", "ZONE"]) {
                return Err(cursor.unexpected(&["'SESSION'", "'TIME ZONE'"]));
            }
            let zone = if cursor.eat_word("LOCAL") { "UTC".to_owned() } else { cursor.string()? };
            Statement::SetTimeZone { zone }
        }
        Some("RESET") => {
            cursor.expect_words(&["SESSION"])?;
            Statement::ResetSession { name: setting(&mut cursor)? }
        }
        Some("ANALYZE") => analyze::analyze(&mut cursor)?,
        Some("CALL") => call::call(&mut cursor)?,
        Some("GRANT") => grant::grant(&mut cursor)?,
        Some("DENY") => grant::deny(&mut cursor)?,
        Some("REVOKE") => grant::revoke(&mut cursor)?,
        Some(_) => {
            cursor.expect_words(&["QUERY"])?;
            Statement::KillQuery { id: cursor.string()? }
        }
        None if cursor.eat_words(&["ALTER", "WORKGROUP"]) => workgroup::alter(&mut cursor)?,
        None => return Err(other(&cursor)),
    };
    cursor.expect_end()?;
    Ok(statement)
}

fn at_query(cursor: &Cursor<'_>) -> bool {
    ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| cursor.at_words(&[word])) || cursor.at_token(&Token::LParen)
}

/// The query from here to the end.
fn query(cursor: &Cursor<'_>) -> Result<Query> {
    if !at_query(cursor) {
        return Err(cursor.unexpected(&["'SELECT'", "'WITH'", "'VALUES'", "'('", "'TABLE'"]));
    }
    let text = cursor.text();
    let tokens = cursor.remaining();
    limits::check_tokens(&tokens)?;
    let prepared = tokens::prepare(tokens)?;
    let dialect = AthenaDialect::with_work(limits::parser_work(&prepared.tokens));
    let mut parser = Parser::new(&dialect).with_recursion_limit(limits::MAX_DEPTH).with_tokens_with_locations(prepared.tokens);
    let mut ast = match parser.parse_query() {
        Ok(ast) => ast,
        Err(_) if dialect.is_exhausted() => return Err(limits::too_complex()),
        Err(error) => return Err(parse_error(&error, text)),
    };
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(mismatched(next.span.start, &next.token.to_string(), &["<EOF>"]));
    }
    rewrite::apply(&mut ast, &prepared.originals)?;
    limits::check_work(&ast)?;
    Ok(Query { text: cursor.rest().to_owned(), ast, parameters: prepared.parameters })
}

fn parse_error(error: &ParserError, text: &str) -> Error {
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => from_parser(message, text),
        ParserError::RecursionLimitExceeded => limits::too_deep(),
    }
}

/// `EXPLAIN [ANALYZE [VERBOSE]] [(TYPE x, FORMAT y)] query`.
fn explain(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let analyze = cursor.eat_word("ANALYZE");
    if analyze && cursor.at_words(&["VERBOSE"]) {
        return Err(unsupported("EXPLAIN ANALYZE VERBOSE", "EXPLAIN ANALYZE shows every operator's metrics already"));
    }
    let (mut what, mut format) = (ExplainWhat::Distributed, ExplainFormat::Text);
    let options = cursor.at_token(&Token::LParen) && ["TYPE", "FORMAT"].iter().any(|word| cursor.nth_word(1, word));
    if options {
        cursor.parenthesised(|cursor| {
            if cursor.eat_word("TYPE") {
                what = match cursor.eat_any(&["LOGICAL", "DISTRIBUTED", "VALIDATE", "IO", "COST"]) {
                    Some("LOGICAL") => ExplainWhat::Logical,
                    Some("DISTRIBUTED") => ExplainWhat::Distributed,
                    Some("VALIDATE") => ExplainWhat::Validate,
                    Some("IO") => ExplainWhat::Io,
                    Some(_) => ExplainWhat::Cost,
                    None => return Err(cursor.unexpected(&["'LOGICAL'", "'DISTRIBUTED'", "'VALIDATE'", "'IO'", "'COST'"])),
                };
                if analyze {
                    return Err(cursor.fault("EXPLAIN ANALYZE takes no TYPE"));
                }
                Ok(())
            } else if cursor.eat_word("FORMAT") {
                match cursor.eat_any(&["TEXT", "GRAPHVIZ", "JSON"]) {
                    Some("TEXT") => format = ExplainFormat::Text,
                    Some("JSON") => format = ExplainFormat::Json,
                    Some(other) => return Err(format_unsupported(other)),
                    None => return Err(cursor.unexpected(&["'TEXT'", "'GRAPHVIZ'", "'JSON'"])),
                }
                Ok(())
            } else {
                Err(cursor.unexpected(&["'TYPE'", "'FORMAT'"]))
            }
        })?;
    }
    if format == ExplainFormat::Json && !matches!(what, ExplainWhat::Io | ExplainWhat::Cost) {
        return Err(format_unsupported("JSON"));
    }
    if !at_query(cursor) && !cursor.is_end() {
        for verb in ["CREATE", "INSERT", "UNLOAD", "MERGE", "UPDATE", "DELETE", "EXECUTE", "SHOW", "DESCRIBE", "ALTER", "DROP"] {
            if cursor.at_words(&[verb]) {
                return Err(unsupported(&format!("EXPLAIN {verb}"), "EXPLAIN takes a query"));
            }
        }
    }
    Ok(Statement::Explain(Explain { analyze, what, format, query: query(cursor)? }))
}

fn format_unsupported(format: &str) -> Error {
    unsupported(
        &format!("EXPLAIN (FORMAT {format})"),
        "Only FORMAT TEXT, the default, is supported; with TYPE IO or COST also JSON",
    )
}

/// `CREATE [OR REPLACE] VIEW`; of what else begins with `CREATE`, only Hive's half is offered.
fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let or_replace = cursor.eat_words(&["OR", "REPLACE"]);
    if !cursor.eat_word("VIEW") {
        if cursor.at_words(&["TABLE"]) {
            return Err(unsupported(
                "CREATE TABLE AS",
                "Write the query's result to Parquet files with a client, and CREATE EXTERNAL TABLE over them",
            ));
        }
        if cursor.at_words(&["FUNCTION"]) || cursor.at_words(&["MATERIALIZED"]) || cursor.at_words(&["PROTECTED"]) {
            return Err(unsupported("this CREATE", "Only CREATE VIEW and CREATE EXTERNAL TABLE are supported"));
        }
        return Err(cursor.unexpected(&["'VIEW'", "'TABLE'"]));
    }
    if cursor.at_words(&["IF", "NOT", "EXISTS"]) {
        return Err(unsupported("CREATE VIEW IF NOT EXISTS", "Write CREATE OR REPLACE VIEW"));
    }
    let view = cursor.table()?;
    let columns = if cursor.at_token(&Token::LParen) { cursor.parenthesised(Cursor::name)? } else { Vec::new() };
    let comment = if cursor.eat_word("COMMENT") { Some(cursor.string()?) } else { None };
    if cursor.eat_word("SECURITY") && cursor.eat_any(&["DEFINER", "INVOKER"]).is_none() {
        return Err(cursor.unexpected(&["'DEFINER'", "'INVOKER'"]));
    }
    cursor.expect_words(&["AS"])?;
    let query = query(cursor)?;
    if query.parameters > 0 {
        return Err(Error::invalid("a view's query cannot have parameters").with_hint("Write the values into the query"));
    }
    Ok(Statement::CreateView(CreateView { view, or_replace, columns, comment, query_text: query.text }))
}

/// The name of a session setting, which may have dots.
fn setting(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.name()?;
    while cursor.eat(&Token::Period) {
        name = format!("{name}.{}", cursor.name()?);
    }
    Ok(name)
}

/// The value of a session setting: a string, a number, or a word.
fn value(cursor: &mut Cursor<'_>) -> Result<String> {
    if cursor.at_string() {
        return cursor.string();
    }
    let mark = cursor.mark();
    let _ = cursor.eat(&Token::Minus);
    match cursor.peek().map(|spanned| &spanned.token) {
        Some(Token::Number(..) | Token::Word(_)) => {
            cursor.advance();
            Ok(cursor.since(mark).to_owned())
        }
        _ => Err(cursor.unexpected(&["<string>", "<number>"])),
    }
}

/// What begins with no word that is offered: statements that Athena has are `Unsupported`, anything else is a slip.
fn other(cursor: &Cursor<'_>) -> Error {
    const TABLES: &str = "Tables are read, not written: put files below the table's location, and MSCK REPAIR TABLE or ALTER TABLE ... \
                          ADD PARTITION";
    const PREPARED: &str = "Send the query with its values, or bind them in the client";
    const ICEBERG: &str = "Iceberg tables are not supported yet";
    const OTHER: &str = "Athena does not support it either";
    for (words, what, hint) in [
        (&["INSERT"][..], "INSERT", TABLES),
        (&["UNLOAD"], "UNLOAD", "Write the query's result to Parquet files with a client"),
        (&["MERGE"], "MERGE", ICEBERG),
        (&["UPDATE"], "UPDATE", ICEBERG),
        (&["DELETE"], "DELETE", ICEBERG),
        (&["OPTIMIZE"], "OPTIMIZE", ICEBERG),
        (&["VACUUM"], "VACUUM", ICEBERG),
        (&["PREPARE"], "PREPARE", PREPARED),
        (&["EXECUTE"], "EXECUTE", PREPARED),
        (&["DEALLOCATE"], "DEALLOCATE PREPARE", PREPARED),
        (&["USING"], "a user-defined function (USING EXTERNAL FUNCTION)", "Only built-in functions are supported"),
        (&["ALTER", "VIEW"], "ALTER VIEW", "Write CREATE OR REPLACE VIEW"),
        (&["ALTER"], "this ALTER", "Only ALTER TABLE, ALTER DATABASE and ALTER WORKGROUP are supported"),
        (&["START"], "a transaction", OTHER),
        (&["COMMIT"], "a transaction", OTHER),
        (&["ROLLBACK"], "a transaction", OTHER),
        (&["TRUNCATE"], "TRUNCATE", OTHER),
        (&["LOAD"], "LOAD DATA", TABLES),
        (&["EXPORT"], "EXPORT", OTHER),
        (&["IMPORT"], "IMPORT", OTHER),
        (&["LOCK"], "LOCK", OTHER),
        (&["UNLOCK"], "UNLOCK", OTHER),
    ] {
        if cursor.at_words(words) {
            return unsupported(what, hint);
        }
    }
    cursor.unexpected(&[
        "'SELECT'",
        "'WITH'",
        "'VALUES'",
        "'('",
        "'EXPLAIN'",
        "'CREATE'",
        "'ALTER'",
        "'DROP'",
        "'SHOW'",
        "'DESCRIBE'",
        "'MSCK'",
        "'USE'",
        "'SET'",
        "'RESET'",
        "'CALL'",
        "'ANALYZE'",
        "'GRANT'",
        "'DENY'",
        "'REVOKE'",
        "'KILL'",
    ])
}
