//! `Vocabulary`: the words that completion knows: keywords by heart, tables, columns and functions from the server.

use std::{collections::BTreeSet, time::Duration};

use arrow::array::AsArray;

use crate::client::{Client, ClientError};
use hexflight_engine::time::{self, Instant};

/// How long a Tab may wait for the server.
const FETCH_WAIT: Duration = Duration::from_secs(1);

/// After which the server is asked again, also when it did not answer.
const FETCH_AFTER: Duration = Duration::from_mins(1);

/// Lists the functions where the server has `information_schema`.
const FUNCTIONS: &str = "SELECT DISTINCT routine_name FROM information_schema.routines";

/// What a statement is likely to need, in the order in which one reads it.
pub(super) const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIMESTAMP",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FOLLOWING",
    "FROM",
    "FULL",
    "GROUP BY",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OUTER",
    "OVER",
    "PARTITION BY",
    "PRECEDING",
    "RECURSIVE",
    "RIGHT",
    "ROWS",
    "SELECT",
    "SHOW",
    "SHOW TABLES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
    "WITHIN",
];

/// Used when the server does not list its functions.
const USUAL_FUNCTIONS: &[&str] = &[
    "abs",
    "approx_distinct",
    "approx_percentile_cont",
    "array_agg",
    "avg",
    "ceil",
    "coalesce",
    "concat",
    "count",
    "date_bin",
    "date_part",
    "date_trunc",
    "first_value",
    "floor",
    "last_value",
    "lower",
    "max",
    "median",
    "min",
    "now",
    "nullif",
    "percentile_cont",
    "regexp_like",
    "round",
    "row_number",
    "stddev",
    "string_agg",
    "substr",
    "sum",
    "to_timestamp",
    "trim",
    "upper",
    "var",
];

/// Whether a word is coloured as a keyword.
pub(super) fn is_keyword(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    KEYWORDS.iter().any(|keyword| keyword.split(' ').any(|part| part == upper))
}

/// Words of one server.
#[derive(Debug)]
pub(super) struct Vocabulary {
    client: Client,
    asked: Option<Instant>,
    pub(super) tables: Vec<String>,
    pub(super) columns: Vec<String>,
    pub(super) functions: Vec<String>,
}

impl Vocabulary {
    pub(super) fn new(client: Client) -> Self {
        let functions = USUAL_FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
        Self { client, asked: None, tables: Vec::new(), columns: Vec::new(), functions }
    }

    /// Asks the server if that was not done lately. Blocks the thread, which must be one that may block.
    pub(super) fn refresh(&mut self) {
        if self.asked.is_some_and(|asked| asked.elapsed() < FETCH_AFTER) {
            return;
        }
        self.asked = Some(time::now());
        let client = self.client.clone();
        let fetched = tokio::runtime::Handle::current()
            .block_on(async { time::timeout(FETCH_WAIT, fetch(&client)).await });
        // Without an answer, what is known already must do.
        if let Ok(Ok((tables, columns, functions))) = fetched {
            self.tables = tables;
            self.columns = columns;
            if !functions.is_empty() {
                self.functions = functions;
            }
        }
    }
}

type Words = (Vec<String>, Vec<String>, Vec<String>);

async fn fetch(client: &Client) -> Result<Words, ClientError> {
    let tables = client.tables().await?;
    let fields = tables.iter().flat_map(|table| table.schema.fields());
    let columns: BTreeSet<String> = fields.map(|field| field.name().clone()).collect();
    let names = tables.iter().map(|table| table.name.clone()).collect();
    let functions = functions(client).await.unwrap_or_default();
    Ok((names, columns.into_iter().collect(), functions.into_iter().collect()))
}

async fn functions(client: &Client) -> Result<BTreeSet<String>, ClientError> {
    let answer = client.query(FUNCTIONS).await?.collect().await?;
    let columns = answer.batches.iter().filter_map(|batch| batch.column(0).as_string_opt::<i32>());
    Ok(columns.flat_map(|names| names.iter().flatten().map(str::to_owned)).collect())
}
