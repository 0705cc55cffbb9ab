//! What follows from a statement's kind alone, in one table: its name, its cost, what it changes and what it answers.
//!
//! The table is exhaustive: a new statement compiles only when all of this is defined.

use glaux_catalog::model::Access;

use super::{AlterTable, ExplainWhat, Query, Show, Statement, StatementKind};

/// What holds for every statement of a kind. What it takes to be allowed to run it depends on what it names: `access` says that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    pub kind: StatementKind,
    /// Athena's `SubstatementType`: `SELECT`, `CREATE_TABLE`, `SHOW_PARTITIONS`.
    pub name: &'static str,
    /// Whether running it may read table data, which is billed as in Athena, and waits for a slot; a query whose plan reads no store does not wait.
    pub scans: bool,
    pub changes: Changes,
    pub answer: Answer,
}

/// What running a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    Nothing,
    /// What the session's next statements find: its database and settings.
    Session,
    /// Databases, tables, views, partitions, statistics, grants or workgroups.
    Catalog,
    /// Other queries.
    Queries,
}

/// What a statement answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// That it was done: no columns and no rows.
    Nothing,
    /// Rows of nullable text under these names, whatever it finds.
    Text(&'static [&'static str]),
    /// A query's rows, with the schema of its plan. It takes parameters.
    Rows,
    /// A query's plan. Takes parameters, as the query does.
    Plan,
}

impl Nature {
    /// Whether it waits until its rows are wanted: nothing is changed if they never are, and what may be shown is decided when they are.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self.changes, Changes::Nothing)
    }
}

/// The columns of `SHOW QUERIES`.
const RUNNING_COLUMNS: [&str; 8] =
    ["query_id", "state", "user", "workgroup", "database", "elapsed_ms", "data_scanned_bytes", "statement"];

/// The columns of `ANALYZE`.
pub(crate) const ANALYZE_COLUMNS: [&str; 5] = ["table", "partitions", "files", "rows", "bytes"];

/// The columns of `CALL system.crawl`.
pub(crate) const CRAWL_COLUMNS: [&str; 8] = ["table", "object", "name", "change", "catalog", "found", "action", "detail"];

/// Definitions, which Athena calls DDL.
const fn definition(name: &'static str, answer: Answer) -> Nature {
    Nature { kind: StatementKind::Ddl, name, scans: false, changes: Changes::Catalog, answer }
}

/// What shows or sets something, and reads no table.
const fn utility(name: &'static str, changes: Changes, answer: Answer) -> Nature {
    Nature { kind: StatementKind::Utility, name, scans: false, changes, answer }
}

const fn query(name: &'static str, scans: bool, answer: Answer) -> Nature {
    Nature { kind: StatementKind::Dml, name, scans, changes: Changes::Nothing, answer }
}

