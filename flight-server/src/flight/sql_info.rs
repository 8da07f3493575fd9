//! `GetSqlInfo`: what this server can do, for drivers that ask before they try. Nothing that the JDBC driver asks for is left out, and
//! each answer has the type that it expects: releases up to 18.3 fail with a null pointer otherwise.

use std::{collections::BTreeMap, sync::LazyLock};

use arrow_flight::{
    error::FlightError,
    sql::{
        SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
        SqlSupportedGroupBy, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType,
        SqlSupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions, SqlSupportsConvert,
        SqlTransactionIsolationLevel, SupportedSqlGrammar,
        metadata::{SqlInfoData, SqlInfoDataBuilder},
    },
};

/// The version of the Arrow libraries this is built on, as the format wants it.
const ARROW_VERSION: &str = "59.3";

/// Longest statement. **Units**: bytes.
const STATEMENT_BYTES_MAX: i64 = 1 << 20;

/// The answers, built once.
pub(super) fn data() -> Result<&'static SqlInfoData, FlightError> {
    static DATA: LazyLock<Option<SqlInfoData>> = LazyLock::new(|| build().ok());
    DATA.as_ref().ok_or_else(|| FlightError::protocol("the SqlInfo table cannot be built"))
}

fn build() -> Result<SqlInfoData, FlightError> {
    let mut infos = SqlInfoDataBuilder::new();
    server(&mut infos);
    names(&mut infos);
    capabilities(&mut infos);
    limits(&mut infos);
    results(&mut infos);
    transactions(&mut infos);
    infos.build()
}

fn server(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlInfo::FlightSqlServerName, "Hexflight");
    infos.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    infos.append(SqlInfo::FlightSqlServerArrowVersion, ARROW_VERSION);
    // SQL only reads; rows come in by bulk ingestion.
    infos.append(SqlInfo::FlightSqlServerReadOnly, false);
    infos.append(SqlInfo::FlightSqlServerSql, true);
    infos.append(SqlInfo::FlightSqlServerSubstrait, false);
    infos.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    infos.append(SqlInfo::FlightSqlServerCancel, true);
    infos.append(SqlInfo::FlightSqlServerBulkIngestion, true);
    infos.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    infos.append(SqlInfo::FlightSqlServerStatementTimeout, 0);
    infos.append(SqlInfo::FlightSqlServerTransactionTimeout, 0);
}

fn names(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlInfo::SqlDdlCatalog, false);
    infos.append(SqlInfo::SqlDdlSchema, false);
    infos.append(SqlInfo::SqlDdlTable, false);
    infos.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32);
    infos.append(
        SqlInfo::SqlQuotedIdentifierCase,
        // Quoted names keep their case and are compared with it, for which there is no value.
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
    );
    infos.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    infos.append(SqlInfo::SqlAllTablesAreSelectable, true);
    infos.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    // Those that the SQL standard does not have.
    infos.append(
        SqlInfo::SqlKeywords,
        &[
            "ANALYZE", "ANTI", "DESCRIBE", "EXCLUDE", "EXPLAIN", "ILIKE", "LIMIT", "QUALIFY", "SEMI", "SHOW",
            "VERBOSE",
        ][..],
    );
    infos.append(
        SqlInfo::SqlNumericFunctions,
        &[
            "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "degrees", "exp", "floor", "ln", "log",
            "log10", "pi", "power", "radians", "round", "signum", "sin", "sqrt", "tan", "trunc",
        ][..],
    );
    infos.append(
        SqlInfo::SqlStringFunctions,
        &[
            "ascii",
            "btrim",
            "chr",
            "concat",
            "left",
            "length",
            "lower",
            "lpad",
            "ltrim",
            "repeat",
            "replace",
            "reverse",
            "right",
            "rpad",
            "rtrim",
            "split_part",
            "starts_with",
            "strpos",
            "substr",
            "trim",
            "upper",
        ][..],
    );
    infos.append(SqlInfo::SqlSystemFunctions, &["coalesce", "nullif"][..]);
    infos.append(
        SqlInfo::SqlDatetimeFunctions,
        &["current_date", "current_time", "date_bin", "date_part", "date_trunc", "now", "to_timestamp"][..],
    );
    infos.append(SqlInfo::SqlSearchStringEscape, "\\");
    infos.append(SqlInfo::SqlExtraNameCharacters, "");
    infos.append(SqlInfo::SqlSchemaTerm, "schema");
    infos.append(SqlInfo::SqlCatalogTerm, "catalog");
    infos.append(SqlInfo::SqlProcedureTerm, "");
    infos.append(SqlInfo::SqlCatalogAtStart, true);
}

