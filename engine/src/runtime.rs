//! The engine: what all queries of a process share, opened from its options.

use std::{path::Path, sync::Arc};

use arrow::array::RecordBatch;
use datafusion::execution::context::SessionState;
use futures::{Stream, StreamExt};
use glaux_catalog::{Metastore, metastore::SqliteMetastore};

use crate::{
    clock::{Clock, system_clock},
    config::EngineOptions,
    error::{Error, Result},
    functions, plan,
    query::{
        Description, Failure, History, Parameters, PlannedQuery, Query, QueryManager, QueryObserver, access::LocationPolicy,
        executor::Executor, ingest, run,
    },
    scan::{Fetcher, Footers, KeptFooters, KeptListings},
    session::Session,
    storage::{ClosedFiles, DataCache, Stores},
    system::Browser,
    write::{IngestSummary, IngestTarget, staged},
};

/// The catalog's file in a data directory.
pub const CATALOG_FILE: &str = "catalog.sqlite";

/// What can be read again is below this directory of a data directory.
pub const CACHE_DIRECTORY: &str = "cache";

/// What queries spill is below this directory of a data directory.
pub(crate) const SPILL_DIRECTORY: &str = "spill";

/// Files about running processes are below this directory of a data directory.
pub(crate) const RUN_DIRECTORY: &str = "run";

/// A query engine. Clones share it.
#[derive(Debug, Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

/// What an engine's queries share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: EngineOptions,
    pub metastore: Arc<dyn Metastore>,
    pub stores: Arc<Stores>,
    pub locations: Arc<LocationPolicy>,
    pub footers: Arc<Footers>,
    pub listings: Arc<KeptListings>,
    pub fetcher: Arc<Fetcher>,
    pub queries: Arc<QueryManager>,
    pub executor: Arc<Executor>,
    pub state: Arc<SessionState>,
    pub clock: Arc<dyn Clock>,
}

/// Parts that an embedding program or a test brings itself; what is absent comes from the data directory.
#[derive(Debug, Default)]
pub struct Parts {
    pub metastore: Option<Arc<dyn Metastore>>,
    pub history: Option<Arc<History>>,
    pub clock: Option<Arc<dyn Clock>>,
    /// Hears of every query that ends.
    pub observer: Option<Arc<dyn QueryObserver>>,
}

impl Engine {
    /// Opens the data directory, which is made if it does not exist.
    ///
    /// # Errors
    /// `Invalid` if the directory cannot be made or written, `CorruptData` if what is in it is not Glaux's.
    pub async fn open(options: EngineOptions) -> Result<Self> {
        Self::open_with(options, Parts::default()).await
    }

    /// Opens the data directory with some parts replaced.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_with(options: EngineOptions, parts: Parts) -> Result<Self> {
        options.storage.check()?;
        let Parts { metastore, history, clock, observer } = parts;
        let clock = clock.unwrap_or_else(system_clock);
        let (data_dir, kept, time) = (options.data_dir.clone(), options.history, Arc::clone(&clock));
        let open_history = move |data_dir: &Path| History::open_with(data_dir, kept, time);
        let opened = tokio::task::spawn_blocking(move || open_files(&data_dir, metastore, history, open_history)).await;
        let (metastore, history) = opened.map_err(|error| Error::internal("opening was given up").with_source(error))??;
        let queries = QueryManager::new(history, options.tariff, options.max_concurrent_queries, Arc::clone(&clock));
        if let Some(observer) = observer {
            queries.observe(observer)?;
        }
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
            queries: Arc::new(queries),
            executor: Arc::new(Executor::new()?),
            state: Arc::new(plan::base_state(&options)?),
            clock,
            options,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// Takes in one statement and answers with its result as a stream, or with why there is none. Dropping either cancels the query.
    ///
    /// # Errors
    /// The error with the query's report: it is recorded and, if it is one that pays, billed.
    pub async fn submit(&self, session: &Session, statement: &str) -> Result<Query, Failure> {
        run::submit(&self.0, session, statement).await
    }

    /// Takes rows into a table, which is created if it is asked for: all of them, or none. Nobody sees a file, and the catalog knows of
    /// nothing, before the last row has come; an error among the batches fails the query. Dropping the future cancels the query and
    /// removes what it wrote. Free of charge.
    ///
    /// # Errors
    /// The error with the query's report: `Invalid` for columns and values that do not fit the table, naming them, `Conflict` if the
    /// table is changed meanwhile, `Unsupported` for tables that take no rows; otherwise those of the batches, the catalog and the store.
    pub async fn ingest(
        &self,
        session: &Session,
        target: IngestTarget,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> Result<IngestSummary, Failure> {
        ingest::ingest(&self.0, session, target, batches.boxed()).await
    }

    /// Takes in one statement and plans it, with these values for its parameters. Table data is read and definitions are changed only
    /// when it is run.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn plan(&self, session: &Session, statement: &str, parameters: &Parameters) -> Result<PlannedQuery, Failure> {
        run::plan(&self.0, session, statement, parameters).await
    }

    /// What a statement gives and which parameters it has. It is not recorded, and costs no request.
    ///
    /// # Errors
    /// Those of parsing it and of resolving its names.
    pub async fn describe(&self, session: &Session, statement: &str) -> Result<Description> {
        run::describe(&self.0, session, statement).await
    }

    /// What the session's user may see of the catalog.
    #[must_use]
    pub fn browse(&self, session: &Session) -> Browser {
        run::browse(&self.0, session)
    }

    /// The catalog as the session's user may see and change it. Grants are read once: it is good for one call.
    #[must_use]
    pub fn catalog(&self, session: &Session) -> Arc<dyn Metastore> {
        run::catalog(&self.0, session)
    }

    /// The names of the functions that a query may call, in order.
    #[must_use]
    pub fn function_names(&self) -> Vec<String> {
        functions::names(&self.0.state)
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

    /// The queries that run, and the places they wait for.
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

/// The catalog and the history of a data directory, where they are not given.
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
        Error::invalid(format!("data directory \"{}\" cannot be made", directory.display()))
            .with_hint("Choose a data directory that can be written to")
            .with_setting("engine.data_dir")
            .with_source(error)
    })
}