const fn shown(name: &'static str, columns: &'static [&'static str]) -> Nature {
    utility(name, Changes::Nothing, Answer::Text(columns))
}

impl Statement {
    /// The table.
    #[must_use]
    pub fn nature(&self) -> Nature {
        use Answer::{Nothing, Plan, Rows, Text};
        match self {
            Self::CreateDatabase(_) => definition("CREATE_DATABASE", Nothing),
            Self::AlterDatabase { .. } => definition("ALTER_DATABASE", Nothing),
            Self::DropDatabase { .. } => definition("DROP_DATABASE", Nothing),
            Self::CreateTable(_) => definition("CREATE_TABLE", Nothing),
            Self::AlterTable { action, .. } => definition(alter_table(action), Nothing),
            Self::DropTable { .. } => definition("DROP_TABLE", Nothing),
            Self::CreateView(_) => definition("CREATE_VIEW", Nothing),
            Self::DropView { .. } => definition("DROP_VIEW", Nothing),
            Self::Repair { .. } => definition("MSCK_REPAIR_TABLE", Text(&["result"])),
            Self::Refresh { .. } => definition("REFRESH_TABLE", Text(&["result"])),
            Self::Analyze(_) => definition("ANALYZE", Text(&ANALYZE_COLUMNS)),
            Self::Crawl(_) => definition("CALL", Text(&CRAWL_COLUMNS)),
            Self::Grant(grant) if grant.access == Access::None => definition("DENY", Nothing),
            Self::Grant(_) => definition("GRANT", Nothing),
            Self::Revoke(_) => definition("REVOKE", Nothing),
            Self::CreateWorkgroup(_) => definition("CREATE_WORKGROUP", Nothing),
            Self::AlterWorkgroup { .. } => definition("ALTER_WORKGROUP", Nothing),
            Self::DropWorkgroup { .. } => definition("DROP_WORKGROUP", Nothing),
            Self::Show(what) => show(what),
            Self::Describe(_) => shown("DESCRIBE_TABLE", &["col_name", "data_type", "comment"]),
            Self::DescribeWorkgroup { .. } => shown("DESCRIBE_WORKGROUP", &["setting", "value", "meaning"]),
            Self::Use { .. } => utility("USE", Changes::Session, Nothing),
            Self::SetSession { .. } => utility("SET_SESSION", Changes::Session, Nothing),
            Self::ResetSession { .. } => utility("RESET_SESSION", Changes::Session, Nothing),
            Self::SetTimeZone { .. } => utility("SET_TIME_ZONE", Changes::Session, Nothing),
            Self::ShowSession => shown("SHOW_SESSION", &["name", "value", "default", "description"]),
            Self::ShowQueries => shown("SHOW_QUERIES", &RUNNING_COLUMNS),
            Self::KillQuery { .. } => utility("KILL_QUERY", Changes::Queries, Nothing),
            Self::Query(_) => query("SELECT", true, Rows),
            // Not Athena's: nothing of the query's answer is shown.
            Self::Explain(explain) if explain.what == ExplainWhat::Cost => utility("EXPLAIN", Changes::Nothing, Plan),
            Self::Explain(explain) => query("EXPLAIN", explain.analyze, Plan),
        }
    }

    /// The query that it plans, if it is one or is about one; that query's parameters are its own.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match self {
            Self::Query(query) => Some(query),
            Self::Explain(explain) => Some(&explain.query),
            // A view's query is planned when the view is read.
            Self::CreateView(_)
            | Self::CreateDatabase(_)
            | Self::AlterDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::CreateTable(_)
            | Self::AlterTable { .. }
            | Self::DropTable { .. }
            | Self::DropView { .. }
            | Self::Repair { .. }
            | Self::Refresh { .. }
            | Self::Analyze(_)
            | Self::Crawl(_)
            | Self::Grant(_)
            | Self::Revoke(_)
            | Self::CreateWorkgroup(_)
            | Self::AlterWorkgroup { .. }
            | Self::DropWorkgroup { .. }
            | Self::Show(_)
            | Self::Describe(_)
            | Self::DescribeWorkgroup { .. }
            | Self::Use { .. }
            | Self::SetSession { .. }
            | Self::ResetSession { .. }
            | Self::SetTimeZone { .. }
            | Self::ShowSession
            | Self::ShowQueries
            | Self::KillQuery { .. } => None,
        }
    }

    /// Athena's `StatementType`.
    #[must_use]
    pub fn kind(&self) -> StatementKind {
        self.nature().kind
    }

    /// Athena's `SubstatementType`.
    #[must_use]
    pub fn sub_kind(&self) -> &'static str {
        self.nature().name
    }

    /// Whether running it may read table data, which is billed: queries and `EXPLAIN ANALYZE`, as in Athena.
    #[must_use]
    pub fn is_billable(&self) -> bool {
        self.nature().scans
    }
}

const fn alter_table(action: &AlterTable) -> &'static str {
    match action {
        AlterTable::AddPartitions { .. } => "ALTER_TABLE_ADD_PARTITION",
        AlterTable::DropPartitions { .. } => "ALTER_TABLE_DROP_PARTITION",
        AlterTable::RenamePartition { .. } => "ALTER_TABLE_RENAME_PARTITION",
        AlterTable::AddColumns { .. } => "ALTER_TABLE_ADD_COLUMNS",
        AlterTable::ReplaceColumns { .. } => "ALTER_TABLE_REPLACE_COLUMNS",
        AlterTable::ChangeColumn { .. } => "ALTER_TABLE_CHANGE_COLUMN",
        AlterTable::SetLocation { .. } => "ALTER_TABLE_SET_LOCATION",
        AlterTable::SetProperties { .. } => "ALTER_TABLE_SET_TBLPROPERTIES",
        AlterTable::UnsetProperties { .. } => "ALTER_TABLE_UNSET_TBLPROPERTIES",
    }
}

const fn show(what: &Show) -> Nature {
    match what {
        Show::Databases { .. } => shown("SHOW_DATABASES", &["database_name"]),
        Show::Tables { .. } => shown("SHOW_TABLES", &["tab_name"]),
        Show::Views { .. } => shown("SHOW_VIEWS", &["tab_name"]),
        Show::Columns { .. } => shown("SHOW_COLUMNS", &["field"]),
        Show::Partitions { .. } => shown("SHOW_PARTITIONS", &["partition"]),
        Show::TableProperties { .. } => shown("SHOW_TBLPROPERTIES", &["prpt_name", "prpt_value"]),
        Show::CreateTable { .. } => shown("SHOW_CREATE_TABLE", &["createtab_stmt"]),
        Show::CreateView { .. } => shown("SHOW_CREATE_VIEW", &["create view"]),
        Show::Stats { .. } => shown(
            "SHOW_STATS",
            &["column_name", "data_size", "distinct_values_count", "nulls_fraction", "row_count", "low_value", "high_value"],
        ),
        Show::Grants { .. } => shown("SHOW_GRANTS", &["object", "database", "table", "grantee_type", "grantee", "access"]),
        Show::Workgroups { .. } => shown("SHOW_WORKGROUPS", &["name", "state", "description"]),
        Show::CreateWorkgroup { .. } => shown("SHOW_CREATE_WORKGROUP", &["createworkgroup_stmt"]),
    }
}
