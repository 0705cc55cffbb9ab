//! Who may do what with databases, tables and views: the one place that decides, for every front end.
//!
//! Administrators may everything. For others the most specific object with a grant for them decides: the table, then its database, then
//! the catalog; on one object a user's own grant before those of their groups; of several groups' grants `none` wins, and else the
//! highest. Where nothing is granted, the engine's default holds. Who has no access to a name is told the same whether it exists or not.
//!
//! [`Caller::guard`] puts a metastore in front of the catalog that shows and takes what the caller may; whatever a query or a statement
//! looks up, it looks up there. [`Caller::check`] refuses a statement before it begins, and [`Reach`] a location. Which queries a user sees
//! and ends is decided by [`queries_of`]. Who the caller is was found out before.

mod guarded;
mod locations;
#[cfg(test)]
mod tests;
mod views;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use glaux_catalog::{
    Metastore, TableName,
    ident::fold,
    model::{Access, Grant, GrantObject, Grantee},
};

pub(crate) use self::{
    guarded::Guarded,
    locations::{LocationPolicy, Reach, WAREHOUSE},
    views::denied as view_denied,
};
use crate::{
    error::{Error, ErrorKind, Result},
    session::{Role, SessionOptions},
    sql::{Statement, TableRef},
};

/// Who asks, as far as it matters to what they may.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    user: String,
    groups: Vec<String>,
    role: Role,
    /// Where nothing is granted.
    default: Access,
    locations: Arc<LocationPolicy>,
}

impl Caller {
    pub(crate) fn new(session: &SessionOptions, default: Access, locations: &Arc<LocationPolicy>) -> Self {
        let (user, groups, locations) = (session.user.clone(), session.groups.clone(), Arc::clone(locations));
        Self { user, groups, role: session.role, default, locations }
    }

    /// The catalog as the caller may see and change it. Grants are read once, when they are first needed.
    pub(crate) fn guard(&self, metastore: &Arc<dyn Metastore>) -> Arc<Guarded> {
        Arc::new(Guarded::new(self.clone(), Arc::clone(metastore)))
    }

    /// Refuses a statement that would change what the caller may not change. What it reads is refused where it is looked up.
    ///
    /// # Errors
    /// `Denied`.
    pub(crate) async fn check(&self, statement: &Statement, database: &str, metastore: &dyn Metastore) -> Result<()> {
        if self.role == Role::Administrator {
            return Ok(());
        }
        let rights = self.rights(&metastore.grants().await?);
        let table = |table: &TableRef| GrantObject::Table(table.resolve(database));
        let changed = match statement {
            Statement::CreateDatabase(create) => return rights.require_new_database(&fold(&create.database)),
            Statement::AlterDatabase { database, .. } | Statement::DropDatabase { database, .. } => {
                GrantObject::Database(fold(database))
            }
            Statement::CreateTable(create) => table(&create.table),
            Statement::CreateView(create) => table(&create.view),
            Statement::AlterTable { table: name, .. }
            | Statement::DropTable { table: name, .. }
            | Statement::DropView { view: name, .. }
            | Statement::Repair { table: name, .. }
            | Statement::Refresh { table: name, .. } => table(name),
            Statement::Analyze(analyze) => table(&analyze.table),
            Statement::Crawl(crawl) => GrantObject::Database(fold(crawl.database.as_deref().unwrap_or(database))),
            Statement::Grant(_) | Statement::Revoke(_) => return Err(not_an_administrator()),
            Statement::Show(_)
            | Statement::Describe(_)
            | Statement::Use { .. }
            | Statement::SetSession { .. }
            | Statement::ResetSession { .. }
            | Statement::ShowSession
            | Statement::SetTimeZone { .. }
            | Statement::ShowQueries
            | Statement::KillQuery { .. }
            | Statement::Query(_)
            | Statement::Explain(_) => return Ok(()),
        };
        rights.require(&changed, Access::Write)
    }

    /// Refuses to have rows put into a table that exists or is to be created.
    ///
    /// # Errors
    /// `Denied`.
    pub(crate) async fn check_write(&self, table: TableName, metastore: &dyn Metastore) -> Result<()> {
        if self.role == Role::Administrator {
            return Ok(());
        }
        self.rights(&metastore.grants().await?).require(&GrantObject::Table(table), Access::Write)
    }

    /// Whether the grant is for the caller.
    fn is_meant(&self, grantee: &Grantee) -> bool {
        match grantee {
            Grantee::User(name) => *name == self.user,
            Grantee::Group(name) => self.groups.contains(name),
        }
    }