fn capabilities(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlInfo::SqlSupportsColumnAliasing, true);
    infos.append(SqlInfo::SqlNullPlusNullIsNull, true);
    infos.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    infos.append(SqlInfo::SqlSupportsDifferentTableCorrelationNames, false);
    infos.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    infos.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    infos.append(SqlInfo::SqlSupportedGroupBy, 1 << SqlSupportedGroupBy::SqlGroupByUnrelated as i32);
    infos.append(SqlInfo::SqlSupportsLikeEscapeClause, true);
    infos.append(SqlInfo::SqlSupportsNonNullableColumns, true);
    infos.append(SqlInfo::SqlSupportsConvert, conversions());
    infos.append(SqlInfo::SqlSchemasSupportedActions, 0);
    infos.append(SqlInfo::SqlCatalogsSupportedActions, 0);
    infos.append(SqlInfo::SqlSupportedPositionedCommands, 0);
    infos.append(SqlInfo::SqlSupportedGrammar, 1 << SupportedSqlGrammar::SqlCoreGrammar as i32);
    infos.append(SqlInfo::SqlAnsi92SupportedLevel, 1);
    infos.append(SqlInfo::SqlSupportsIntegrityEnhancementFacility, false);
    infos
        .append(SqlInfo::SqlOuterJoinsSupportLevel, 1 << SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32);
    infos.append(SqlInfo::SqlSelectForUpdateSupported, false);
    infos.append(SqlInfo::SqlStoredProceduresSupported, false);
    infos.append(SqlInfo::SqlSupportedSubqueries, subqueries());
    infos.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    infos.append(
        SqlInfo::SqlSupportedUnions,
        1 << SqlSupportedUnions::SqlUnion as i32 | 1 << SqlSupportedUnions::SqlUnionAll as i32,
    );
    infos.append(SqlInfo::SqlNamedParametersSupported, false);
    infos.append(SqlInfo::SqlLocatorsUpdateCopy, false);
    infos.append(SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false);
}

/// Sizes; 0 says that there is no limit, or none that is known.
fn limits(infos: &mut SqlInfoDataBuilder) {
    let unlimited = [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
    ];
    unlimited.into_iter().for_each(|info| infos.append(info, 0_i64));
    infos.append(SqlInfo::SqlMaxStatementLength, STATEMENT_BYTES_MAX);
    infos.append(SqlInfo::SqlMaxRowSizeIncludesBlobs, true);
}

/// Results are read once, from front to back.
fn results(infos: &mut SqlInfoDataBuilder) {
    let read_only = 1 << SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32;
    infos.append(
        SqlInfo::SqlSupportedResultSetTypes,
        1 << SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32,
    );
    infos.append(SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0);
    infos.append(SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, read_only);
    infos.append(SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0);
    infos.append(SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0);
}

/// What CAST turns into what: any number, flag, text and time into text and back, numbers into numbers, days into moments and back.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert::{
        SqlConvertBigint, SqlConvertBit, SqlConvertDate, SqlConvertDecimal, SqlConvertFloat,
        SqlConvertInteger, SqlConvertReal, SqlConvertTimestamp, SqlConvertVarchar,
    };
    let numbers = [
        SqlConvertBigint,
        SqlConvertInteger,
        SqlConvertReal,
        SqlConvertFloat,
        SqlConvertDecimal,
        SqlConvertBit,
    ];
    let times = [SqlConvertDate, SqlConvertTimestamp];
    let with_text = |group: &[SqlSupportsConvert]| {
        group.iter().map(|kind| *kind as i32).chain([SqlConvertVarchar as i32]).collect::<Vec<_>>()
    };
    let mut conversions = BTreeMap::new();
    for group in [&numbers[..], &times[..]] {
        group.iter().for_each(|kind| drop(conversions.insert(*kind as i32, with_text(group))));
    }
    conversions.insert(SqlConvertVarchar as i32, with_text(&[&numbers[..], &times[..]].concat()));
    conversions
}

fn subqueries() -> i32 {
    1 << SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32
        | 1 << SqlSupportedSubqueries::SqlSubqueriesInExists as i32
        | 1 << SqlSupportedSubqueries::SqlSubqueriesInIns as i32
}

fn transactions(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlInfo::SqlTransactionsSupported, false);
    infos.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    infos.append(
        SqlInfo::SqlSupportedTransactionsIsolationLevels,
        1 << SqlTransactionIsolationLevel::SqlTransactionNone as i32,
    );
    infos.append(SqlInfo::SqlDataDefinitionCausesTransactionCommit, false);
    infos.append(SqlInfo::SqlDataDefinitionsInTransactionsIgnored, true);
    infos.append(SqlInfo::SqlBatchUpdatesSupported, false);
    infos.append(SqlInfo::SqlSavepointsSupported, false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_infos_are_built_and_can_be_filtered() {
        let all = data().unwrap().record_batch([]).unwrap();
        assert!(all.num_rows() > 40, "{} infos", all.num_rows());
        let name = SqlInfo::FlightSqlServerName as u32;
        assert_eq!(data().unwrap().record_batch([name, 999_999]).unwrap().num_rows(), 1);
    }
}
