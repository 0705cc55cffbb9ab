//! The kinds of statements that Athena distinguishes: what the history records of a statement, without knowing statements.

/// Athena's `StatementType`; clients read results differently by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    Ddl,
    Dml,
    Utility,
}

impl StatementKind {
    /// As in Athena's API: `DDL`, `DML`, `UTILITY`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ddl => "DDL",
            Self::Dml => "DML",
            Self::Utility => "UTILITY",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ddl, Self::Dml, Self::Utility].into_iter().find(|kind| kind.as_str() == name)
    }
}
