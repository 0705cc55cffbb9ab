//! The engine as its callers use it: how it is opened, and the methods that run statements and take rows.

use std::{
    path::Path,
    sync::{Arc, RwLock},
};

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};
use glaux_catalog::{
    Metastore,
    metastore::{MemoryMetastore, SqliteMetastore},
};

use crate::{
    access::{KnownWorkgroups, LocationPolicy, WorkgroupAssignments, WorkgroupsInUse},
    accounting::Tariffs,
    clock::{Clock, system_clock},
    config::EngineOptions,
    data_dir::{CACHE_DIRECTORY, CATALOG_FILE, RUN_DIRECTORY, SPILL_DIRECTORY},
    error::{Error, Result},
    execute::{
        Description, Parameters, PlannedQuery, describe::describe, executor::Executor, ingest::ingest, planning, quoting,
        recorded, run, shared::Shared,
    },
    formats::{Footers, KeptFooters},
    functions,
    hooks::Hooks,
    lifecycle::{Failure, History, Query, QueryManager, QueryObserver, Slots},
    plan,
    quote::Quote,
    scan::{Basis, Fetcher},
    scratch::ScratchFolder,
    session::{Session, SessionOptions},
    storage::{ClosedFiles, DataCache, Stores},
    system::Browser,
    table::RegisteredTables,
    write::{IngestSummary, IngestTarget, staged},
};

/// A query engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

/// Parts that an embedding program or a test brings itself; what is absent comes from the data directory.
#[derive(Debug, Default)]
pub struct Parts {
    pub metastore: Option<Arc<dyn Metastore>>,
    pub history: Option<Arc<History>>,
    pub clock: Option<Arc<dyn Clock>>,
    /// Is called for every query that ends.
    pub observer: Option<Arc<dyn QueryObserver>>,
    /// What workgroups are assigned to, which keeps them from being dropped.
    pub workgroup_assignments: Option<Arc<dyn WorkgroupAssignments>>,
}

impl Engine {
    /// Opens a data directory, by its path or by [`EngineOptions`] that name it. It is created if it does not exist.
    ///
    /// # Errors
    /// `Invalid` if the directory cannot be created or written, `CorruptData` if its files are not Glaux's; those of options that do not
    /// fit, such as a tariff that does not exist.
    pub async fn open(options: impl Into<EngineOptions>) -> Result<Self> {
        Self::open_with(options.into(), Parts::default()).await
    }

    /// Opens an engine whose catalog and history are in memory and end with it. Only what queries spill, and what is ingested into tables without a
    /// location, is written to disk, to a temporary folder that is removed with the engine.
    ///
    /// # Errors
    /// `Invalid` if the temporary folder could not be created.
    pub async fn in_memory() -> Result<Self> {
        let scratch = ScratchFolder::create()?;
        let options = EngineOptions { data_dir: scratch.path().to_owned(), footer_disk_bytes: 0, ..EngineOptions::default() };
        let parts = Parts {
            metastore: Some(Arc::new(MemoryMetastore::new())),
            history: Some(Arc::new(History::in_memory()?)),
            ..Parts::default()
        };
        Self::start(options, parts, Some(scratch)).await
    }

