//! IN, NOT IN, ANY and ALL over rows with NULLs, correlated and not, wherever a condition can stand, against a naive model of three-valued
//! logic.

use std::{collections::HashSet, time::Duration};

use arrow::array::{AsArray, RecordBatch};

use crate::{
    support::{Event, Fixture, Random, START, event},
    values_table::ten_events,
};

/// How long a statement over ten rows may take before it counts as one without an end.
const END_WAIT: Duration = Duration::from_secs(30);

/// True, false or unknown.
type Truth = Option<bool>;

const TYPES: [&str; 3] = ["a", "b", "c"];

/// How a membership is written, and the comparison that makes a row count: `true` in a pair means that one is enough, else all must.
type Written = (&'static str, bool, fn(f64, f64) -> bool);

const MEMBERSHIPS: [Written; 5] = [
    ("{x} IN ({rows})", true, |x, y| x == y),
    ("{x} NOT IN ({rows})", false, |x, y| x != y),
    ("{x} > ANY ({rows})", true, |x, y| x > y),
    ("{x} <= ALL ({rows})", false, |x, y| x <= y),
    ("{x} <> ANY ({rows})", true, |x, y| x != y),
];

/// Which rows a subquery reads, as SQL and for the model: of all, of the same type, of lower value.
type Reads = (&'static str, fn(&Event, &Event) -> bool);

const READS: [Reads; 4] = [
    ("", |_, _| true),
    (" WHERE b.type = a.type", |a, b| a.kind == b.kind),
    (" WHERE b.type = a.type AND b.value < a.value", |a, b| a.kind == b.kind && b.value < a.value),
    (" WHERE b.value > 100", |_, _| false),
];

#[tokio::test]
async fn memberships_are_true_false_or_unknown() {
    let fixture = Fixture::new().await;
    let events = gappy_events();
    fixture.append_to_files(&events[..20]).await;
    fixture.append(&events[20..]).await;
    for (written, any, test) in MEMBERSHIPS {
        for (reads, belongs) in READS {
            for x in ["a.latitude", "a.value"] {
                let rows = format!("SELECT b.longitude FROM events b{reads}");
                let condition = written.replace("{x}", x).replace("{rows}", &rows);
                let truth = |a: &Event| {
                    let x = if x == "a.value" { Some(a.value) } else { a.place.map(|place| place.0) };
                    let rows = events.iter().filter(|b| belongs(a, b)).map(|b| b.place.map(|place| place.1));
                    compared(any, rows.map(|y| Some(test(x?, y?))))
                };
                check(&fixture, &events, &condition, truth).await;
            }
        }
    }
}

/// A condition must hold in WHERE, below NOT, beside OR and among the columns.
async fn check(fixture: &Fixture, events: &[Event], condition: &str, truth: impl Fn(&Event) -> Truth) {
    let of = |holds: fn(Truth) -> bool| -> HashSet<String> {
        events.iter().filter(|event| holds(truth(event))).map(|event| event.device.clone()).collect()
    };
    let (yes, no, unknown) = (of(|t| t == Some(true)), of(|t| t == Some(false)), of(|t| t.is_none()));
    let wheres = [
        (condition.to_owned(), &yes),
        (format!("NOT ({condition})"), &no),
        (format!("({condition}) IS NULL OR a.value > 1000"), &unknown),
    ];
    for (text, expected) in wheres {
        let sql = format!("SELECT a.device_id FROM events a WHERE {text}");
        assert_eq!(&devices(fixture, &sql).await, expected, "{sql}");
    }
    let sql =
        format!("SELECT q.d FROM (SELECT a.device_id AS d, {condition} AS t FROM events a) q WHERE NOT q.t");
    assert_eq!(devices(fixture, &sql).await, no, "{sql}");
}

async fn devices(fixture: &Fixture, sql: &str) -> HashSet<String> {
    let mut devices = HashSet::new();
    for batch in fixture.rows(sql).await {
        for device in batch.column(0).as_string_view().iter().flatten() {
            assert!(devices.insert(device.to_owned()), "{sql}: {device} is there twice");
        }
    }
    devices
}

/// ANY or ALL of some comparisons.
fn compared(any: bool, comparisons: impl Iterator<Item = Truth>) -> Truth {
    let mut truth = Some(!any);
    for one in comparisons {
        match one {
            Some(decides) if decides == any => return Some(any),
            None => truth = None,
            Some(_) => {}
        }
    }
    truth
}

/// Every event is of a device of its own; half have no place.
fn gappy_events() -> Vec<Event> {
    let mut random = Random(7);
    let mut small = move || f64::from(i32::try_from(random.below(4)).unwrap());
    (0..40_u32)
        .map(|number| Event {
            place: (small() > 1.0).then(|| (small(), small())),
            ..event(START + i64::from(number), &format!("d{number}"), TYPES[number as usize % 3], small())
        })
        .collect()
}

/// Partitions of the outer joins are empty: they never ask their other side, where joins lie whose partitions wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn joins_whose_partitions_are_not_all_asked_for_end() {
    let fixture = ten_events().await;
    for (west, rows) in [(-95, 4), (-75, 3), (-35, 2), (-15, 1), (0, 0)] {
        let sql = format!(
            "SELECT (a.metadata->>'site') IN (SELECT 'x' FROM events b WHERE b.device_id ILIKE 'd_') FROM events a \
             WHERE a.longitude > {west} AND a.timestamp >= CASE WHEN \
             (a.type < ANY (SELECT b.type FROM events b WHERE b.metadata->'n' IN (25, 1e300))) THEN a.timestamp END"
        );
        let found = tokio::time::timeout(END_WAIT, fixture.rows(&sql));
        let found = found.await.unwrap_or_else(|_| panic!("never ends: {sql}"));
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{sql}");
    }
}
