//! A metastore as one caller sees it: it shows what they may see of another metastore, and makes the changes that they may make. The decisions
//! are made elsewhere.
//!
//! It remembers which tables were looked up through it, so that a query that was planned on it can be judged once more when it runs
//! ([`Guarded::renew`]). `definitions`, `grants`, `attachments` and `workgroups` are the four concerns of a metastore.

mod attachments;
mod definitions;
mod grants;
mod workgroups;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use glaux_catalog::{
    Metastore, TableName,
    ident::fold,
    model::{Access, GrantObject},
};
use tokio::sync::OnceCell;

use super::{caller::Caller, reach::Reach, rights::Rights};
use crate::{
    error::{Error, ErrorKind, Result},
    session::Role,
};

/// The catalog as one caller has it, by the grants of one moment.
#[derive(Debug)]
pub(crate) struct Guarded {
    catalog: Arc<dyn Metastore>,
    moment: Mutex<Arc<Moment>>,
    /// The tables and views that were found to be readable.
    looked_up: Mutex<BTreeSet<TableName>>,
}

/// Who asks, and what they may. Grants are read once, when they are first needed.
#[derive(Debug)]
struct Moment {
    caller: Caller,
    rights: OnceCell<Arc<Rights>>,
    reach: OnceCell<Arc<Reach>>,
}

impl Moment {
    fn new(caller: Caller) -> Arc<Self> {
        Arc::new(Self { caller, rights: OnceCell::new(), reach: OnceCell::new() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caller {
    /// The catalog as the caller may see and change it. Grants are read once, when they are first needed.
    pub(crate) fn guard(&self, metastore: &Arc<dyn Metastore>) -> Arc<Guarded> {
        Arc::new(Guarded::new(self.clone(), Arc::clone(metastore)))
    }
}

impl Guarded {
    fn new(caller: Caller, catalog: Arc<dyn Metastore>) -> Self {
        Self { catalog, moment: Mutex::new(Moment::new(caller)), looked_up: Mutex::default() }
    }

    fn moment(&self) -> Arc<Moment> {
        Arc::clone(&lock(&self.moment))
    }

    fn is_administrator(&self) -> bool {
        self.moment().caller.role == Role::Administrator
    }

    async fn rights(&self) -> Result<Arc<Rights>> {
        let moment = self.moment();
        let read = || async {
            Ok(Arc::new(match moment.caller.role {
                Role::Administrator => Rights::all(),
                Role::User => moment.caller.rights(&self.catalog.grants().await?),
            }))
        };
        moment.rights.get_or_try_init(read).await.cloned()
    }

    /// Reads grants anew, for the caller of now, and checks again everything that was looked up.
    ///
    /// # Errors
    /// `Denied` for a table that the caller may no longer read, and for a caller who is no longer an administrator; those of the catalog.
    pub(crate) async fn renew(&self, caller: Caller) -> Result<()> {
        let was_administrator = self.is_administrator();
        if was_administrator && caller.role != Role::Administrator {
            return Err(Error::new(ErrorKind::Denied, "the statement was planned for an administrator")
                .with_hint("Run the statement again"));
        }
        *lock(&self.moment) = Moment::new(caller);
        let looked_up = lock(&self.looked_up).clone();
        if looked_up.is_empty() {
            return Ok(());
        }
        let rights = self.rights().await?;
        looked_up.into_iter().try_for_each(|name| rights.require(&GrantObject::Table(name), Access::Read))
    }

    /// Takes read access to a table that is not in the catalog, and judges it once more when the query runs.
    ///
    /// # Errors
    /// `Denied`; those of the catalog.
    pub(crate) async fn look_up(&self, name: &TableName) -> Result<()> {
        self.require_table(name, Access::Read).await?;
        lock(&self.looked_up).insert(name.clone());
        Ok(())
    }

    /// Where the caller may name locations, of files to be read (`Access::Read`) or to be written.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(crate) async fn reach(&self, wanted: Access) -> Result<Arc<Reach>> {
        let (moment, rights) = (self.moment(), self.rights().await?);
        let find = || async { Ok(Arc::new(Reach::of(&moment.caller, &rights, wanted, self.catalog.as_ref()).await?)) };
        match wanted {
            Access::Read => moment.reach.get_or_try_init(find).await.cloned(),
            _ => find().await,
        }
    }

    /// Refuses a location that the caller may not name for files to be read by tables of a database.
    ///
    /// # Errors
    /// `Denied`; those of the catalog.
    pub(crate) async fn check_location(&self, location: &str, database: &str) -> Result<()> {
        self.reach(Access::Read).await?.check(location, &self.places_of(database).await?)
    }

    /// Where tables of a database may be, by the database's own location.
    ///
    /// # Errors
    /// Those of the catalog, but for a database that does not exist: what is done next says so.
    pub(crate) async fn places_of(&self, database: &str) -> Result<Vec<String>> {
        match self.catalog.database(&fold(database)).await {
            Ok(database) => Ok(database.location.into_iter().collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn require(&self, object: GrantObject, wanted: Access) -> Result<()> {
        self.rights().await?.require(&object.folded(), wanted)
    }

    async fn require_table(&self, name: &TableName, wanted: Access) -> Result<()> {
        self.require(GrantObject::Table(name.clone()), wanted).await
    }
}
