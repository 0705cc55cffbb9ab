//! GetSqlInfo: what this server and its SQL can do, by the protocol's codes. Nothing is found out here: these are the facts of the engine
//! and of the service, stated once.
//!
//! A value's type in the union is what drivers cast to without asking: JDBC takes the maxima and the default isolation as 64-bit
//! integers and bit masks as 32-bit ones; ODBC reads the cases of identifiers, the order of NULLs and the default isolation as 64-bit.
//! Codes that the protocol does not list are never sent, because JDBC's driver does not survive one.

mod vocabulary;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::sql::{
    SqlInfo, SqlNullOrdering as NullOrdering, SqlOuterJoinsSupportLevel as OuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy as SupportedGroupBy, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType,
    SqlSupportedSubqueries as SupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions as SupportedUnions,
    SqlSupportsConvert, SqlTransactionIsolationLevel, SupportedSqlGrammar, metadata::SqlInfoDataBuilder,
};
use glaux_catalog::ident::MAX_NAME_BYTES;
use glaux_engine::{Error, Result};

use super::pattern::ESCAPE;

/// The limits of a server, as its configuration has them; None where there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerLimits {
    /// How long a prepared statement lives unused.
    pub(crate) statement_idle: Option<Duration>,
    /// Connections at a time.
    pub(crate) connections: Option<u64>,
    /// Prepared statements of a session at a time.
    pub(crate) statements: Option<u64>,
    /// The longest statement, in bytes.
    pub(crate) statement_bytes: Option<u64>,
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(SqlInfoDataBuilder::schema().clone())
}

/// The facts that are asked for, by code; all of them if none is named. Unknown codes are left out.
pub(super) fn batch(codes: &[u32], limits: &ServerLimits) -> Result<RecordBatch> {
    let mut builder = SqlInfoDataBuilder::new();
    server(&mut builder, limits);
    syntax(&mut builder);
    maxima(&mut builder, limits);
    transactions(&mut builder);
    let build = || builder.build()?.record_batch(codes.iter().copied());
    build().map_err(|error| Error::internal("the facts about the server cannot be listed").with_source(error))
}

/// A bit mask of the members of an enumeration.
fn mask<T: Into<i32>>(members: impl IntoIterator<Item = T>) -> i32 {
    members.into_iter().map(|member| 1_i32 << member.into()).fold(0, |mask, bit| mask | bit)
}

fn milliseconds(time: Option<Duration>) -> i32 {
    time.map_or(0, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX))
}

