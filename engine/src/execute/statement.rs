//! Statements that answer at once: those about running queries are answered here, all others go to `statements`.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use glaux_catalog::{HiveType, Metastore, ident::fold, model::Column, model::Table, partition::PartitionIndex};

use super::planning;
use crate::{
    access::{Caller, queries_of},
    accounting::Meter,
    error::{Error, ErrorKind, Result, from_datafusion},
    lifecycle::{self, QueryId, RunningQuery},
    plan::PlanContext,
    probe::{ProbeContext, analyze, crawl},
    runtime::Shared,
    scan::{DataFile, Fetcher, Listing, ScanContext},
    session::{Session, SessionOptions},
    sql::{self, RUNNING_COLUMNS, Statement, rewrite::label},
    statements::{self, StatementContext, ViewPlanner, refresh},
    storage::{QueryStores, Stores},
    system::{FileLister, SystemDeps, TableFile},
    write::ingest::Managed,
};

/// What planning this query needs, with its own meter below every store.
pub(super) fn plan_context(shared: &Arc<Shared>, meter: &Arc<Meter>, session: &SessionOptions) -> PlanContext {
    let stores: Arc<QueryStores> = Arc::new(Stores::for_query(&shared.stores, Arc::clone(meter)));
    let session = session.clone();
    let guard = caller(shared, &session).guard(&shared.metastore);
    let metastore: Arc<dyn Metastore> = Arc::clone(&guard) as _;
    let listing = Listing {
        stores: Arc::clone(&stores),
        metastore: Arc::clone(&metastore),
        kept: Arc::clone(&shared.listings),
        clock: Arc::clone(&shared.clock),
        policy: session.listing,
        concurrency: shared.options.listing_concurrency,
    };
    let scan = ScanContext {
        stores,
        meter: Arc::clone(meter),
        footers: Arc::clone(&shared.footers),
        fetch: Fetcher::for_query(&shared.fetcher, Arc::clone(meter)),
        listing,
        listing_concurrency: shared.options.listing_concurrency,
    };
    let system = SystemDeps {
        metastore: Arc::clone(&metastore),
        history: Arc::clone(shared.queries.history()),
        running: Arc::clone(&shared.queries),
        session: session.clone(),
        files: Arc::new(LiveFiles(scan.listing.clone())),
    };
    PlanContext {
        base: Arc::clone(&shared.state),
        guard,
        metastore,
        scan,
        system: Arc::new(system),
        session,
        clock: Arc::clone(&shared.clock),
    }
}

/// Whoever asks in this session.
pub(super) fn caller(shared: &Shared, session: &SessionOptions) -> Caller {
    Caller::new(session, shared.options.default_access, &shared.locations)
}

/// Carries out a statement that is no query.
pub(super) async fn answer(
    statement: &Statement,
    shared: &Arc<Shared>,
    session: &Session,
    context: &PlanContext,
) -> Result<RecordBatch> {
    let caller = caller(shared, &context.session);
    caller.check(statement, &session.database(), shared.metastore.as_ref()).await?;
    match statement {
        Statement::ShowQueries => show_queries(shared, &context.session),
        Statement::KillQuery { id } => {
            let id = id.parse().map(QueryId).map_err(|_| {
                Error::invalid(format!("\"{id}\" is not the id of a query")).with_hint("SHOW QUERIES lists those that run")
            })?;
            if !may_kill(shared, &context.session, id).await? {
                return Err(lifecycle::not_running(id));
            }
            shared.queries.kill(id, &context.session.user).await?;
            Ok(RecordBatch::new_empty(Arc::new(Schema::empty())))
        }
        Statement::Analyze(what) => {
            let (database, clock) = (session.database(), shared.clock.as_ref());
            let context = ProbeContext { metastore: &context.metastore, scan: &context.scan, database: &database, clock };
            analyze::analyze(what, &context).await
        }
        Statement::Crawl(what) => {
            let (database, clock) = (session.database(), shared.clock.as_ref());
            let tables_of = what.database.as_deref().unwrap_or(&database);
            context.guard.check_location(&statements::normalise_location(&what.url)?, tables_of).await?;
            let context = ProbeContext { metastore: &context.metastore, scan: &context.scan, database: &database, clock };
            crawl::crawl(what, &context).await
        }
        Statement::Refresh { table, partition } => refresh::table(table, partition.as_ref(), session, context).await,
        Statement::Repair { table, tail, .. } => {
            let told = statements::execute(statement, &definition_context(shared, session, context)).await?;
            refresh::after_repair(table, *tail, session, context).await?;
            Ok(told)
        }
        Statement::DropTable { .. } | Statement::DropDatabase { .. } => {
            let managed = Managed::dropped_by(statement, &session.database(), context.metastore.as_ref()).await?;
            let told = statements::execute(statement, &definition_context(shared, session, context)).await?;
            for table in managed {
                table.remove_files(shared.metastore.as_ref(), &context.scan.stores).await;
            }
            Ok(told)
        }
        definition => statements::execute(definition, &definition_context(shared, session, context)).await,
    }
}

