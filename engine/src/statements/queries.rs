//! `SHOW QUERIES` and `KILL QUERY`.

use super::{
    context::StatementContext,
    rows::{Row, row},
};
use crate::{
    access::queries_of,
    error::{Error, ErrorKind, Result},
    lifecycle::{QueryId, RunningQuery, not_running},
};

/// The queries of this process that have not ended, as far as the session's user may see them.
pub(super) fn show(context: &StatementContext<'_>) -> Vec<Row> {
    let own = queries_of(&context.plan.session);
    let is_shown = |query: &RunningQuery| own.is_none_or(|own| own == query.user);
    let of_query = |query: RunningQuery| {
        row([
            &query.query_id.to_string(),
            query.state.as_str(),
            &query.user,
            &query.workgroup,
            &query.database,
            &query.elapsed.as_millis().to_string(),
            &query.usage.data_scanned_bytes.to_string(),
            &query.statement,
        ])
    };
    context.queries.list_running().into_iter().filter(is_shown).map(of_query).collect()
}

pub(super) async fn kill(id: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let id = id.parse().map(QueryId).map_err(|_| {
        Error::invalid(format!("\"{id}\" is not the id of a query")).with_hint("SHOW QUERIES lists the running ones")
    })?;
    if !may_kill(id, context).await? {
        return Err(not_running(id));
    }
    context.queries.kill(id, &context.plan.session.user).await?;
    Ok(Vec::new())
}

/// Whether a query is one that the session's user may kill.
async fn may_kill(id: QueryId, context: &StatementContext<'_>) -> Result<bool> {
    let Some(own) = queries_of(&context.plan.session) else { return Ok(true) };
    if let Some(running) = context.queries.list_running().into_iter().find(|running| running.query_id == id) {
        return Ok(running.user == own);
    }
    match context.queries.history().get(id).await {
        Ok(record) => Ok(record.user == own),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
