//! What each rule does to a plan that needs it: before and after, as EXPLAIN VERBOSE shows them. A rule that does nothing any more fails here,
//! by its snapshot at the least, and so does one without an example.

use std::{collections::BTreeSet, fs, path::Path};

use arrow::array::{Array, AsArray, RecordBatch};
use hexflight_planner::ScalarValue;
use insta::assert_snapshot;

use crate::support::Fixture;

/// Files of `src/rules`, what EXPLAIN calls the rule, and a statement that needs it.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "answer_from_rollups",
        "AnswerFromRollups",
        "SELECT type, count(*), avg(value) FROM events WHERE timestamp >= '2024-01-01' GROUP BY type",
    ),
    (
        "bitwise_signs",
        "mend_typed_expressions",
        "SELECT length(device_id) & -length(device_id), length(type) # length(type) FROM events",
    ),
    ("bounded_calls", "mend_typed_expressions", "SELECT repeat(type, 3), type || device_id FROM events"),
    (
        "constant_join_keys",
        "constant_join_keys",
        "SELECT a.value FROM events a JOIN events b ON (b.type = 'x') = (a.value IN (NULL))",
    ),
    (
        "counted_set_operations",
        "count_set_operations",
        "SELECT type FROM events INTERSECT ALL SELECT device_id FROM events",
    ),
    (
        "date_arithmetic",
        "mend_untyped_expressions",
        "SELECT value FROM events WHERE timestamp > $1 + INTERVAL '3 hours'",
    ),
    (
        "distinct_inner_keys",
        "distinct_inner_keys",
        "SELECT value FROM events WHERE type IN (SELECT device_id FROM events)",
    ),
    (
        "distinct_on_order",
        "distinct_on_order",
        "SELECT DISTINCT ON (device_id) value FROM events ORDER BY device_id, timestamp, timestamp",
    ),
    (
        "exact_times",
        "exact_times",
        "SELECT value FROM events WHERE timestamp < '2024-01-01T00:00:00.0000005Z'",
    ),
    ("far_moments", "mend_untyped_expressions", "SELECT value FROM events WHERE timestamp < '9999-12-31'"),
    ("filter_pushdown", "FilterPushdown(Post)", "SELECT value FROM events ORDER BY value LIMIT 5"),
    ("fixed_widths", "mend_untyped_expressions", "SELECT NULL::INT[1000000000]"),
    (
        "guard_below",
        "guard_below",
        "SELECT sum(CASE WHEN type = 'pump' AND (metadata->>'level')::int > 2 THEN 1 END) OVER () FROM events",
    ),
    (
        "guard_filtered_arguments",
        "guard_filtered_arguments",
        "SELECT sum((metadata->>'level')::int) FILTER (WHERE type = 'pump') FROM events",
    ),
    (
        "hold_above_joins",
        "hold_above_joins",
        "SELECT value FROM events WHERE device_id IN (SELECT type FROM events) AND (metadata->>'level')::int > 2",
    ),
    (
        "hold_in_outer_joins",
        "hold_in_outer_joins",
        "SELECT a.value FROM events a LEFT JOIN events b ON a.device_id = b.device_id AND a.type = 'pump' AND (b.metadata->>'level')::int > 2",
    ),
    (
        "interval_arithmetic",
        "initial_logical_plan",
        "SELECT value FROM events WHERE timestamp > TIMESTAMP '2024-01-01' - INTERVAL '1 hour' * 3",
    ),
    (
        "json_as_text",
        "json_as_text",
        "SELECT value FROM events WHERE metadata->'a' IS NULL ORDER BY metadata->'a'",
    ),
    ("json_casts", "apply_function_rewrites", "SELECT (metadata->'n')::int FROM events"),
    ("json_values", "mend_untyped_expressions", "SELECT value FROM events WHERE metadata->'n' < 20"),
    ("large_limits", "LargeLimits", "SELECT value FROM events ORDER BY value LIMIT 5 OFFSET 1000000"),
    (
        "lists_apart",
        "mend_typed_expressions",
        "SELECT value FROM events WHERE length(type) NOT IN (1) OR length(type) NOT IN (2)",
    ),
    (
        "nested_loops",
        "NestedLoops",
        "SELECT a.value FROM events a LEFT JOIN events b ON a.value + b.value < 3",
    ),
    (
        "never_unknown",
        "mend_typed_expressions",
        "SELECT value FROM events WHERE (device_id = type) IS NOT FALSE",
    ),
    (
        "null_peers",
        "NullPeers",
        "SELECT count(*) OVER (ORDER BY latitude RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING) FROM events",
    ),
    (
        "null_safe_keys",
        "extract_equijoin_predicate",
        "SELECT a.value FROM events a JOIN events b ON a.value IS NOT DISTINCT FROM b.value AND a.latitude = b.latitude",
    ),
    (
        "nullable_sides",
        "NullableSides",
        "SELECT b.one FROM events a LEFT JOIN (SELECT device_id, 1 AS one FROM events) b ON a.device_id = b.device_id ORDER BY b.one",
    ),
    (
        "opaque_operands",
        "OpaqueOperands",
        "SELECT value FROM events WHERE CAST(value AS BIGINT) = 3 ORDER BY value",
    ),
    ("open_lists", "mend_typed_expressions", "SELECT value FROM events WHERE value IN (1, 2, latitude)"),
    ("outer_aggregates", "check_outer_aggregates", "SELECT (SELECT max(a.value)) FROM events a"),
    ("plain_floats", "mend_typed_expressions", "SELECT value * -1 IN (0) FROM events"),
    (
        "plain_patterns",
        "plain_patterns",
        "SELECT type LIKE 'a!%' ESCAPE '!', type SIMILAR TO 'a%|b_' FROM events",
    ),
    (
        "projections_above_guards",
        "ProjectionPushdown",
        "SELECT a.value + 1 FROM events a JOIN events b ON a.value < b.value",
    ),
    (
        "subqueries",
        "subqueries_to_joins",
        "SELECT EXISTS (SELECT 1 FROM events b WHERE b.device_id = a.type) OR value > 1 FROM events a",
    ),
    ("turns_in_calls", "TurnsInCalls", "SELECT levenshtein(device_id, type) FROM events"),
    ("turns_in_joins", "TurnsInJoins", "SELECT a.value FROM events a JOIN events b ON a.device_id = b.type"),
    (
        "volatile_once",
        "mend_typed_expressions",
        "SELECT value FROM events WHERE random() BETWEEN 0.4 AND 0.6",
    ),
    (
        "whole_moments",
        "whole_moments",
        "SELECT value FROM events WHERE timestamp >= CAST(device_id AS TIMESTAMP)",
    ),
    ("wide_rows", "WideRows", "SELECT unnest(range(0, 3)), type FROM events"),
    (
        "window_frames",
        "check_window_frames",
        "SELECT count(*) OVER (ORDER BY timestamp RANGE BETWEEN INTERVAL '-1 hour' PRECEDING AND CURRENT ROW) FROM events",
    ),
];

