//! What to do instead: a statement that does not read is refused by name, and its first word tells what its sender was after.

use hexflight_planner::DataFusionError;
use tonic::{Code, Status};

use crate::status::query_status;

/// The status of a statement that failed, with what to do where its kind cannot work.
pub(super) fn statement_status(sql: &str, failure: &DataFusionError) -> Status {
    let status = query_status(failure);
    match advice(sql) {
        Some(advice) if status.code() == Code::InvalidArgument => {
            Status::invalid_argument(format!("{}; {advice}", status.message()))
        }
        _ => status,
    }
}

fn advice(sql: &str) -> Option<&'static str> {
    let word = first_word(sql).to_ascii_uppercase();
    Some(match word.as_str() {
        "COPY" => {
            "SQL reads and writes no files: fetch results with SELECT, send events with DoPut or adbc_ingest"
        }
        "INSERT" | "MERGE" | "LOAD" | "REPLACE" => {
            "send events with DoPut to [\"events\"], with adbc_ingest or over HTTP"
        }
        "UPDATE" | "DELETE" | "TRUNCATE" => "events are only ever added",
        "CREATE" | "DROP" | "ALTER" => "tables are not made by SQL; use the table events",
        "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "END" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            "there are no transactions: use autocommit; every batch that is acknowledged is durable by itself"
        }
        "SET" | "RESET" | "USE" => "options of a session are set with SetSessionOptions",
        _ => return None,
    })
}

/// The first word of a statement, behind comments and EXPLAIN.
fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ';'));
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if !["EXPLAIN", "ANALYZE", "VERBOSE"].iter().any(|skipped| word.eq_ignore_ascii_case(skipped)) {
                return word;
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_found_behind_comments_and_explain() {
        for sql in [
            "insert into t",
            " \n-- a\n/* b */ INSERT",
            "EXPLAIN ANALYZE Insert INTO t",
            "(insert",
            ";insert",
        ] {
            assert!(first_word(sql).eq_ignore_ascii_case("insert"), "{sql}");
        }
        for sql in ["", "--", "/*", "42", "explain"] {
            assert_eq!(first_word(sql), "", "{sql}");
        }
    }

    #[test]
    fn only_a_statement_that_cannot_work_gets_advice() {
        let failed = |sql: &str| {
            let failure = DataFusionError::Plan("refused".to_owned());
            statement_status(sql, &failure).message().to_owned()
        };
        assert_eq!(failed("SELECT nothing"), "refused");
        assert!(failed("INSERT INTO events VALUES (1)").contains("adbc_ingest"));
        assert!(failed("BEGIN").contains("autocommit"));
        let exhausted = DataFusionError::ResourcesExhausted("full".to_owned());
        assert_eq!(statement_status("INSERT", &exhausted).code(), Code::ResourceExhausted);
    }
}
