//! Statements as plain data: the same for the code that executes, describes, bills and prints them.
//!
//! Names are folded to lower case (those of workgroups only if they are not quoted) and strings are unescaped; nothing is resolved or checked against
//! a catalog. `Display` (`print`) writes a statement back so that it parses to the same value.

mod analyze;
mod crawl;
mod names;
mod nature;
mod print;
mod workgroup;

pub use analyze::{Analyze, AnalyzePartitions};
pub use crawl::{Crawl, CrawlDeletions, CrawlPolicy};
use glaux_catalog::{
    discovery::RepairMode,
    model::{Access, Column, Grantee, Properties},
};
pub use names::{PartitionSpec, TableRef};
pub(crate) use nature::{ANALYZE_COLUMNS, CRAWL_COLUMNS};
pub use nature::{Answer, Changes, Nature};
pub use workgroup::{AlterWorkgroup, CreateWorkgroup};

pub use crate::statement_kind::StatementKind;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    CreateDatabase(CreateDatabase),
    AlterDatabase {
        database: String,
        properties: Properties,
    },
    DropDatabase {
        database: String,
        if_exists: bool,
        cascade: bool,
    },
    CreateTable(Box<CreateTable>),
    AlterTable {
        table: TableRef,
        action: AlterTable,
    },
    DropTable {
        table: TableRef,
        if_exists: bool,
    },
    CreateView(CreateView),
    DropView {
        view: TableRef,
        if_exists: bool,
    },
    /// `MSCK REPAIR TABLE`.
    Repair {
        table: TableRef,
        mode: RepairMode,
        /// Only what comes after the greatest known partition.
        tail: bool,
    },
    /// `REFRESH TABLE`: lists a table's files anew, for queries that do not list.
    Refresh {
        table: TableRef,
        /// Only the partitions that have its values.
        partition: Option<PartitionSpec>,
    },
    Analyze(Analyze),
    /// `CALL system.crawl(...)`.
    Crawl(Box<Crawl>),
    /// `GRANT` and `DENY`.
    Grant(Grant),
    Revoke(Revoke),
    CreateWorkgroup(CreateWorkgroup),
    AlterWorkgroup {
        name: String,
        action: AlterWorkgroup,
    },
    DropWorkgroup {
        name: String,
        if_exists: bool,
    },
    Show(Show),
    Describe(Describe),
    DescribeWorkgroup {
        name: String,
    },
    Use {
        database: String,
    },
    SetSession {
        name: String,
        value: String,
    },
    ResetSession {
        name: String,
    },
    ShowSession,
    SetTimeZone {
        zone: String,
    },
    ShowQueries,
    KillQuery {
        id: String,
    },
    Query(Query),
    Explain(Explain),
}

/// `CREATE DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateDatabase {
    pub database: String,
    pub if_not_exists: bool,
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Properties,
}

/// `CREATE EXTERNAL TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    pub table: TableRef,
    pub if_not_exists: bool,
    pub columns: Vec<Column>,
    pub comment: Option<String>,
    pub partitioned_by: Vec<Column>,
    pub clustered_by: Option<ClusteredBy>,
    pub row_format: Option<RowFormat>,
    /// `WITH SERDEPROPERTIES`, after `ROW FORMAT SERDE` or after `STORED AS`.
    pub serde_properties: Properties,
    pub stored_as: Option<StoredAs>,
    pub location: Option<String>,
    pub properties: Properties,
}

/// `CLUSTERED BY (...) INTO n BUCKETS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusteredBy {
    pub columns: Vec<String>,
    pub buckets: u32,
}

/// `ROW FORMAT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFormat {
    Delimited(Delimited),
    /// The class of `ROW FORMAT SERDE`.
    SerDe(String),
}

/// The clauses of `ROW FORMAT DELIMITED`, unescaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delimited {
    pub fields: Option<String>,
    pub escaped: Option<String>,
    pub collection_items: Option<String>,
    pub map_keys: Option<String>,
    pub lines: Option<String>,
    pub null: Option<String>,
}

/// `STORED AS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAs {
    /// A format by name, in upper case: `PARQUET`.
    Format(String),
    /// The classes of `INPUTFORMAT ... OUTPUTFORMAT ...`.
    Classes { input: String, output: String },
}

