//! `USE`, `SET SESSION`, `RESET SESSION`, `SHOW SESSION` and `SET TIME ZONE`: what the session's next statements find.

use super::{StatementContext, rows::Row};
use crate::{error::Result, sql::Statement};

pub(super) async fn execute(statement: &Statement, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let session = context.session;
    match statement {
        Statement::Use { database } => session.set_database(&context.metastore.database(database).await?.name),
        Statement::SetSession { name, value } => session.set(name, value)?,
        Statement::ResetSession { name } => session.reset(name)?,
        Statement::SetTimeZone { zone } => session.set("time_zone", zone)?,
        Statement::ShowSession => {
            return Ok(session.settings().into_iter().map(|setting| setting.into_iter().map(Some).collect()).collect());
        }
        _ => {}
    }
    Ok(Vec::new())
}