/// Rules that no plan shows, and why.
const UNSEEN: [(&str, &str); 2] = [
    ("bounded_windows", "a function within bounds keeps its name"),
    ("guard_conditions", "a guarded operand is shown as it was"),
];

/// Files that are no rule.
const HELPERS: [&str; 5] = ["mod", "mend", "comparison", "set_apart", "held"];

/// What EXPLAIN shows for a plan that a rule left as it was.
const SAME: &str = "SAME TEXT AS ABOVE";

#[test]
fn every_rule_has_an_example() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules");
    let files = fs::read_dir(folder).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let rules: BTreeSet<String> = files.map(|entry| stem(&entry.unwrap().path())).collect();
    let unseen = UNSEEN.iter().map(|(file, _)| *file);
    let known = EXAMPLES.iter().map(|(file, ..)| *file).chain(unseen).chain(HELPERS);
    assert_eq!(rules, known.map(str::to_owned).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_change_the_plans_that_need_them() {
    let fixture = Fixture::new().await;
    let mut idle = vec![];
    for (file, rule, sql) in EXAMPLES {
        let explain = format!("EXPLAIN VERBOSE {sql}");
        let params = if sql.contains('$') { vec![ScalarValue::Date32(Some(20_000))] } else { vec![] };
        match change(&fixture.rows_with(&explain, params).await, rule) {
            Some((before, after)) => assert_snapshot!(*file, format!("{sql}\n\n{before}\n\n{after}")),
            None => idle.push(format!("{file}: {rule} leaves {sql} as it is")),
        }
    }
    assert!(idle.is_empty(), "\n{}", idle.join("\n"));
}

/// The plan before a rule and after it, where it first changes one.
fn change(rows: &[RecordBatch], rule: &str) -> Option<(String, String)> {
    let mut before = String::new();
    for batch in rows {
        let (stages, plans) = (batch.column(0), batch.column(1));
        for (stage, plan) in texts(stages).into_iter().zip(texts(plans)) {
            let is_of_rule = stage == rule || stage.ends_with(&format!(" after {rule}"));
            if plan != SAME && is_of_rule {
                return Some((before, plan));
            }
            if plan != SAME {
                before = plan;
            }
        }
    }
    None
}

fn texts(column: &dyn Array) -> Vec<String> {
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}
