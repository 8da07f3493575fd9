//! `GetSqlInfo`: what this server can do, for drivers that ask before they try.

use std::sync::LazyLock;

use arrow_flight::{
    error::FlightError,
    sql::{
        Nullable, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
        SqlSupportedGroupBy, SqlSupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions,
        SupportedSqlGrammar,
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
        SqlSupportedCaseSensitivity::SqlCaseSensitivityCaseInsensitive as i32,
    );
    infos.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    infos.append(SqlInfo::SqlAllTablesAreSelectable, true);
    infos.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    infos.append(SqlInfo::SqlKeywords, &[] as &[&str]);
    infos.append(
        SqlInfo::SqlNumericFunctions,
        &["abs", "ceil", "floor", "ln", "log10", "power", "round", "sqrt"][..],
    );
    infos.append(
        SqlInfo::SqlStringFunctions,
        &["concat", "length", "lower", "replace", "substr", "trim", "upper"][..],
    );
    infos.append(SqlInfo::SqlSystemFunctions, &["coalesce", "nullif"][..]);
    infos.append(
        SqlInfo::SqlDatetimeFunctions,
        &["date_bin", "date_part", "date_trunc", "now", "to_timestamp"][..],
    );
    infos.append(SqlInfo::SqlSearchStringEscape, "\\");
    infos.append(SqlInfo::SqlExtraNameCharacters, "");
    infos.append(SqlInfo::SqlSchemaTerm, "schema");
    infos.append(SqlInfo::SqlCatalogTerm, "catalog");
    infos.append(SqlInfo::SqlProcedureTerm, "");
    infos.append(SqlInfo::SqlCatalogAtStart, true);
    infos.append(SqlInfo::SqlMaxStatementLength, STATEMENT_BYTES_MAX);
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
    infos.append(SqlInfo::SqlSupportsNonNullableColumns, Nullable::NullabilityNoNulls as i32 == 0);
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

fn subqueries() -> i32 {
    1 << SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32
        | 1 << SqlSupportedSubqueries::SqlSubqueriesInExists as i32
        | 1 << SqlSupportedSubqueries::SqlSubqueriesInIns as i32
}

fn transactions(infos: &mut SqlInfoDataBuilder) {
    infos.append(SqlInfo::SqlTransactionsSupported, false);
    infos.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    infos.append(SqlInfo::SqlSupportedTransactionsIsolationLevels, 1);
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
