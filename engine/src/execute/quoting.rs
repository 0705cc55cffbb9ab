//! Quotes statements: what they take at most, without running them. A quote is taken in and recorded like any statement, and is free.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use super::{context, limits, parameters::Parameters, physical, planning, shared::Shared};
use crate::{
    accounting::{Tariff, UsageDetail},
    error::Result,
    lifecycle::{Entry, Failure, Quoted},
    quote::{self, Quote},
    scan::Basis,
    session::Session,
    sql,
    statement_kind::StatementKind,
};

/// What the history has before the text of a statement that is quoted.
const EXPLAINED: &str = "EXPLAIN (TYPE COST) ";

/// Quotes a statement. One that scans nothing takes nothing, and is not looked at further.
pub(crate) async fn quote(
    shared: &Arc<Shared>,
    session: &Session,
    text: &str,
    parameters: &Parameters,
    basis: Basis,
) -> Result<Quote, Failure> {
    let guard = shared.queries.receive(session.options(), &format!("{EXPLAINED}{text}"))?;
    match guard.run(limits::in_force(shared, guard.options())).await {
        Ok(limits) => guard.enforce(limits),
        Err(error) => return Err(guard.fail(error).await),
    }
    let (entry, text, parameters) = (Arc::clone(guard.entry()), text.to_owned(), parameters.clone());
    let quoted = Box::pin(quoted(Arc::clone(shared), entry, text, parameters, basis));
    let quoted = planning::apart(&shared.planning, &guard.options().user, quoted);
    match guard.run(quoted).await {
        Ok(quote) => {
            guard.planned().start().succeed().await;
            Ok(quote)
        }
        Err(error) => Err(guard.fail(error).await),
    }
}

async fn quoted(shared: Arc<Shared>, entry: Arc<Entry>, text: String, parameters: Parameters, basis: Basis) -> Result<Quote> {
    let statement = sql::parse(&text)?;
    entry.classify(StatementKind::Utility, false);
    let Some(query) = statement.query().filter(|_| statement.is_billable()) else {
        if statement.query().is_none() {
            parameters.none_wanted()?;
        }
        return Ok(Quote::nothing(basis, entry.tariff().id()));
    };
    let context = context::for_query(&shared, &entry.meter, &entry.options, &entry.limits());
    let plans = physical::plans(&context, &entry, query, &parameters, false).await?.plans;
    of_plans(&shared, plans, entry.meter.detail(), entry.tariff(), basis).await
}

/// The bytes of table data that plans scan at most, if their query is judged by that before it runs.
///
/// # Errors
/// `LimitExceeded` for more than the query may scan; those of reading the metadata of files.
pub(super) async fn judged(shared: &Shared, entry: &Entry, plans: &[Arc<dyn ExecutionPlan>]) -> Result<Option<u64>> {
    let limits = entry.limits();
    if !limits.judges_quotes() {
        return Ok(None);
    }
    let quote = of_plans(shared, plans.to_vec(), entry.meter.detail(), entry.tariff(), Basis::Footers).await?;
    let quoted = quote.data_scanned_bytes();
    if let Some(data_scanned_bytes) = quoted {
        entry.note_quote(Quoted { data_scanned_bytes, cost: quote.bill.total() });
    }
    limits.check_quote(quoted)?;
    Ok(quoted)
}

/// Quotes plans that run one after another, after what planning them counted.
pub(super) async fn of_plans(
    shared: &Shared,
    plans: Vec<Arc<dyn ExecutionPlan>>,
    planning: UsageDetail,
    tariff: Arc<Tariff>,
    basis: Basis,
) -> Result<Quote> {
    // Where queries run, and read.
    shared.executor.run(async move { quote::of(&plans, planning, &tariff, basis).await }).await
}
