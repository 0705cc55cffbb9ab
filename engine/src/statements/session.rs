//! `USE`, `SET SESSION`, `RESET SESSION`, `SHOW SESSION` and `SET TIME ZONE`: the database and settings of the session's next statements.

use super::{context::StatementContext, rows::Row};
use crate::error::Result;

pub(super) async fn set_database(database: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    context.session.set_database(&context.metastore().database(database).await?.name);
    Ok(Vec::new())
}

pub(super) fn set(name: &str, value: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    context.session.set(name, value).map(|()| Vec::new())
}

pub(super) fn reset(name: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    context.session.reset(name).map(|()| Vec::new())
}

pub(super) fn show(context: &StatementContext<'_>) -> Vec<Row> {
    context.session.settings().into_iter().map(|setting| setting.into_iter().map(Some).collect()).collect()
}
