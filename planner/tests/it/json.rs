//! What `->` gives is JSON as text, exactly as it is stored, wherever a statement uses it and whatever it leaves through.

use arrow::datatypes::DataType;

use hexflight_planner::ScalarValue;

use crate::support::{Event, Fixture, START, check, event, first_value};

#[tokio::test]
async fn json_values_are_the_text_that_is_stored() {
    let fixture = documents().await;
    for (key, expected) in [
        ("int", "1"),
        ("big", "123456789012345678901234567890"),
        ("float", "1.10"),
        ("text", r#""a \"b\"""#),
        ("list", r#"[1, "x"]"#),
        ("object", r#"{"k": 1.0}"#),
        ("none", "null"),
        ("absent", ""),
    ] {
        for sql in [
            format!("SELECT metadata->'{key}' FROM events WHERE device_id = 'a'"),
            format!("SELECT json_get(metadata, '{key}') FROM events WHERE device_id = 'a'"),
            format!("SELECT max(metadata->'{key}') FROM events WHERE device_id = 'a'"),
            format!(
                "SELECT v FROM (SELECT metadata->'{key}' AS v, device_id FROM events) WHERE device_id = 'a'"
            ),
            format!(
                "SELECT CASE WHEN value > 0 THEN metadata->'{key}' ELSE metadata->'x' END FROM events WHERE device_id = 'a'"
            ),
            format!("SELECT first_value(metadata->'{key}') OVER () FROM events WHERE device_id = 'a'"),
        ] {
            assert_eq!(fixture.value(&sql).await, expected, "{sql}");
        }
    }
    let statement = "SELECT metadata->'int' AS j FROM events";
    let schema = fixture.queries.schema(statement).await.unwrap();
    assert_eq!(schema.result.field(0).data_type(), &DataType::Utf8);
    assert_eq!(fixture.rows(statement).await[0].schema().field(0).data_type(), &DataType::Utf8);
}

#[tokio::test]
async fn statements_use_json_values_as_any_other() {
    let fixture = documents().await;
    let table = [
        ("SELECT count(DISTINCT metadata->'int') FROM events", "2"),
        ("SELECT array_agg(metadata->'int' ORDER BY device_id) FROM events", "[1, 2, 1, ]"),
        ("SELECT string_agg(metadata->'int', ',' ORDER BY device_id) FROM events", "1,2,1"),
        ("SELECT count(*) FROM (SELECT metadata->'int', count(*) FROM events GROUP BY metadata->'int')", "3"),
        ("SELECT count(*) FROM (SELECT DISTINCT metadata->'int' FROM events)", "3"),
        (
            "SELECT count(*) FROM (SELECT metadata->'int' FROM events UNION SELECT metadata->'none' FROM events)",
            "5",
        ),
        ("SELECT metadata->'int' FROM events ORDER BY metadata->'int' DESC NULLS LAST LIMIT 1", "2"),
        (
            "SELECT coalesce(metadata->'absent', metadata->'text') FROM events WHERE device_id = 'a'",
            r#""a \"b\"""#,
        ),
        ("SELECT coalesce(metadata->'absent', 'x') FROM events WHERE device_id = 'a'", "x"),
        ("SELECT min(metadata->'object'->'k') FROM events", "1.0"),
        ("SELECT metadata #> ARRAY['object', 'k'] FROM events WHERE device_id = 'a'", "1.0"),
        ("SELECT count(*) FROM events WHERE metadata->'none' IS NULL", "2"),
        ("SELECT count(*) FROM events WHERE metadata->'int' IS NOT NULL", "3"),
        (
            "SELECT row_number() OVER (ORDER BY metadata->'int' DESC NULLS LAST) FROM events WHERE device_id = 'b'",
            "1",
        ),
        ("SELECT count(*) FROM events a JOIN events b ON a.metadata->'int' = b.metadata->'int'", "5"),
        ("SELECT (SELECT max(metadata->'int') FROM events)", "2"),
        ("SELECT json_union_to_text(metadata->'int') FROM events WHERE device_id = 'b'", "2"),
        ("SELECT json_from_scalar(1)", "1"),
        ("SELECT lower(metadata->'text') FROM events WHERE device_id = 'a'", r#""a \"b\"""#),
        ("SELECT (metadata->'object')->>'k' FROM events WHERE device_id = 'a'", "1.0"),
        (
            "SELECT o->>'k' FROM (SELECT metadata->'object' AS o, device_id FROM events) WHERE device_id = 'a'",
            "1.0",
        ),
        ("SELECT sum((metadata->'int')::int) FROM events", "4"),
        ("SELECT count(*) FROM events WHERE (metadata->'object')::text = '{\"k\": 1.0}'", "1"),
    ];
    check(&fixture, &table).await;
}

#[tokio::test]
async fn keys_may_be_parameters() {
    let fixture = documents().await;
    let (text, place) = (|key: &str| ScalarValue::from(key), |place: i32| ScalarValue::from(place));
    for (sql, parameters, expected) in [
        ("SELECT metadata->>$1 FROM events WHERE device_id = 'b'", vec![text("int")], "2"),
        ("SELECT metadata->>? FROM events WHERE device_id = ?", vec![text("int"), text("b")], "2"),
        ("SELECT metadata->$1 FROM events WHERE device_id = 'a'", vec![text("text")], r#""a \"b\"""#),
        ("SELECT count(*) FROM events WHERE metadata ? $1", vec![text("object")], "1"),
        ("SELECT count(*) FROM events WHERE metadata->>$1 = $2", vec![text("int"), text("1")], "2"),
        ("SELECT count(*) FROM events WHERE metadata->$1 < 2", vec![text("int")], "2"),
        (
            "SELECT metadata->$1->>$2 FROM events WHERE device_id = 'a'",
            vec![text("object"), text("k")],
            "1.0",
        ),
        ("SELECT metadata->$1->>$2 FROM events WHERE device_id = 'a'", vec![text("list"), place(-1)], "x"),
        ("SELECT sum((metadata->$1)::int) FROM events", vec![text("int")], "4"),
        ("SELECT lower(metadata->>$1) FROM events WHERE device_id = 'a'", vec![text("list")], r#"[1, "x"]"#),
        ("SELECT json_get_int(metadata, $1) FROM events WHERE device_id = 'b'", vec![text("int")], "2"),
        ("SELECT count(metadata->>$1) FROM events", vec![ScalarValue::Utf8(None)], "0"),
    ] {
        assert_eq!(first_value(&fixture.rows_with(sql, parameters).await), expected, "{sql}");
    }
    let schema = fixture.queries.schema("SELECT metadata->>$1 FROM events").await.unwrap();
    assert_eq!(schema.result.field(0).name(), "metadata ->> $1");
}

#[tokio::test]
async fn a_key_is_text_or_a_whole_number() {
    let fixture = documents().await;
    let sql = "SELECT metadata->>$1 FROM events";
    let error = fixture.try_rows(sql, vec![ScalarValue::from(1.5)]).await.unwrap_err();
    assert!(error.message.contains("a key of JSON is text"), "{error}");
}

#[tokio::test]
async fn whether_null_has_a_key_is_null() {
    let fixture = documents().await;
    for (condition, expected) in [
        ("metadata ? 'object'", "1"),
        ("NOT metadata ? 'object'", "2"),
        ("(metadata ? 'object') IS NULL", "1"),
        ("metadata->'object' ? 'k'", "1"),
        ("(metadata->'object' ? 'k') IS NULL", "3"),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {condition}");
        assert_eq!(fixture.value(&sql).await, expected, "{sql}");
    }
}

/// Three documents, of which the first has everything, and a row without one; in files and in memory.
async fn documents() -> Fixture {
    let of = |number: i64, device: &str, metadata: Option<&str>| Event {
        metadata: metadata.map(str::to_owned),
        ..event(START + number, device, "t", 1.0)
    };
    let all = r#"{"int": 1, "big": 123456789012345678901234567890, "float": 1.10, "text": "a \"b\"", "list": [1, "x"], "object": {"k": 1.0}, "none": null}"#;
    let fixture = Fixture::new().await;
    fixture.append_to_files(&[of(0, "a", Some(all)), of(1, "b", Some(r#"{"int": 2, "none": 3}"#))]).await;
    fixture.append(&[of(2, "c", Some(r#"{"int": 1}"#)), of(3, "d", None)]).await;
    fixture
}
