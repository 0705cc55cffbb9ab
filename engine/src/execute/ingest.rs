//! The life of an ingest: it is recorded like a query, is free of charge, and takes rows in instead of returning them.
//!
//! It runs on a task of its own, which outlives its caller: a query that is cancelled still has to remove what it wrote.

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::stream::BoxStream;

use super::{context, limits, shared::Shared, views::Views};
use crate::{
    data_dir::RUN_DIRECTORY,
    error::{Error, Result},
    lifecycle::{CancelReason, Canceller, Executing, Failure, QueryGuard, Received},
    plan::PlanContext,
    session::Session,
    statement_kind::StatementKind,
    statements::refresh,
    write::ingest::{Ingest, IngestSummary, IngestTarget, Resolved, give_up},
};

/// Cancels the query when its caller goes away.
struct OnDrop(Canceller);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.cancel(CancelReason::Disconnected);
    }
}

/// Takes rows into a table; see [`crate::Engine::ingest`].
pub(crate) async fn ingest(
    shared: &Arc<Shared>,
    session: &Session,
    target: IngestTarget,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<IngestSummary, Failure> {
    let guard = shared.queries.receive(session.options(), &format!("INGEST INTO {}", target.name(&session.database())))?;
    guard.classify(StatementKind::Dml, false);
    let asked = OnDrop(guard.canceller());
    match tokio::spawn(run(Arc::clone(shared), session.clone(), guard, target, batches)).await {
        Ok(outcome) => outcome,
        Err(error) => {
            let error = Error::internal("the task that writes the rows ended early").with_source(error);
            Err(Failure { error, report: asked.0.report() })
        }
    }
}

async fn run(
    shared: Arc<Shared>,
    session: Session,
    guard: QueryGuard<Received>,
    target: IngestTarget,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<IngestSummary, Failure> {
    match guard.run(limits::in_force(&shared, guard.options())).await {
        Ok(limits) => guard.enforce(limits),
        Err(error) => return Err(guard.fail(error).await),
    }
    let context = context::for_query(&shared, guard.meter(), guard.options(), &guard.entry().limits());
    let resolved = match guard.run(resolve(&shared, &context, &target, &guard.id().to_string())).await {
        Ok(resolved) => resolved,
        Err(error) => return Err(guard.fail(error).await),
    };
    let schema: SchemaRef = target.schema;
    let run = shared.options.data_dir.join(RUN_DIRECTORY);
    let mut ingest = match Ingest::new(resolved, &schema, &context.scan.stores, &run, guard.id().to_string()) {
        Ok(ingest) => ingest,
        Err(error) => return Err(guard.fail(error).await),
    };
    let guard = guard.planned().admit().await?;
    match write(&shared, &session, &context, &guard, &mut ingest, batches).await {
        Ok(()) => {
            let [rows, files, bytes] = ingest.totals();
            guard.meter().add_rows(rows);
            Ok(IngestSummary { rows, files, bytes, report: guard.succeed().await })
        }
        Err(error) => {
            let error = give_up(ingest, error).await;
            Err(guard.fail(error).await)
        }
    }
}

/// What the rows go into. Whether the caller may write to it is checked before anything is looked up.
async fn resolve(shared: &Shared, context: &PlanContext, target: &IngestTarget, unique: &str) -> Result<Resolved> {
    let caller = shared.caller(&context.session);
    caller.check_write(target.name(&context.session.database), shared.metastore.as_ref()).await?;
    Resolved::find(target, context, &shared.options.data_dir, unique).await
}

async fn write(
    shared: &Shared,
    session: &Session,
    context: &PlanContext,
    guard: &QueryGuard<Executing>,
    ingest: &mut Ingest,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<()> {
    guard.run(ingest.write(batches)).await?;
    guard.run(ingest.publish(&context.metastore)).await?;
    // From here on it succeeds or fails: it is too late to stop it.
    let views = Views { plan: context, slots: &shared.planning };
    ingest.commit(&context::for_statement(shared, session, context, &views)).await?;
    if let Some(replaced) = ingest.replaced() {
        replaced.remove_files(shared.metastore.as_ref(), &context.scan.stores).await;
    }
    let (table, partitions) = ingest.written_to();
    refresh::after_ingest(&table, &partitions, context).await;
    Ok(())
}
