//! Ten events with few values, half of them in a file, and statements over them with what they answer.

use arrow::util::display::array_value_to_string;
use hexflight_planner::ScalarValue;

use crate::support::{Event, Fixture, HOUR, START};

/// Metadata of the events, in order of time, three hours apart from midnight UTC on.
const METADATA: [Option<&str>; 10] = [
    Some(
        r#"{"n": 19.5, "id": 12345678901234567890, "site": "x", "a": {"n": 5}, "b": true, "t": "2024-05-01T10:00:00Z"}"#,
    ),
    Some(r#"{"n": 25, "id": 9007199254740993, "site": "y", "a": {"n": 5.5}, "b": false, "t": "2024-05-01"}"#),
    Some(r#"{"n": "25", "id": 1.10, "site": 7, "a": {"n": "q"}, "b": "true"}"#),
    Some(r#"{"n": null, "id": 1e3, "site": null}"#),
    None,
    Some("{}"),
    Some(r#"{"n": -3, "site": "x", "m": -3.0, "id": "77"}"#),
    Some(r#"{"n": 1e300, "id": 0.1}"#),
    Some(r#"{"n": true, "id": true}"#),
    Some(r#"{"n": 0, "site": "z", "id": -0.0, "m": "0"}"#),
];

/// Latitude is 0 to 90 in tens, and null in the fifth and sixth row; longitude is minus that.
pub(crate) async fn ten_events() -> Fixture {
    let fixture = Fixture::new().await;
    let events: Vec<Event> = (0_i32..)
        .zip(METADATA)
        .map(|(row, metadata)| Event {
            timestamp: START + i64::from(row) * 3 * HOUR,
            device: format!("d{row}"),
            kind: ["a", "b", "c"][usize::try_from(row).unwrap() % 3].into(),
            value: f64::from(row - 2),
            place: (!(4..6).contains(&row)).then(|| (f64::from(row * 10), f64::from(-row * 10))),
            metadata: metadata.map(Into::into),
        })
        .collect();
    fixture.append_to_files(&events[..5]).await;
    fixture.append(&events[5..]).await;
    fixture
}

/// Asks each statement and compares its rows, written as `a b; c d` with nothing for null.
pub(crate) async fn expect(fixture: &Fixture, table: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (sql, expected) in table {
        let found = rows_of(fixture, sql, vec![]).await;
        if found != *expected {
            wrong.push_str(&format!("{sql}\n  expected {expected}\n  found    {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Asks for the numbers of the events that a condition keeps, as `0 1 9`.
pub(crate) async fn expect_kept(fixture: &Fixture, table: &[(&str, &str)]) {
    let sql: Vec<_> = table
        .iter()
        .map(|(condition, _)| {
            format!("SELECT string_agg(substr(device_id, 2), ' ' ORDER BY device_id) FROM events WHERE {condition}")
        })
        .collect();
    let table: Vec<_> = sql.iter().map(String::as_str).zip(table.iter().map(|(_, kept)| *kept)).collect();
    expect(fixture, &table).await;
}

pub(crate) async fn rows_of(fixture: &Fixture, sql: &str, params: Vec<ScalarValue>) -> String {
    let batches = match fixture.try_rows(sql, params).await {
        Ok(batches) => batches,
        Err(error) => return format!("{error:?}"),
    };
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| {
            let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            cells.collect::<Vec<_>>().join(" ")
        })
    });
    rows.collect::<Vec<_>>().join("; ")
}
