//! A grant: the access of a user or a group to an object. How several grants combine is decided by the engine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ident::{TableName, fold};

/// The object of a grant, from the widest to the narrowest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GrantObject {
    /// Everything.
    Catalog,
    /// A database with all its tables, including future ones.
    Database(String),
    /// A table or view.
    Table(TableName),
}

/// Whom a grant is for. Names are those of the authentication, and are not folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grantee {
    User(String),
    /// Every member of the group.
    Group(String),
}

/// The level of access; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Nothing, not even to know that the object exists.
    None,
    /// To see the definition and to query the data.
    #[default]
    Read,
    /// To change the definition and to add data.
    Write,
}

/// One grant. There is at most one for each object and grantee.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    pub object: GrantObject,
    pub grantee: Grantee,
    pub access: Access,
}

impl GrantObject {
    /// The object with its names folded.
    #[must_use]
    pub fn folded(&self) -> Self {
        match self {
            Self::Catalog => Self::Catalog,
            Self::Database(name) => Self::Database(fold(name)),
            Self::Table(name) => Self::Table(TableName::new(&name.database, &name.table)),
        }
    }
}

impl fmt::Display for GrantObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("the catalog"),
            Self::Database(name) => write!(f, "database \"{name}\""),
            Self::Table(name) => write!(f, "table \"{name}\""),
        }
    }
}

impl Grantee {
    /// The name without its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) | Self::Group(name) => name,
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user \"{name}\""),
            Self::Group(name) => write!(f, "group \"{name}\""),
        }
    }
}

impl Access {
    /// From the least to the most.
    pub const ALL: [Self; 3] = [Self::None, Self::Read, Self::Write];

    /// As stored, shown and configured: `none`, `read`, `write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The access of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str() == name)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
