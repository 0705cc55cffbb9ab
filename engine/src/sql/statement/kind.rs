//! What kind of statement it is, in Athena's words, and whether it is billed.

use glaux_catalog::model::Access;

use super::{AlterTable, Show, Statement};

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

impl Statement {
    /// Athena's `StatementType`.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        match self {
            Self::CreateDatabase(_)
            | Self::AlterDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::CreateTable(_)
            | Self::AlterTable { .. }
            | Self::DropTable { .. }
            | Self::CreateView(_)
            | Self::DropView { .. }
            | Self::Repair { .. }
            | Self::Refresh { .. }
            | Self::Analyze(_)
            | Self::Crawl(_)
            | Self::Grant(_)
            | Self::Revoke(_) => StatementKind::Ddl,
            Self::Query(_) | Self::Explain(_) => StatementKind::Dml,
            Self::Show(_)
            | Self::Describe(_)
            | Self::Use { .. }
            | Self::SetSession { .. }
            | Self::ResetSession { .. }
            | Self::ShowSession
            | Self::SetTimeZone { .. }
            | Self::ShowQueries
            | Self::KillQuery { .. } => StatementKind::Utility,
        }
    }

    /// Athena's `SubstatementType`: `SELECT`, `CREATE_TABLE`, `SHOW_PARTITIONS`.
    #[must_use]
    pub fn sub_kind(&self) -> &'static str {
        match self {
            Self::CreateDatabase(_) => "CREATE_DATABASE",
            Self::AlterDatabase { .. } => "ALTER_DATABASE",
            Self::DropDatabase { .. } => "DROP_DATABASE",
            Self::CreateTable(_) => "CREATE_TABLE",
            Self::AlterTable { action, .. } => match action {
                AlterTable::AddPartitions { .. } => "ALTER_TABLE_ADD_PARTITION",
                AlterTable::DropPartitions { .. } => "ALTER_TABLE_DROP_PARTITION",
                AlterTable::RenamePartition { .. } => "ALTER_TABLE_RENAME_PARTITION",
                AlterTable::AddColumns { .. } => "ALTER_TABLE_ADD_COLUMNS",
                AlterTable::ReplaceColumns { .. } => "ALTER_TABLE_REPLACE_COLUMNS",
                AlterTable::ChangeColumn { .. } => "ALTER_TABLE_CHANGE_COLUMN",
                AlterTable::SetLocation { .. } => "ALTER_TABLE_SET_LOCATION",
                AlterTable::SetProperties { .. } => "ALTER_TABLE_SET_TBLPROPERTIES",
                AlterTable::UnsetProperties { .. } => "ALTER_TABLE_UNSET_TBLPROPERTIES",
            },
            Self::DropTable { .. } => "DROP_TABLE",
            Self::CreateView(_) => "CREATE_VIEW",
            Self::DropView { .. } => "DROP_VIEW",
            Self::Repair { .. } => "MSCK_REPAIR_TABLE",
            Self::Refresh { .. } => "REFRESH_TABLE",
            Self::Analyze(_) => "ANALYZE",
            Self::Crawl(_) => "CALL",
            Self::Grant(grant) if grant.access == Access::None => "DENY",
            Self::Grant(_) => "GRANT",
            Self::Revoke(_) => "REVOKE",
            Self::Show(show) => match show {
                Show::Databases { .. } => "SHOW_DATABASES",
                Show::Tables { .. } => "SHOW_TABLES",
                Show::Views { .. } => "SHOW_VIEWS",
                Show::Columns { .. } => "SHOW_COLUMNS",
                Show::Partitions { .. } => "SHOW_PARTITIONS",
                Show::TableProperties { .. } => "SHOW_TBLPROPERTIES",
                Show::CreateTable { .. } => "SHOW_CREATE_TABLE",
                Show::CreateView { .. } => "SHOW_CREATE_VIEW",
                Show::Stats { .. } => "SHOW_STATS",
                Show::Grants { .. } => "SHOW_GRANTS",
            },
            Self::Describe(_) => "DESCRIBE_TABLE",
            Self::Use { .. } => "USE",
            Self::SetSession { .. } => "SET_SESSION",
            Self::ResetSession { .. } => "RESET_SESSION",
            Self::ShowSession => "SHOW_SESSION",
            Self::SetTimeZone { .. } => "SET_TIME_ZONE",
            Self::ShowQueries => "SHOW_QUERIES",
            Self::KillQuery { .. } => "KILL_QUERY",
            Self::Query(_) => "SELECT",
            Self::Explain(_) => "EXPLAIN",
        }
    }

    /// Whether running it may read table data, which is billed: queries and `EXPLAIN ANALYZE`, as in Athena.
    #[must_use]
    pub fn is_billable(&self) -> bool {
        match self {
            Self::Query(_) => true,
            Self::Explain(explain) => explain.analyze,
            Self::CreateDatabase(_)
            | Self::AlterDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::CreateTable(_)
            | Self::CreateView(_)
            | Self::AlterTable { .. }
            | Self::DropTable { .. }
            | Self::DropView { .. }
            | Self::Repair { .. }
            | Self::Refresh { .. }
            | Self::Analyze(_)
            | Self::Crawl(_)
            | Self::Grant(_)
            | Self::Revoke(_)
            | Self::Show(_)
            | Self::Describe(_)
            | Self::Use { .. }
            | Self::SetSession { .. }
            | Self::ResetSession { .. }
            | Self::ShowSession
            | Self::SetTimeZone { .. }
            | Self::ShowQueries
            | Self::KillQuery { .. } => false,
        }
    }
}
