//! The Hive half of Athena's SQL: a recursive-descent parser on the tokenizer's tokens, one file a family of verbs.
//!
//! Clauses may come in any sensible order, each at most once. Clauses that Hive has and Athena refuses are refused here too, by name.

mod alter;
mod analyze;
mod clauses;
mod create;
mod describe;
mod repair;
mod show;

use self::clauses::object;
use super::{cursor::Cursor, dialect::HiveLexis, refusal::unsupported, statement::Statement};
use crate::error::Result;

/// Parses one statement of the Hive half.
///
/// # Errors
/// As [`super::parse`].
pub(super) fn parse(text: &str) -> Result<Statement> {
    let mut cursor = Cursor::new(text, &HiveLexis, true)?;
    let verb = cursor.eat_any(&["CREATE", "ALTER", "DROP", "MSCK", "REFRESH", "ANALYZE", "SHOW", "DESCRIBE", "DESC"]);
    let statement = match verb {
        Some("CREATE") => create::create(&mut cursor)?,
        Some("ALTER") => alter::alter(&mut cursor)?,
        Some("DROP") => drop(&mut cursor)?,
        Some("MSCK") => repair::repair(&mut cursor)?,
        Some("REFRESH") => repair::refresh(&mut cursor)?,
        Some("ANALYZE") => analyze::analyze(&mut cursor)?,
        Some("SHOW") => show::show(&mut cursor)?,
        _ => describe::describe(&mut cursor)?,
    };
    cursor.expect_end()?;
    Ok(statement)
}

/// `DROP DATABASE` and `DROP TABLE`.
fn drop(cursor: &mut Cursor<'_>) -> Result<Statement> {
    match cursor.eat_any(&["DATABASE", "SCHEMA", "TABLE"]) {
        Some("TABLE") => {
            let if_exists = cursor.if_exists();
            let table = cursor.table()?;
            if cursor.at_words(&["PURGE"]) {
                return Err(unsupported(
                    "DROP TABLE ... PURGE",
                    "Leave PURGE out: the files of an external table are kept, those of a managed table are deleted at once",
                ));
            }
            Ok(Statement::DropTable { table, if_exists })
        }
        Some(_) => {
            let if_exists = cursor.if_exists();
            let database = cursor.database()?;
            let cascade = cursor.eat_any(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
            Ok(Statement::DropDatabase { database, if_exists, cascade })
        }
        None => Err(object(cursor, "DROP", &["'DATABASE'", "'SCHEMA'", "'TABLE'", "'VIEW'", "'WORKGROUP'"])),
    }
}
