//! Who asks, what their grants give them, and which statements that allows.

use std::{collections::HashMap, sync::Arc};

use glaux_catalog::{
    Metastore, TableName,
    ident::fold,
    model::{Access, Grant, GrantObject, Grantee, Workgroup},
};

use super::{
    in_use::WorkgroupsInUse,
    locations::LocationPolicy,
    rights::{Rights, not_an_administrator, not_an_administrator_of_workgroups},
};
use crate::{
    error::Result,
    session::{Role, SessionOptions},
    sql::{Statement, TableRef},
};

/// Who asks, as far as their rights depend on it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(super) user: String,
    groups: Vec<String>,
    pub(super) role: Role,
    /// Where nothing is granted.
    default: Access,
    pub(super) locations: Arc<LocationPolicy>,
    /// Keeps workgroups that are in use.
    pub(super) in_use: Option<Arc<WorkgroupsInUse>>,
}

impl Caller {
    pub(crate) fn new(session: &SessionOptions, default: Access, locations: &Arc<LocationPolicy>) -> Self {
        let (user, groups, locations) = (session.user.clone(), session.groups.clone(), Arc::clone(locations));
        Self { user, groups, role: session.role, default, locations, in_use: None }
    }

    /// The same, who drops no workgroup that is in use.
    pub(crate) fn keeping(self, in_use: &Arc<WorkgroupsInUse>) -> Self {
        Self { in_use: Some(Arc::clone(in_use)), ..self }
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
            Statement::CreateWorkgroup(_) | Statement::AlterWorkgroup { .. } | Statement::DropWorkgroup { .. } => {
                return Err(not_an_administrator_of_workgroups());
            }
            Statement::Show(_)
            | Statement::Describe(_)
            | Statement::DescribeWorkgroup { .. }
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
    pub(super) fn is_meant(&self, grantee: &Grantee) -> bool {
        match grantee {
            Grantee::User(name) => *name == self.user,
            Grantee::Group(name) => self.groups.contains(name),
        }
    }

    /// Whether the caller may use a workgroup, and see it.
    pub(super) fn may_use(&self, workgroup: &Workgroup) -> bool {
        self.role == Role::Administrator || workgroup.is_for(&self.user, &self.groups)
    }

    /// What all these grants together give the caller.
    pub(super) fn rights(&self, grants: &[Grant]) -> Rights {
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

/// The only user whose queries a session sees and may kill; `None` if it sees everybody's.
pub(crate) fn queries_of(session: &SessionOptions) -> Option<&str> {
    match session.role {
        Role::Administrator => None,
        Role::User => Some(&session.user),
    }
}

/// What the grants of two groups give to a member of both: `none` wins.
fn of_groups(one: Access, other: Access) -> Access {
    if one == Access::None || other == Access::None { Access::None } else { one.max(other) }
}
