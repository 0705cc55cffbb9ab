//! The stores of a process, built once each, and the view of them that one query has.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::{
    error::{DataFusionError, Result as DataFusionResult},
    execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl},
};
use glaux_catalog::discovery::{Lister, OpenLocation, StoreProvider};
use object_store::{ObjectStore, path::Path};

use super::{
    builder::{self, Backend},
    closed::ClosedFiles,
    environment::Environment,
    list::StoreLister,
    local::LocalStore,
    metered::TaggedStore,
    options::StorageOptions,
    origin::StoreOrigin,
    own,
    real::RealLocation,
    scheme::Scheme,
    url::{self, StoreKey},
    wire::WireConnector,
};
use crate::{
    accounting::Meter,
    error::{Error, Result, to_datafusion},
};

/// All stores that were asked for, by scheme and bucket. They share their connections.
#[derive(Debug)]
pub struct Stores {
    options: StorageOptions,
    environment: Environment,
    wire: WireConnector,
    closed: Arc<ClosedFiles>,
    built: Mutex<HashMap<StoreKey, Backend>>,
}

impl Stores {
    /// Stores by these settings over the process's environment.
    #[must_use]
    pub fn new(options: StorageOptions) -> Arc<Self> {
        Self::with_environment(options, Environment::of_process())
    }

    /// Stores by these settings over the process's environment, in which some files of this machine are closed.
    #[must_use]
    pub fn without(options: StorageOptions, closed: ClosedFiles) -> Arc<Self> {
        Self::build(options, Environment::of_process(), closed)
    }

    /// Stores by these settings over the given variables.
    #[must_use]
    pub fn with_environment(options: StorageOptions, environment: Environment) -> Arc<Self> {
        Self::build(options, environment, ClosedFiles::default())
    }

    fn build(options: StorageOptions, environment: Environment, closed: ClosedFiles) -> Arc<Self> {
        let (wire, closed) = (WireConnector::default(), Arc::new(closed));
        Arc::new(Self { options, environment, wire, closed, built: Mutex::default() })
    }

    /// The files that are closed to everybody.
    pub(crate) fn closed(&self) -> &Arc<ClosedFiles> {
        &self.closed
    }

    #[must_use]
    pub fn options(&self) -> &StorageOptions {
        &self.options
    }

    /// Where the requests for a location go and whose credentials they carry, in words; `None` for files of this machine.
    ///
    /// # Errors
    /// `Invalid` for a URL that names no store, an endpoint that is no URL, and a variable that is neither true nor false.
    pub fn origin(&self, url: &str) -> Result<Option<StoreOrigin>> {
        StoreOrigin::of(&url::parse(url)?.store, &self.options, &self.environment)
    }

    /// Puts a store behind a bucket's URL, in the place of the one that the settings would make.
    ///
    /// # Errors
    /// `Invalid` for a URL that is not a whole bucket's, `AlreadyExists` if the bucket has a store.
    pub(crate) fn register(&self, url: &str, store: Arc<dyn ObjectStore>) -> Result<()> {
        let parsed = url::parse(url)?;
        if !matches!(parsed.store.scheme, Scheme::S3 | Scheme::Google | Scheme::Azure) || !parsed.path.as_ref().is_empty() {
            return Err(Error::invalid(format!("no store can be registered for \"{url}\"")).with_hint(
                "Name a whole bucket, such as s3://bucket, gs://bucket or abfss://container@account.dfs.core.windows.net",
            ));
        }
        match self.built.lock().unwrap_or_else(PoisonError::into_inner).entry(parsed.store) {
            Entry::Occupied(entry) => Err(Error::already_exists(format!("\"{}\" already has a store", entry.key()))
                .with_hint("Register a store once, before the first statement that uses its bucket")),
            Entry::Vacant(entry) => {
                let backend = own::backend(entry.key(), store);
                entry.insert(backend);
                Ok(())
            }
        }
    }

    /// The stores as one query sees them: every request counts in `meter`, under its store.
    #[must_use]
    pub fn for_query(this: &Arc<Self>, meter: Arc<Meter>) -> QueryStores {
        QueryStores { stores: Arc::clone(this), meter }
    }

    fn backend(&self, key: &StoreKey) -> Result<Backend> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = built.get(key) {
            return Ok(backend.clone());
        }
        let backend = builder::build(key, &self.options, &self.environment, &self.wire, &self.closed)?;
        built.insert(key.clone(), backend.clone());
        Ok(backend)
    }
}

/// A location, opened: where its bytes and its keys come from.
#[derive(Debug, Clone)]
pub struct Location {
    pub store: Arc<dyn ObjectStore>,
    pub lister: Arc<dyn Lister>,
    /// Scheme and bucket, by which DataFusion finds the store again.
    pub store_url: ObjectStoreUrl,
    /// The key, raw, without a slash at either end; empty for the whole bucket.
    pub path: Path,
}

/// The stores of one query.
#[derive(Debug, Clone)]
pub struct QueryStores {
    stores: Arc<Stores>,
    meter: Arc<Meter>,
}

impl QueryStores {
    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Opens a URL or a plain path. Nothing is sent: whether there is anything shows with the first request.
    ///
    /// # Errors
    /// `Invalid` for a URL that names no store, or settings that do not fit; `Unsupported` for a scheme that is not offered.
    pub fn resolve(&self, url: &str) -> Result<Location> {
        let parsed = url::parse(url)?;
        let (store, lister) = self.open_store(&parsed.store)?;
        let store_url = ObjectStoreUrl::parse(parsed.store.to_string()).map_err(|source| {
            Error::invalid(format!("\"{}\" is not a valid name of a store", parsed.store)).with_source(source)
        })?;
        Ok(Location { store, lister, store_url, path: parsed.path })
    }

    fn open_store(&self, key: &StoreKey) -> Result<(Arc<dyn ObjectStore>, Arc<StoreLister>)> {
        let Backend { store, pages, place } = self.stores.backend(key)?;
        let meter = self.meter.store(&key.to_string());
        let lister = Arc::new(StoreLister::new(pages, Arc::clone(&meter), Arc::clone(&place)));
        let policy = self.stores.options.range_policy();
        let store: Arc<dyn ObjectStore> = match store {
            Some(store) => Arc::new(TaggedStore::new(store, Arc::clone(&lister), meter, place, policy)),
            None => Arc::new(LocalStore::new(Arc::clone(&lister), meter, place, policy, Arc::clone(&self.stores.closed))),
        };
        Ok((store, lister))
    }
}

impl ObjectStoreRegistry for QueryStores {
    /// Refused by doing nothing: stores come from the settings only.
    fn register_store(&self, _: &::url::Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn deregister_store(&self, url: &::url::Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        Err(DataFusionError::NotImplemented(format!("the store \"{url}\" cannot be deregistered")))
    }

    fn get_store(&self, url: &::url::Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        let root = &url[..::url::Position::BeforePath];
        let open = || self.open_store(&url::parse(root)?.store);
        open().map(|(store, _)| store).map_err(to_datafusion)
    }
}

impl StoreProvider for QueryStores {
    fn open(&self, location: &str) -> Result<OpenLocation> {
        let location = self.resolve(location)?;
        Ok(OpenLocation { lister: location.lister, prefix: location.path.into() })
    }

    fn real(&self, location: &str) -> String {
        RealLocation::of(location).map_or_else(|_| location.trim_end_matches('/').to_owned(), |real| real.to_string())
    }
}
