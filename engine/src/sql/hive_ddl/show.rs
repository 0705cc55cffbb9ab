//! `SHOW`.

use sqlparser::tokenizer::Token;

use super::clauses::partition;
use crate::{
    error::Result,
    sql::{
        cursor::Cursor,
        grant,
        refusal::unsupported,
        statement::{Show, Statement},
        workgroup,
    },
};

pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let what = cursor.eat_any(&[
        "DATABASES",
        "SCHEMAS",
        "TABLES",
        "VIEWS",
        "COLUMNS",
        "PARTITIONS",
        "TBLPROPERTIES",
        "CREATE",
        "STATS",
        "GRANTS",
        "WORKGROUPS",
        "SESSION",
        "QUERIES",
    ]);
    Ok(Statement::Show(match what {
        Some("DATABASES" | "SCHEMAS") => Show::Databases { pattern: pattern(cursor)? },
        Some("TABLES") => Show::Tables { database: within(cursor)?, pattern: pattern(cursor)? },
        Some("VIEWS") => Show::Views { database: within(cursor)?, pattern: pattern(cursor)? },
        Some("COLUMNS") => {
            if cursor.eat_any(&["FROM", "IN"]).is_none() {
                return Err(cursor.unexpected(&["'FROM'", "'IN'"]));
            }
            let mut table = cursor.table()?;
            if let Some(word) = cursor.eat_any(&["FROM", "IN"]) {
                let database = cursor.database()?;
                if table.database.as_ref().is_some_and(|named| *named != database) {
                    return Err(cursor.fault(&format!("the table's name and {word} name different databases")));
                }
                table.database = Some(database);
            }
            Show::Columns { table }
        }
        Some("PARTITIONS") => {
            let table = cursor.table()?;
            let partition = if cursor.eat_word("PARTITION") { Some(partition(cursor)?) } else { None };
            Show::Partitions { table, partition }
        }
        Some("TBLPROPERTIES") => {
            let table = cursor.table()?;
            let key = if cursor.eat(&Token::LParen) {
                let key = cursor.string()?;
                cursor.expect(&Token::RParen)?;
                Some(key)
            } else {
                None
            };
            Show::TableProperties { table, key }
        }
        Some("CREATE") => match cursor.eat_any(&["TABLE", "VIEW", "WORKGROUP"]) {
            Some("TABLE") => Show::CreateTable { table: cursor.table()? },
            Some("VIEW") => Show::CreateView { view: cursor.table()? },
            Some(_) => Show::CreateWorkgroup { name: workgroup::name(cursor)? },
            None => return Err(cursor.unexpected(&["'TABLE'", "'VIEW'", "'WORKGROUP'"])),
        },
        Some("STATS") => {
            cursor.expect_words(&["FOR"])?;
            if cursor.at_token(&Token::LParen) {
                return Err(unsupported(
                    "SHOW STATS FOR a query",
                    "SHOW STATS FOR takes a table; EXPLAIN shows the estimates for a query",
                ));
            }
            Show::Stats { table: cursor.table()? }
        }
        Some("GRANTS") => {
            let on = if cursor.eat_word("ON") { Some(grant::object(cursor)?) } else { None };
            Show::Grants { on }
        }
        Some("WORKGROUPS") => Show::Workgroups { pattern: pattern(cursor)? },
        Some("SESSION") => return Ok(Statement::ShowSession),
        Some(_) => return Ok(Statement::ShowQueries),
        None => {
            for name in ["FUNCTIONS", "LOCKS", "GRANT", "ROLES", "COMPACTIONS", "TRANSACTIONS", "CONF", "INDEX", "CURRENT"] {
                if cursor.at_words(&[name]) {
                    return Err(unsupported(
                        &format!("SHOW {name}"),
                        "SHOW lists databases, tables, views, columns, partitions, \
                        table properties, grants, workgroups, session settings and queries",
                    ));
                }
            }
            return Err(cursor.unexpected(&[
                "'DATABASES'",
                "'SCHEMAS'",
                "'TABLES'",
                "'VIEWS'",
                "'COLUMNS'",
                "'PARTITIONS'",
                "'TBLPROPERTIES'",
                "'CREATE TABLE'",
                "'CREATE VIEW'",
                "'CREATE WORKGROUP'",
                "'STATS FOR'",
                "'GRANTS'",
                "'WORKGROUPS'",
                "'SESSION'",
                "'QUERIES'",
            ]));
        }
    }))
}

/// `IN database` or `FROM database`.
fn within(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    match cursor.eat_any(&["IN", "FROM"]) {
        Some(_) => cursor.database().map(Some),
        None => Ok(None),
    }
}

/// `'pattern'` or `LIKE 'pattern'`.
fn pattern(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.eat_word("LIKE") || cursor.at_string() { cursor.string().map(Some) } else { Ok(None) }
}
