//! What one caller may do with every object, and the errors of what they may not do.

use std::collections::{HashMap, HashSet};

use glaux_catalog::{
    TableName,
    model::{Access, GrantObject},
};

use crate::error::{Error, ErrorKind, Result};

/// What one caller may do with every object.
#[derive(Debug, Default)]
pub(super) struct Rights {
    pub(super) catalog: Access,
    pub(super) databases: HashMap<String, Access>,
    pub(super) tables: HashMap<TableName, Access>,
    /// Databases with a table that the caller may read.
    pub(super) holding: HashSet<String>,
}

impl Rights {
    /// The rights of an administrator.
    pub(super) fn all() -> Self {
        Self { catalog: Access::Write, ..Self::default() }
    }

    /// Whether the caller may read everything.
    pub(super) fn hides_nothing(&self) -> bool {
        let all = || self.databases.values().chain(self.tables.values());
        self.catalog > Access::None && all().all(|access| *access > Access::None)
    }

    /// What the most specific grant gives. Names are folded.
    pub(super) fn on(&self, object: &GrantObject) -> Access {
        match object {
            GrantObject::Catalog => self.catalog,
            GrantObject::Database(name) => self.on_database(name),
            GrantObject::Table(name) => self.on_table(name),
        }
    }

    pub(super) fn on_database(&self, name: &str) -> Access {
        self.databases.get(name).copied().unwrap_or(self.catalog)
    }

    pub(super) fn on_table(&self, name: &TableName) -> Access {
        self.tables.get(name).copied().unwrap_or_else(|| self.on_database(&name.database))
    }

    /// Whether a database is shown: the caller may read it, or a table in it.
    pub(super) fn shows_database(&self, name: &str) -> bool {
        self.on_database(name) > Access::None || self.holding.contains(name)
    }

    pub(super) fn shows_table(&self, database: &str, table: &str) -> bool {
        self.on_table(&TableName { database: database.to_owned(), table: table.to_owned() }) > Access::None
    }

    pub(super) fn require(&self, object: &GrantObject, wanted: Access) -> Result<()> {
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

    /// Creating a database takes write access to the catalog; whether a hidden one has the name is not revealed.
    pub(super) fn require_new_database(&self, name: &str) -> Result<()> {
        self.require(&GrantObject::Database(name.to_owned()), Access::Read)?;
        self.require(&GrantObject::Catalog, Access::Write)
    }

    pub(super) fn require_shown(&self, database: &str) -> Result<()> {
        if self.shows_database(database) { Ok(()) } else { Err(hidden(&GrantObject::Database(database.to_owned()))) }
    }
}

/// The same error for objects that exist and for names that do not.
fn hidden(object: &GrantObject) -> Error {
    Error::new(ErrorKind::Denied, format!("access to {object} is denied"))
        .with_hint("If it exists, an administrator can grant access to it")
}

pub(super) fn not_an_administrator() -> Error {
    only_administrators("grant, deny and revoke access", "SHOW GRANTS lists your grants")
}

pub(super) fn not_an_administrator_of_workgroups() -> Error {
    only_administrators("create, change and drop workgroups", "SHOW WORKGROUPS lists those that you may use")
}

fn only_administrators(what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("only administrators can {what}")).with_hint(hint)
}