    /// Opens the data directory with some parts replaced.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_with(options: EngineOptions, parts: Parts) -> Result<Self> {
        Self::start(options, parts, None).await
    }

    async fn start(options: EngineOptions, parts: Parts, scratch: Option<ScratchFolder>) -> Result<Self> {
        options.storage.check()?;
        let Parts { metastore, history, clock, observer, workgroup_assignments } = parts;
        let clock = clock.unwrap_or_else(system_clock);
        let tariffs = Tariffs::new(&options.tariff, &options.tariffs, Arc::clone(&clock))?;
        let (data_dir, kept, time) = (options.data_dir.clone(), options.history, Arc::clone(&clock));
        let open_history = move |data_dir: &Path| History::open_with(data_dir, kept, time);
        let opened = tokio::task::spawn_blocking(move || open_files(&data_dir, metastore, history, open_history)).await;
        let (metastore, history) = opened.map_err(|error| Error::internal("opening was interrupted").with_source(error))??;
        let queries = QueryManager::new(history, tariffs, options.max_concurrent_queries, Arc::clone(&clock))
            .with_texts(recorded::rules(options.history.redact_literals));
        queries.set_hooks(Hooks::new(options.hooks.clone())?);
        if let Some(observer) = observer {
            queries.observe(observer)?;
        }
        let queries = Arc::new(queries);
        let caches = options.data_dir.join(CACHE_DIRECTORY);
        let kept = KeptFooters::open(&caches, options.footer_disk_bytes, Arc::clone(&clock));
        let cache = DataCache::open(&options.data_cache, &caches.join("data"))?;
        let closed = ClosedFiles::new(&options.data_dir, &options.locations.closed);
        let stores = Stores::without(options.storage.clone(), closed);
        let locations = Arc::new(LocationPolicy::new(&options.locations, &options.data_dir, stores.closed())?);
        let shared = Shared {
            metastore,
            stores,
            locations,
            footers: Footers::new(options.footer_cache_bytes, kept),
            listings: Arc::default(),
            fetcher: Fetcher::new(options.fetch, &options.storage, cache),
            workgroups: KnownWorkgroups::default(),
            workgroups_in_use: WorkgroupsInUse::new(&queries, workgroup_assignments),
            queries,
            planning: Slots::new(planning::SLOTS),
            executor: Arc::new(Executor::new()?),
            state: RwLock::new(Arc::new(plan::base_state(&options)?)),
            registered: Arc::new(RegisteredTables::default()),
            session: Session::new(SessionOptions::default()),
            clock,
            options,
            scratch,
        };
        // Known from the beginning, so that a catalog that goes away stops only what needs it.
        _ = shared.workgroups.get(&shared.session.options().workgroup, shared.metastore.as_ref()).await;
        Ok(Self(Arc::new(shared)))
    }

    /// Takes in one statement and returns its result as a stream. Dropping the stream, or this future, cancels the query.
    ///
    /// # Errors
    /// The error with the query's report: the query is recorded and, if its ending is one that pays, billed.
    pub async fn submit(&self, session: &Session, statement: &str) -> Result<Query, Failure> {
        run::submit(&self.0, session, statement).await
    }

    /// Takes rows into a table, which is created if the target says so: all of them, or none. No file is visible, and the catalog is not changed,
    /// before the last row has arrived; an error among the batches fails the query. Dropping the future cancels the query and removes what it
    /// wrote. Free of charge.
    ///
    /// # Errors
    /// The error with the query's report: `Invalid` for columns and values that do not fit the table, naming them, `Conflict` if the
    /// table is changed in the meantime, `Unsupported` for tables that take no rows; otherwise those of the batches, the catalog and the store.
    pub async fn ingest(
        &self,
        session: &Session,
        target: IngestTarget,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> Result<IngestSummary, Failure> {
        ingest(&self.0, session, target, batches.boxed()).await
    }

    /// Takes in one statement and plans it, with these values for its parameters. Table data is read and definitions are changed only
    /// when it is run.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn plan(&self, session: &Session, statement: &str, parameters: &Parameters) -> Result<PlannedQuery, Failure> {
        run::plan(&self.0, session, statement, parameters).await
    }

    /// What a statement takes at most, without running it: bytes, requests and price, from the plan that would be run and the metadata of the files
    /// that it would read. Metadata that are not known are read; with [`Basis::Known`], nothing is. It is recorded as `EXPLAIN (TYPE COST)`, and free.
    ///
    /// # Errors
    /// The error with the report of quoting: the statement's, of parsing and planning it; those of reading and decoding the metadata of files.
    pub async fn quote(
        &self,
        session: &Session,
        statement: &str,
        parameters: &Parameters,
        basis: Basis,
    ) -> Result<Quote, Failure> {
        quoting::quote(&self.0, session, statement, parameters, basis).await
    }

    /// The columns that a statement returns and its parameters. It is not recorded, and makes no request to a store.
    ///
    /// # Errors
    /// Those of parsing it and of resolving its names.
    pub async fn describe(&self, session: &Session, statement: &str) -> Result<Description> {
        describe(&self.0, session, statement).await
    }

    /// What the session's user may see of the catalog.
    #[must_use]
    pub fn browse(&self, session: &Session) -> Browser {
        Browser::new(self.0.caller(&session.options()), Arc::clone(&self.0.metastore))
    }

    /// The catalog as the session's user may see and change it. Grants are read once: use it for one call.
    #[must_use]
    pub fn catalog(&self, session: &Session) -> Arc<dyn Metastore> {
        self.0.caller(&session.options()).guard(&self.0.metastore)
    }

    /// The names of the functions that a query may call, in order.
    #[must_use]
    pub fn function_names(&self) -> Vec<String> {
        functions::names(&self.0.state())
    }

    /// The session of statements for which no other is named: that of an administrator, as whoever opens an engine is one. `USE` and
    /// `SET SESSION` change it.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.0.session
    }

    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    #[must_use]
    pub fn metastore(&self) -> &Arc<dyn Metastore> {
        &self.0.metastore
    }

    #[must_use]
    pub fn stores(&self) -> &Arc<Stores> {
        &self.0.stores
    }

    /// The queries that are running or waiting to run.
    #[must_use]
    pub fn queries(&self) -> &Arc<QueryManager> {
        &self.0.queries
    }

    #[must_use]
    pub fn history(&self) -> &Arc<History> {
        self.0.queries.history()
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }
}

/// The catalog and the history of a data directory, except those that are given.
fn open_files(
    data_dir: &Path,
    metastore: Option<Arc<dyn Metastore>>,
    history: Option<Arc<History>>,
    open_history: impl FnOnce(&Path) -> Result<History>,
) -> Result<(Arc<dyn Metastore>, Arc<History>)> {
    make_directory(data_dir)?;
    // They hold data of tables.
    for folder in [CACHE_DIRECTORY, SPILL_DIRECTORY] {
        make_directory(&data_dir.join(folder))?;
    }
    staged::sweep(&data_dir.join(RUN_DIRECTORY));
    let metastore = match metastore {
        Some(metastore) => metastore,
        None => Arc::new(SqliteMetastore::open(data_dir.join(CATALOG_FILE))?),
    };
    let history = match history {
        Some(history) => history,
        None => Arc::new(open_history(data_dir)?),
    };
    Ok((metastore, history))
}

fn make_directory(directory: &Path) -> Result<()> {
    glaux_catalog::private::create_folder(directory).map_err(|error| {
        Error::invalid(format!("data directory \"{}\" could not be created", directory.display()))
            .with_hint("Choose a data directory that is writable")
            .with_setting("engine.data_dir")
            .with_source(error)
    })
}
