//! Statements that answer at once: definitions go to `ddl`, the rest concerns the session and the running queries.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use glaux_catalog::{HiveType, model::Column, model::Table, partition::PartitionIndex};

use super::{
    guard::{QueryGuard, Received},
    report::QueryId,
};
use crate::{
    ddl::{self, StatementContext, ViewPlanner},
    error::{Error, Result},
    plan::PlanContext,
    runtime::Shared,
    scan::{self, DataFile, ScanContext},
    session::Session,
    sql::{self, Statement},
    storage::{QueryStores, Stores},
    system::{FileLister, SystemDeps},
};

/// What planning this query needs, with its own meter below every store.
pub(super) fn plan_context(shared: &Arc<Shared>, guard: &QueryGuard<Received>) -> PlanContext {
    let stores: Arc<QueryStores> = Arc::new(Stores::for_query(&shared.stores, Arc::clone(guard.meter())));
    let session = guard.options().clone();
    let scan = ScanContext {
        stores,
        meter: Arc::clone(guard.meter()),
        footers: Arc::clone(&shared.footers),
        listing_concurrency: shared.options.listing_concurrency,
    };
    let system = SystemDeps {
        metastore: Arc::clone(&shared.metastore),
        history: Arc::clone(shared.queries.history()),
        running: Arc::clone(&shared.queries),
        session: session.clone(),
        files: Arc::new(LiveFiles(scan.clone())),
    };
    PlanContext {
        base: Arc::clone(&shared.state),
        metastore: Arc::clone(&shared.metastore),
        scan,
        system: Arc::new(system),
        session,
        clock: Arc::clone(&shared.clock),
    }
}

/// Carries out a statement that is no query.
pub(super) async fn answer(statement: &Statement, shared: &Arc<Shared>, session: &Session, context: &PlanContext) -> Result<RecordBatch> {
    match statement {
        Statement::Use { database } => {
            shared.metastore.database(database).await?;
            session.set_database(database);
            done()
        }
        Statement::SetSession { name, value } => session.set(name, value).and_then(|()| done()),
        Statement::ResetSession { name } => session.reset(name).and_then(|()| done()),
        Statement::SetTimeZone { zone } => session.set("time_zone", zone).and_then(|()| done()),
        Statement::ShowSession => table(["Name", "Value", "Default", "Description"], session.settings()),
        Statement::ShowQueries => show_queries(shared),
        Statement::KillQuery { id } => {
            let id = id.parse().map(QueryId).map_err(|_| {
                Error::invalid(format!("\"{id}\" is not the id of a query")).with_hint("SHOW QUERIES lists those that run")
            })?;
            shared.queries.kill(id, &context.session.user).await?;
            done()
        }
        definition => {
            let statement = StatementContext {
                metastore: &shared.metastore,
                stores: context.scan.stores.as_ref(),
                session,
                clock: shared.clock.as_ref(),
                views: context,
            };
            ddl::execute(definition, &statement).await
        }
    }
}

fn show_queries(shared: &Arc<Shared>) -> Result<RecordBatch> {
    let row = |query: super::RunningQuery| {
        [
            query.query_id.to_string(),
            query.state.to_string(),
            query.user,
            query.workgroup,
            query.database,
            query.elapsed.as_millis().to_string(),
            query.usage.data_scanned_bytes.to_string(),
            query.statement,
        ]
    };
    let names = ["query_id", "state", "user", "workgroup", "database", "elapsed_ms", "data_scanned_bytes", "statement"];
    table(names, shared.queries.list_running().into_iter().map(row).collect())
}

/// The empty answer.
fn done() -> Result<RecordBatch> {
    Ok(RecordBatch::new_empty(Arc::new(Schema::empty())))
}

fn table<const N: usize>(names: [&str; N], rows: Vec<[String; N]>) -> Result<RecordBatch> {
    let fields = names.map(|name| Field::new(name, DataType::Utf8, false));
    let column = |at: usize| Arc::new(rows.iter().map(|row| Some(row[at].as_str())).collect::<StringArray>()) as ArrayRef;
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), (0..N).map(column).collect())
        .map_err(|error| Error::internal(error.to_string()))
}

#[async_trait]
impl ViewPlanner for PlanContext {
    async fn columns(&self, query_text: &str, database: &str) -> Result<Vec<Column>> {
        let Statement::Query(query) = sql::parse(query_text)? else {
            return Err(Error::invalid("a view is defined by a query").with_hint("Begin it with SELECT or WITH"));
        };
        let (_, plan) = self.logical(&query, database).await?;
        let labels = query.labels();
        let fields = plan.schema().fields().iter().enumerate();
        fields
            .map(|(at, field)| {
                let label = labels.get(at).cloned().flatten().unwrap_or_else(|| field.name().clone());
                Ok(Column::new(glaux_catalog::ident::fold(&label), HiveType::from_arrow(field.data_type())?))
            })
            .collect()
    }
}

/// Lists a table's files with the query's own stores, for `system.files`.
#[derive(Debug)]
struct LiveFiles(ScanContext);

#[async_trait]
impl FileLister for LiveFiles {
    async fn files(&self, table: &Table, index: &PartitionIndex) -> Result<Vec<DataFile>> {
        let rows: Vec<u32> = (0..u32::try_from(index.len()).unwrap_or(u32::MAX)).collect();
        scan::list(&self.0.stores, table, index, &rows, self.0.listing_concurrency).await
    }
}