    /// What all these grants together give the caller.
    fn rights(&self, grants: &[Grant]) -> Rights {
        let (mut own, mut by_group) = (HashMap::new(), HashMap::<&GrantObject, Access>::new());
        for Grant { object, grantee, access } in grants.iter().filter(|grant| self.is_meant(&grant.grantee)) {
            match grantee {
                Grantee::User(_) => {
                    own.insert(object, *access);
                }
                Grantee::Group(_) => {
                    by_group.entry(object).and_modify(|known| *known = of_groups(*known, *access)).or_insert(*access);
                }
            }
        }
        let mut decided = by_group;
        decided.extend(own);
        let mut rights = Rights { catalog: self.default, ..Rights::default() };
        for (object, access) in decided {
            match object {
                GrantObject::Catalog => rights.catalog = access,
                GrantObject::Database(name) => {
                    rights.databases.insert(name.clone(), access);
                }
                GrantObject::Table(name) => {
                    if access > Access::None {
                        rights.holding.insert(name.database.clone());
                    }
                    rights.tables.insert(name.clone(), access);
                }
            }
        }
        rights
    }
}

/// The only user whose queries a session sees and may end; `None` if it sees everybody's.
pub(crate) fn queries_of(session: &SessionOptions) -> Option<&str> {
    match session.role {
        Role::Administrator => None,
        Role::User => Some(&session.user),
    }
}

/// What the grants of two groups give who is in both: `none` forbids.
fn of_groups(one: Access, other: Access) -> Access {
    if one == Access::None || other == Access::None { Access::None } else { one.max(other) }
}

/// What one caller may do with every object.
#[derive(Debug, Default)]
struct Rights {
    catalog: Access,
    databases: HashMap<String, Access>,
    tables: HashMap<TableName, Access>,
    /// Databases with a table that the caller was given.
    holding: HashSet<String>,
}

impl Rights {
    /// An administrator's.
    fn all() -> Self {
        Self { catalog: Access::Write, ..Self::default() }
    }

    /// Whether the caller may read everything.
    fn hides_nothing(&self) -> bool {
        let all = || self.databases.values().chain(self.tables.values());
        self.catalog > Access::None && all().all(|access| *access > Access::None)
    }

    /// By the most specific grant. Names are folded.
    fn on(&self, object: &GrantObject) -> Access {
        match object {
            GrantObject::Catalog => self.catalog,
            GrantObject::Database(name) => self.on_database(name),
            GrantObject::Table(name) => self.on_table(name),
        }
    }

    fn on_database(&self, name: &str) -> Access {
        self.databases.get(name).copied().unwrap_or(self.catalog)
    }

    fn on_table(&self, name: &TableName) -> Access {
        self.tables.get(name).copied().unwrap_or_else(|| self.on_database(&name.database))
    }

    /// Whether a database is shown: it is open to the caller, or a table in it is.
    fn shows_database(&self, name: &str) -> bool {
        self.on_database(name) > Access::None || self.holding.contains(name)
    }

    fn shows_table(&self, database: &str, table: &str) -> bool {
        self.on_table(&TableName { database: database.to_owned(), table: table.to_owned() }) > Access::None
    }

    fn require(&self, object: &GrantObject, wanted: Access) -> Result<()> {
        match self.on(object) {
            Access::None if wanted > Access::None => Err(hidden(object)),
            access if access < wanted => {
                Err(Error::new(ErrorKind::Denied, format!("writing to {object} is denied")).with_hint(match object {
                    GrantObject::Catalog => "An administrator can GRANT INSERT ON CATALOG".to_owned(),
                    GrantObject::Database(_) => "An administrator can GRANT INSERT ON SCHEMA".to_owned(),
                    GrantObject::Table(_) => "An administrator can GRANT INSERT on the table or its schema".to_owned(),
                }))
            }
            _ => Ok(()),
        }
    }

    /// To create a database takes the catalog; whether a hidden one has the name is not told.
    fn require_new_database(&self, name: &str) -> Result<()> {
        self.require(&GrantObject::Database(name.to_owned()), Access::Read)?;
        self.require(&GrantObject::Catalog, Access::Write)
    }

    fn require_shown(&self, database: &str) -> Result<()> {
        if self.shows_database(database) { Ok(()) } else { Err(hidden(&GrantObject::Database(database.to_owned()))) }
    }
}

/// Classified of what exists and of what does not.
fn hidden(object: &GrantObject) -> Error {
    Error::new(ErrorKind::Denied, format!("access to {object} is denied"))
        .with_hint("If it exists, an administrator can grant access to it")
}

fn not_an_administrator() -> Error {
    Error::new(ErrorKind::Denied, "only administrators grant, deny and revoke")
        .with_hint("SHOW GRANTS lists what is granted to you")
}
