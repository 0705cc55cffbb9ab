//! What one query works with, made once for each query from the engine's handles: nothing else takes them apart.

use std::sync::Arc;

use async_trait::async_trait;
use glaux_catalog::{Metastore, model::Table, partition::PartitionIndex};

use super::shared::Shared;
use crate::{
    access::queries_of,
    accounting::Meter,
    error::Result,
    lifecycle::Limits,
    plan::{PlanContext, QueryMemory},
    scan::{DataFile, Fetcher},
    session::{Session, SessionOptions},
    statements::{StatementContext, ViewPlanner},
    storage::Stores,
    system::{FileLister, SystemContext, TableFile},
    table::{Listing, ScanContext},
};

/// What planning a query needs, with the query's own meter below every store.
pub(crate) fn for_query(shared: &Shared, meter: &Arc<Meter>, session: &SessionOptions, limits: &Limits) -> PlanContext {
    let stores = Arc::new(Stores::for_query(&shared.stores, Arc::clone(meter)));
    let guard = shared.caller(session).guard(&shared.metastore);
    let metastore: Arc<dyn Metastore> = Arc::clone(&guard) as _;
    let listing = Listing {
        stores: Arc::clone(&stores),
        metastore: Arc::clone(&metastore),
        kept: Arc::clone(&shared.listings),
        clock: Arc::clone(&shared.clock),
        policy: session.listing,
        concurrency: shared.options.listing_concurrency,
    };
    let system = SystemContext {
        metastore: Arc::clone(&metastore),
        queries: Arc::clone(&shared.queries),
        only_user: queries_of(session).map(str::to_owned),
        files: Arc::new(LiveFiles(listing.clone())),
    };
    let scan = ScanContext {
        stores,
        meter: Arc::clone(meter),
        footers: Arc::clone(&shared.footers),
        fetch: Fetcher::for_query(&shared.fetcher, Arc::clone(meter)),
        listing,
        requires_partition_filter: limits.require_partition_filter,
    };
    let base = shared.state();
    let memory = QueryMemory::new(&base.runtime_env().memory_pool, limits.memory_limit, meter);
    PlanContext {
        base,
        memory,
        guard,
        metastore,
        scan,
        registered: Arc::clone(&shared.registered),
        system: Arc::new(system),
        session: session.clone(),
        clock: Arc::clone(&shared.clock),
    }
}

/// What carrying out a statement needs beyond the context of its query.
pub(crate) fn for_statement<'a>(
    shared: &'a Shared,
    session: &'a Session,
    plan: &'a PlanContext,
    views: &'a dyn ViewPlanner,
) -> StatementContext<'a> {
    StatementContext {
        session,
        plan,
        stores: plan.scan.stores.as_ref(),
        views,
        queries: &shared.queries,
        hooks: &shared.options.hooks,
        unguarded: shared.metastore.as_ref(),
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