/// What carrying out a definition needs.
pub(super) fn definition_context<'a>(shared: &'a Shared, session: &'a Session, context: &'a PlanContext) -> StatementContext<'a> {
    StatementContext {
        metastore: &context.metastore,
        stores: context.scan.stores.as_ref(),
        session,
        clock: shared.clock.as_ref(),
        views: context,
        progress: context.scan.meter.repair(),
        listing_concurrency: shared.options.listing_concurrency,
    }
}

/// Whether a query is one that the session's user may end.
async fn may_kill(shared: &Shared, session: &SessionOptions, id: QueryId) -> Result<bool> {
    let Some(own) = queries_of(session) else { return Ok(true) };
    if let Some(running) = shared.queries.list_running().into_iter().find(|running| running.query_id == id) {
        return Ok(running.user == own);
    }
    match shared.queries.history().get(id).await {
        Ok(record) => Ok(record.user == own),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn show_queries(shared: &Arc<Shared>, session: &SessionOptions) -> Result<RecordBatch> {
    let is_shown = |query: &RunningQuery| queries_of(session).is_none_or(|own| own == query.user);
    let row = |query: RunningQuery| {
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
    let rows: Vec<_> = shared.queries.list_running().into_iter().filter(is_shown).map(row).collect();
    table(RUNNING_COLUMNS, &rows)
}

fn table<const N: usize>(names: [&str; N], rows: &[[String; N]]) -> Result<RecordBatch> {
    let schema = Schema::new(names.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    let column = |at: usize| Arc::new(rows.iter().map(|row| Some(row[at].as_str())).collect::<StringArray>()) as ArrayRef;
    RecordBatch::try_new(Arc::new(schema), (0..N).map(column).collect()).map_err(|error| Error::internal(error.to_string()))
}

#[async_trait]
impl ViewPlanner for PlanContext {
    async fn columns(&self, query_text: &str, database: &str) -> Result<Vec<Column>> {
        let (context, text, database) = (self.clone(), query_text.to_owned(), database.to_owned());
        let planned = Box::pin(async move {
            let Statement::Query(query) = sql::parse(&text)? else {
                return Err(Error::invalid("a view is defined by a query").with_hint("Begin it with SELECT or WITH"));
            };
            let (state, plan) = context.logical(&query, &database).await?;
            // Types are the query's only after coercion.
            let plan = state.optimize(&plan).map_err(from_datafusion)?;
            let column =
                |field: &Arc<Field>| Ok(Column::new(fold(label(field.name())), HiveType::from_arrow(field.data_type())?));
            plan.schema().fields().iter().map(column).collect()
        });
        planning::apart(self.system.running.planning(), &self.session.user, planned).await
    }
}

/// Lists a table's files with the query's own stores, for `system.files`.
#[derive(Debug)]
struct LiveFiles(Listing);

#[async_trait]
impl FileLister for LiveFiles {
    async fn files(&self, table: &Table, index: &PartitionIndex, rows: &[usize]) -> Result<Vec<TableFile>> {
        let rows: Vec<u32> = rows.iter().filter_map(|row| u32::try_from(*row).ok()).collect();
        let files = self.0.files(table, index, &rows).await?;
        let file = |file: DataFile| TableFile {
            path: file.url(),
            size: file.meta.size,
            modified_at: file.meta.last_modified,
            partition: file.partition as usize,
        };
        Ok(files.into_iter().map(file).collect())
    }
}
