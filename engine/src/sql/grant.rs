//! `GRANT`, `DENY` and `REVOKE` in Trino's syntax, and the object of `SHOW GRANTS`.

use glaux_catalog::model::{Access, Grantee};

use super::{
    cursor::Cursor,
    refusal::unsupported,
    statement::{Grant, GrantOn, Revoke, Statement},
};
use crate::error::Result;

/// From behind `GRANT`.
pub(super) fn grant(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let access = privileges(cursor)?;
    let on = object(cursor)?;
    cursor.expect_words(&["TO"])?;
    let to = grantee(cursor)?;
    if cursor.at_words(&["WITH", "GRANT", "OPTION"]) {
        return Err(unsupported("WITH GRANT OPTION", "Only administrators can grant access"));
    }
    Ok(Statement::Grant(Grant { on, to, access }))
}

/// From behind `DENY`.
pub(super) fn deny(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if !at_all(cursor) {
        return Err(unsupported("DENY of single privileges", "Write DENY ALL; to allow reading only, GRANT SELECT"));
    }
    privileges(cursor)?;
    let on = object(cursor)?;
    cursor.expect_words(&["TO"])?;
    Ok(Statement::Grant(Grant { on, to: grantee(cursor)?, access: Access::None }))
}

/// From behind `REVOKE`.
pub(super) fn revoke(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.at_words(&["GRANT", "OPTION", "FOR"]) {
        return Err(unsupported("GRANT OPTION FOR", "Only administrators can grant access"));
    }
    privileges(cursor)?;
    let on = object(cursor)?;
    cursor.expect_words(&["FROM"])?;
    Ok(Statement::Revoke(Revoke { on, from: grantee(cursor)? }))
}

fn at_all(cursor: &Cursor<'_>) -> bool {
    cursor.at_words(&["ALL"])
}

/// `ALL [PRIVILEGES]`, or some of `SELECT` and `INSERT`: the access that they come to. `ON` must follow.
fn privileges(cursor: &mut Cursor<'_>) -> Result<Access> {
    let access = if cursor.eat_word("ALL") {
        cursor.eat_word("PRIVILEGES");
        Access::Write
    } else {
        let mut access = privilege(cursor)?;
        while cursor.eat(&sqlparser::tokenizer::Token::Comma) {
            access = access.max(privilege(cursor)?);
        }
        access
    };
    cursor.expect_words(&["ON"])?;
    Ok(access)
}

fn privilege(cursor: &mut Cursor<'_>) -> Result<Access> {
    match cursor.eat_any(&["SELECT", "INSERT"]) {
        Some("SELECT") => return Ok(Access::Read),
        Some(_) => return Ok(Access::Write),
        None => {}
    }
    for name in ["CREATE", "DELETE", "UPDATE", "EXECUTE"] {
        if cursor.at_words(&[name]) {
            return Err(unsupported(
                &format!("the privilege {name}"),
                "Grant SELECT to allow reading, INSERT or ALL to allow changes as well",
            ));
        }
    }
    if !cursor.nth_word(1, "ON") && !cursor.is_end() {
        return Err(unsupported("granting roles", "Assign users to groups where users are defined"));
    }
    Err(cursor.unexpected(&["'SELECT'", "'INSERT'", "'ALL'"]))
}

/// `[TABLE] name`, `SCHEMA name`, `DATABASE name` or `CATALOG`.
pub(super) fn object(cursor: &mut Cursor<'_>) -> Result<GrantOn> {
    Ok(match cursor.eat_any(&["SCHEMA", "DATABASE", "CATALOG", "TABLE"]) {
        Some("SCHEMA" | "DATABASE") => GrantOn::Database(cursor.database()?),
        Some("CATALOG") => GrantOn::Catalog,
        _ => GrantOn::Table(cursor.table()?),
    })
}

/// `[USER] name`, `ROLE name` or `GROUP name`; the name as written, in quotes if it has other signs than letters.
fn grantee(cursor: &mut Cursor<'_>) -> Result<Grantee> {
    let is_group = matches!(cursor.eat_any(&["USER", "ROLE", "GROUP"]), Some("ROLE" | "GROUP"));
    let name = cursor.name_as_written()?;
    Ok(if is_group { Grantee::Group(name) } else { Grantee::User(name) })
}
