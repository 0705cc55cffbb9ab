//! SQL text in, [`Statement`] out: which of Athena's two grammars a statement belongs to (`route`), Hive's DDL (`hive_ddl`), the Trino
//! half (`trino`, on `dialect`), and the rewrites that make Trino's queries plannable (`rewrite`).
//!
//! Nothing here does IO, resolves names against a catalog or knows the planner.

mod analyze;
mod call;
mod cursor;
mod dialect;
mod fingerprint;
mod grant;
mod hive_ddl;
mod limits;
mod position;
mod quote;
mod refusal;
pub(crate) mod rewrite;
mod route;
mod split;
mod statement;
#[cfg(test)]
mod tests;
mod trino;
mod workgroup;

pub(crate) use cursor::check_catalog;
pub use fingerprint::{Fingerprint, fingerprint};
pub(crate) use fingerprint::{redact, redact_message};
pub(crate) use route::only_sets;
use route::{Grammar, grammar};
pub use split::{ScriptStatement, split};
pub(crate) use statement::{ANALYZE_COLUMNS, CRAWL_COLUMNS};
pub use statement::{
    AlterTable, AlterWorkgroup, Analyze, AnalyzePartitions, Answer, Changes, ClusteredBy, ColumnPosition, Crawl, CrawlDeletions,
    CrawlPolicy, CreateDatabase, CreateTable, CreateView, CreateWorkgroup, Delimited, Describe, DescribeDetail, Explain,
    ExplainFormat, ExplainWhat, Grant, GrantOn, Nature, PartitionSpec, Query, Revoke, RowFormat, Show, Statement, StatementKind,
    StoredAs, TableRef,
};

use crate::error::{Error, ErrorKind, Result};

/// Bytes of text that one statement may have: four times as much as in Athena.
pub const MAX_STATEMENT: usize = 1 << 20;

/// Bytes of stack that parsing what nests as deep as it may takes at most, twice over.
const STACK: usize = 64 << 20;

/// Parses one statement. Comments around it and a final semicolon are passed over.
///
/// # Errors
/// `Syntax`, beginning with `line L:C: ` as in Trino, counted in the given text; `Unsupported` with a hint for what Athena has and
/// Glaux has not, and for what Athena refuses; `LimitExceeded` for expressions that nest too deep.
pub fn parse(text: &str) -> Result<Statement> {
    if text.len() > MAX_STATEMENT {
        let message = format!("the statement has {} bytes, more than {MAX_STATEMENT}", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint("Join with a table instead of listing many values"));
    }
    stacker::maybe_grow(STACK / 2, STACK, || match grammar(text) {
        Grammar::Hive => hive_ddl::parse(text),
        Grammar::Trino => trino::parse(text),
    })
}