/// What the server is and which actions it answers. Its versions of Substrait are absent, which is how the protocol says that there are
/// none.
fn server(facts: &mut SqlInfoDataBuilder, limits: &ServerLimits) {
    use SqlInfo::*;
    facts.append(FlightSqlServerName, "Glaux");
    facts.append(FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    facts.append(FlightSqlServerReadOnly, false);
    facts.append(FlightSqlServerSql, true);
    facts.append(FlightSqlServerSubstrait, false);
    facts.append(FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    facts.append(FlightSqlServerCancel, true);
    facts.append(FlightSqlServerBulkIngestion, true);
    facts.append(FlightSqlServerIngestTransactionsSupported, false);
    facts.append(FlightSqlServerStatementTimeout, milliseconds(limits.statement_idle));
    facts.append(FlightSqlServerTransactionTimeout, 0_i32);
}

/// What the SQL can say.
fn syntax(facts: &mut SqlInfoDataBuilder) {
    use SqlInfo::*;
    let lower = SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i64;
    facts.append(SqlDdlCatalog, false);
    facts.append(SqlDdlSchema, true);
    facts.append(SqlDdlTable, true);
    facts.append(SqlIdentifierCase, lower);
    facts.append(SqlIdentifierQuoteChar, "\"");
    facts.append(SqlQuotedIdentifierCase, lower);
    facts.append(SqlAllTablesAreSelectable, true);
    facts.append(SqlNullOrdering, NullOrdering::SqlNullsSortedAtEnd as i64);
    facts.append(SqlKeywords, vocabulary::KEYWORDS);
    facts.append(SqlNumericFunctions, vocabulary::NUMERIC_FUNCTIONS);
    facts.append(SqlStringFunctions, vocabulary::STRING_FUNCTIONS);
    facts.append(SqlSystemFunctions, vocabulary::SYSTEM_FUNCTIONS);
    facts.append(SqlDatetimeFunctions, vocabulary::DATETIME_FUNCTIONS);
    facts.append(SqlSearchStringEscape, ESCAPE.to_string().as_str());
    facts.append(SqlExtraNameCharacters, "");
    facts.append(SqlSupportsColumnAliasing, true);
    facts.append(SqlNullPlusNullIsNull, true);
    facts.append(SqlSupportsConvert, conversions());
    facts.append(SqlSupportsTableCorrelationNames, true);
    // Whether they must differ from the names of tables.
    facts.append(SqlSupportsDifferentTableCorrelationNames, false);
    facts.append(SqlSupportsExpressionsInOrderBy, true);
    facts.append(SqlSupportsOrderByUnrelated, true);
    facts.append(SqlSupportedGroupBy, mask([SupportedGroupBy::SqlGroupByUnrelated, SupportedGroupBy::SqlGroupByBeyondSelect]));
    facts.append(SqlSupportsLikeEscapeClause, true);
    facts.append(SqlSupportsNonNullableColumns, false);
    facts.append(SqlSupportedGrammar, mask([SupportedSqlGrammar::SqlMinimumGrammar, SupportedSqlGrammar::SqlCoreGrammar]));
    // ANSI92_ENTRY_SQL.
    facts.append(SqlAnsi92SupportedLevel, mask([0_i32]));
    facts.append(SqlSupportsIntegrityEnhancementFacility, false);
    facts.append(
        SqlOuterJoinsSupportLevel,
        mask([OuterJoinsSupportLevel::SqlLimitedOuterJoins, OuterJoinsSupportLevel::SqlFullOuterJoins]),
    );
    facts.append(SqlSchemaTerm, "database");
    facts.append(SqlProcedureTerm, "");
    facts.append(SqlCatalogTerm, "catalog");
    facts.append(SqlCatalogAtStart, true);
    facts.append(SqlSchemasSupportedActions, 0_i32);
    facts.append(SqlCatalogsSupportedActions, 0_i32);
    facts.append(SqlSupportedPositionedCommands, 0_i32);
    facts.append(SqlSelectForUpdateSupported, false);
    facts.append(SqlStoredProceduresSupported, false);
    facts.append(
        SqlSupportedSubqueries,
        mask([
            SupportedSubqueries::SqlSubqueriesInComparisons,
            SupportedSubqueries::SqlSubqueriesInExists,
            SupportedSubqueries::SqlSubqueriesInIns,
            SupportedSubqueries::SqlSubqueriesInQuantifieds,
        ]),
    );
    facts.append(SqlCorrelatedSubqueriesSupported, true);
    facts.append(SqlSupportedUnions, mask([SupportedUnions::SqlUnion, SupportedUnions::SqlUnionAll]));
    facts.append(SqlStoredFunctionsUsingCallSyntaxSupported, false);
}

/// Lengths and numbers; 0 is none, or none that is known.
fn maxima(facts: &mut SqlInfoDataBuilder, limits: &ServerLimits) {
    use SqlInfo::*;
    let limit = |limit: Option<u64>| limit.map_or(0, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let name = MAX_NAME_BYTES as i64;
    facts.append(SqlMaxBinaryLiteralLength, 0_i64);
    facts.append(SqlMaxCharLiteralLength, 0_i64);
    facts.append(SqlMaxColumnNameLength, name);
    facts.append(SqlMaxColumnsInGroupBy, 0_i64);
    facts.append(SqlMaxColumnsInIndex, 0_i64);
    facts.append(SqlMaxColumnsInOrderBy, 0_i64);
    facts.append(SqlMaxColumnsInSelect, 0_i64);
    facts.append(SqlMaxColumnsInTable, 0_i64);
    facts.append(SqlMaxConnections, limit(limits.connections));
    facts.append(SqlMaxCursorNameLength, 0_i64);
    facts.append(SqlMaxIndexLength, 0_i64);
    facts.append(SqlDbSchemaNameLength, name);
    facts.append(SqlMaxProcedureNameLength, 0_i64);
    facts.append(SqlMaxCatalogNameLength, name);
    facts.append(SqlMaxRowSize, 0_i64);
    facts.append(SqlMaxRowSizeIncludesBlobs, true);
    facts.append(SqlMaxStatementLength, limit(limits.statement_bytes));
    facts.append(SqlMaxStatements, limit(limits.statements));
    facts.append(SqlMaxTableNameLength, name);
    facts.append(SqlMaxTablesInSelect, 0_i64);
    facts.append(SqlMaxUsernameLength, 0_i64);
}

/// There are no transactions; results are read forwards and cannot be written to.
fn transactions(facts: &mut SqlInfoDataBuilder) {
    use SqlInfo::*;
    facts.append(SqlDefaultTransactionIsolation, SqlTransactionIsolationLevel::SqlTransactionNone as i64);
    facts.append(SqlTransactionsSupported, false);
    facts.append(SqlSupportedTransactionsIsolationLevels, mask([SqlTransactionIsolationLevel::SqlTransactionNone]));
    facts.append(SqlDataDefinitionCausesTransactionCommit, false);
    facts.append(SqlDataDefinitionsInTransactionsIgnored, false);
    facts.append(SqlSupportedResultSetTypes, mask([SqlSupportedResultSetType::SqlResultSetTypeForwardOnly]));
    facts.append(SqlSupportedConcurrenciesForResultSetUnspecified, 0_i32);
    facts.append(
        SqlSupportedConcurrenciesForResultSetForwardOnly,
        mask([SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly]),
    );
    facts.append(SqlSupportedConcurrenciesForResultSetScrollSensitive, 0_i32);
    facts.append(SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0_i32);
    facts.append(SqlBatchUpdatesSupported, false);
    facts.append(SqlSavepointsSupported, false);
    facts.append(SqlNamedParametersSupported, false);
    facts.append(SqlLocatorsUpdateCopy, false);
}

/// Which types CAST makes of which: Trino's, as far as there is a name for both in the protocol.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert::*;
    let numbers = [
        SqlConvertBigint,
        SqlConvertDecimal,
        SqlConvertFloat,
        SqlConvertInteger,
        SqlConvertNumeric,
        SqlConvertReal,
        SqlConvertSmallint,
        SqlConvertTinyint,
    ];
    // A boolean becomes no decimal here.
    let inexact_and_whole: Vec<_> =
        numbers.iter().copied().filter(|number| !matches!(number, SqlConvertDecimal | SqlConvertNumeric)).collect();
    let texts = [SqlConvertChar, SqlConvertVarchar];
    let times = [SqlConvertDate, SqlConvertTime, SqlConvertTimestamp];
    let from = |sources: &[SqlSupportsConvert], targets: &[&[SqlSupportsConvert]]| {
        let mut targets: Vec<i32> = targets.iter().copied().flatten().map(|target| *target as i32).collect();
        targets.sort_unstable();
        sources.iter().map(|source| (*source as i32, targets.clone())).collect::<Vec<_>>()
    };
    [
        // Of texts alone becomes CHAR, of anything VARCHAR.
        from(&numbers, &[&numbers, &[SqlConvertVarchar, SqlConvertBit]]),
        from(&texts, &[&numbers, &texts, &times, &[SqlConvertBit]]),
        from(&[SqlConvertBit], &[&inexact_and_whole, &[SqlConvertVarchar, SqlConvertBit]]),
        from(&[SqlConvertDate], &[&[SqlConvertVarchar, SqlConvertDate, SqlConvertTimestamp]]),
        from(&[SqlConvertTime], &[&[SqlConvertVarchar, SqlConvertTime]]),
        from(&[SqlConvertTimestamp], &[&times, &[SqlConvertVarchar]]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;
