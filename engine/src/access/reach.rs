//! Which locations a caller may name: the one check for tables, databases, partitions, templates, ingest and crawls.
//!
//! A location is judged by the place it leads to, not by how it is written ([`RealLocation`]). In this order:
//!
//! 1. The server's own files are closed to everybody; reads and writes of local files check this once more.
//! 2. The data directory's folders `lake` and `warehouse`, the prefixes of the configuration, and the caller's own places (the database's
//!    location, the table's present one) are open. To users, `warehouse` is open only below the folder of a database that they see, and not that
//!    folder itself: whoever named it would read everything that is put there later.
//! 3. Elsewhere, administrators may name any location of a kind that the configuration has not closed: files of this machine, and plain HTTP.
//! 4. Others may name nothing elsewhere, and nowhere what lies within or above the location of another table that they may not read; to write
//!    there, that they may not write.
//!
//! A table that was defined stays readable to everybody who is granted access to it: that is a matter of grants.

use std::{collections::HashSet, sync::Arc};

use glaux_catalog::{
    Metastore, TableName,
    ident::fold,
    model::{Access, GrantObject, Table},
    partition::Projection,
};

use super::{caller::Caller, locations::LocationPolicy, rights::Rights};
use crate::{
    config::LocationOptions,
    error::{Error, ErrorKind, Result},
    session::Role,
    storage::{RealLocation, closed_location},
};

/// Where one caller may name locations, by the grants of one moment.
#[derive(Debug)]
pub(crate) struct Reach {
    policy: Arc<LocationPolicy>,
    role: Role,
    user: String,
    /// Locations of tables that the caller may not read, or not write.
    kept_from: Vec<RealLocation>,
    /// The databases that the caller, a user, sees.
    databases: HashSet<String>,
}

impl Reach {
    /// `wanted` is what the caller wants to do with the files: read, or write. `catalog` shows everything.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(super) async fn of(caller: &Caller, rights: &Rights, wanted: Access, catalog: &dyn Metastore) -> Result<Self> {
        let (kept_from, databases) = match caller.role {
            Role::Administrator => Default::default(),
            Role::User => kept_from(rights, wanted, catalog, &caller.locations).await?,
        };
        Ok(Self { policy: Arc::clone(&caller.locations), role: caller.role, user: caller.user.clone(), kept_from, databases })
    }

    /// Whether a location is outside the folders in which ingest puts tables, or within that of a database which the user sees.
    fn spares_warehouse(&self, location: &RealLocation) -> bool {
        let Some(warehouse) = self.policy.warehouse.as_ref().filter(|warehouse| warehouse.overlaps(location)) else {
            return true;
        };
        let database = location.below(warehouse).and_then(|path| path.split_once('/')).map(|(database, _)| fold(database));
        database.is_some_and(|database| self.databases.contains(&database))
    }

    /// Checks a location. `own` are places below which the caller may name any.
    ///
    /// # Errors
    /// `Denied`; to users the same for places that are not open and for those of others. `Invalid` and `Unsupported` for locations that no store has.
    pub(crate) fn check(&self, location: &str, own: &[String]) -> Result<()> {
        let real = match (RealLocation::of(location), self.role) {
            (Ok(real), _) => real,
            // As in Hive, it can be defined, and not be read.
            (Err(_), Role::Administrator) => return Ok(()),
            (Err(error), Role::User) => return Err(error),
        };
        if real.file().is_some_and(|file| self.policy.closed.holds(&file)) {
            return Err(closed_location(location));
        }
        let is_own = own.iter().filter_map(|own| RealLocation::of(own).ok()).any(|own| real.is_within(&own));
        match self.role {
            Role::Administrator if is_own || self.policy.opens(&real) => Ok(()),
            Role::Administrator => self.check_kind(location, &real),
            Role::User
                if (is_own || self.policy.opens(&real) && self.spares_warehouse(&real))
                    && !self.kept_from.iter().any(|other| other.overlaps(&real)) =>
            {
                Ok(())
            }
            Role::User => Err(Error::new(ErrorKind::Denied, format!("location \"{location}\" is closed to user \"{}\"", self.user))
                .with_hint(
                    "Users define and write tables below their database's location and below the prefixes of engine.locations.allowed, \
                     and not where others' tables are that they may not read or write",
                )),
        }
    }

    /// Checks where an existing table is written. Whether the place may be named was checked when the table was defined.
    ///
    /// # Errors
    /// `Denied` where others' tables are, and where the server's own files are.
    pub(crate) fn check_others(&self, table: &TableName, location: &str) -> Result<()> {
        self.check(location, &[location.to_owned()]).map_err(|error| error.with_context("table", table.to_string()))
    }

    fn check_kind(&self, location: &str, real: &RealLocation) -> Result<()> {
        let LocationOptions { file, http, .. } = self.policy.options;
        let (what, key) = if real.is_file() && file == Some(false) {
            ("local files", "engine.locations.file")
        } else if real.is_http() && http == Some(false) {
            ("plain HTTP", "engine.locations.http")
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Denied,
            format!("location \"{location}\" is closed: this server does not allow tables over {what}"),
        )
        .with_hint(format!("Set {key} = true, or add a prefix to engine.locations.allowed, in the server's configuration")))
    }

    /// Checks a table's location, and where its template of locations leads. Whatever is as in `before` is not checked again.
    ///
    /// # Errors
    /// As [`Reach::check`].
    pub(super) fn check_table(&self, table: &Table, before: Option<&Table>, own: &[String]) -> Result<()> {
        if table.is_view() {
            return Ok(());
        }
        // The locations of a view were never checked.
        let before = before.filter(|before| !before.is_view());
        if before.is_none_or(|before| before.root() != table.root()) {
            self.check(&table.root(), own)?;
        }
        let template = Projection::template_folder(table);
        if let Some(folder) = template.filter(|folder| before.and_then(Projection::template_folder).as_ref() != Some(folder)) {
            self.check(&folder, &[own, &[table.root()]].concat())?;
        }
        Ok(())
    }
}

/// The locations of databases, tables and partitions to which the caller has less access than wanted, and the databases that are not shut.
async fn kept_from(
    rights: &Rights,
    wanted: Access,
    catalog: &dyn Metastore,
    policy: &LocationPolicy,
) -> Result<(Vec<RealLocation>, HashSet<String>)> {
    let (mut kept, mut seen) = (Vec::new(), HashSet::new());
    let mut keep = |location: &str| kept.extend(RealLocation::of(location));
    for database in catalog.databases().await? {
        let is_shut = rights.on_database(&database.name) < wanted;
        if is_shut && !rights.shows_database(&database.name) {
            database.location.iter().for_each(|location| keep(location));
            if let Some(folder) = policy.warehouse.as_ref().and_then(RealLocation::file) {
                keep(&folder.join(&database.name).to_string_lossy());
            }
        } else {
            seen.insert(database.name.clone());
        }
        if !is_shut && !rights.tables.iter().any(|(name, access)| name.database == database.name && *access < wanted) {
            continue;
        }
        for table in catalog.tables(&database.name).await? {
            if table.is_view() || rights.on(&GrantObject::Table(table.name.clone())) >= wanted {
                continue;
            }
            keep(&table.root());
            Projection::template_folder(&table).iter().for_each(|folder| keep(folder));
            if table.is_partitioned() {
                let index = catalog.partition_index(&table).await?;
                for row in index.located() {
                    keep(&index.location(*row as usize, &table.root()));
                }
            }
        }
    }
    Ok((kept, seen))
}
