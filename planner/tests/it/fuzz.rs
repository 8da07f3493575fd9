//! The corpus of the fuzz target for statements, and damaged copies.

#[path = "../../../fuzz/sql_text.rs"]
mod sql_text;
#[path = "../../../fuzz/variants.rs"]
mod variants;

use self::sql_text::Statements;

#[test]
fn statements_are_planned_or_refused() {
    let statements = Statements::new();
    variants::each("sql_text", 5, |bytes| statements.plan(bytes));
}