/// What `ALTER TABLE` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterTable {
    AddPartitions { if_not_exists: bool, partitions: Vec<(PartitionSpec, Option<String>)> },
    DropPartitions { if_exists: bool, partitions: Vec<PartitionSpec> },
    RenamePartition { from: PartitionSpec, to: PartitionSpec },
    AddColumns { partition: Option<PartitionSpec>, columns: Vec<Column> },
    ReplaceColumns { partition: Option<PartitionSpec>, columns: Vec<Column> },
    ChangeColumn { partition: Option<PartitionSpec>, old: String, column: Column, position: Option<ColumnPosition> },
    SetLocation { partition: Option<PartitionSpec>, location: String },
    SetProperties { properties: Properties },
    UnsetProperties { if_exists: bool, keys: Vec<String> },
}

/// Where `CHANGE COLUMN` moves a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnPosition {
    First,
    After(String),
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    pub view: TableRef,
    pub or_replace: bool,
    /// New names of the query's columns; none means the query's own.
    pub columns: Vec<String>,
    pub comment: Option<String>,
    /// The query as written.
    pub query_text: String,
}

/// What a grant is about, as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantOn {
    Catalog,
    Database(String),
    Table(TableRef),
}

/// `GRANT`, or `DENY` where the access is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub on: GrantOn,
    pub to: Grantee,
    pub access: Access,
}

/// `REVOKE`: whatever was granted or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    pub on: GrantOn,
    pub from: Grantee,
}

/// `SHOW`, as far as it is about the catalog. Patterns are Hive's: `*` or `.*` for anything, `|` between alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    Databases {
        pattern: Option<String>,
    },
    Tables {
        database: Option<String>,
        pattern: Option<String>,
    },
    Views {
        database: Option<String>,
        pattern: Option<String>,
    },
    Columns {
        table: TableRef,
    },
    /// With a specification, only the partitions that have its values.
    Partitions {
        table: TableRef,
        partition: Option<PartitionSpec>,
    },
    TableProperties {
        table: TableRef,
        key: Option<String>,
    },
    CreateTable {
        table: TableRef,
    },
    CreateView {
        view: TableRef,
    },
    /// `SHOW STATS FOR`.
    Stats {
        table: TableRef,
    },
    /// Of one object, or all.
    Grants {
        on: Option<GrantOn>,
    },
    Workgroups {
        pattern: Option<String>,
    },
    CreateWorkgroup {
        name: String,
    },
}

/// `DESCRIBE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Describe {
    pub table: TableRef,
    pub detail: DescribeDetail,
    pub partition: Option<PartitionSpec>,
    /// A column and the way into it (`$elem$`, `$key$`, `$value$` or a field's name); empty for the whole table.
    pub path: Vec<String>,
}

/// How much `DESCRIBE` tells beyond the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescribeDetail {
    Columns,
    Extended,
    Formatted,
}

/// A query of the Trino half.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// As written, without comments before and a semicolon after it.
    pub text: String,
    /// Parsed, names folded, and rewritten for the planner.
    pub ast: Box<sqlparser::ast::Query>,
    /// How many parameters (`?`) stand in it, numbered from 1 in the order of the text.
    pub parameters: usize,
}

/// `EXPLAIN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    /// Whether the query is run.
    pub analyze: bool,
    pub what: ExplainWhat,
    pub format: ExplainFormat,
    pub query: Query,
}

impl Explain {
    /// Whether it is answered by the plan that would be run: by running it, or by what it reads.
    #[must_use]
    pub const fn needs_plan(&self) -> bool {
        self.analyze || matches!(self.what, ExplainWhat::Io | ExplainWhat::Cost)
    }
}

/// What `EXPLAIN` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainWhat {
    /// Athena's default, `DISTRIBUTED`: the physical plan.
    Distributed,
    /// The logical plan.
    Logical,
    /// Only whether the statement is valid.
    Validate,
    /// Trino's document of the tables that are read, and what filters say of their columns.
    Io,
    /// A quote: what running it takes at most, and why not less.
    Cost,
}

/// How `EXPLAIN` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExplainFormat {
    #[default]
    Text,
    Json,
}
