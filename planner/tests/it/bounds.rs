//! Questions that lie exactly on what the log says a file ranges over: the rows on the bound are found, and what lies beyond it is
//! still pruned.

use arrow::array::RecordBatch;
use hexflight_planner::ScalarValue;

use crate::support::{Event, Fixture, Random, START, event};

/// Files of three rows each.
const FILES: i64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn rows_on_the_bounds_of_their_file_are_found() {
    let fixture = Fixture::new().await;
    let mut random = Random(11);
    for number in 0..FILES {
        let mut values = [value(&mut random, number), value(&mut random, number + 1), value(&mut random, 0)];
        values.sort_unstable_by(f64::total_cmp);
        let kind = format!("type-{number}");
        let events: Vec<_> = values.iter().map(|value| event(START, "device", &kind, *value)).collect();
        fixture.append_to_files(&events).await;
        for (condition, bound, rows) in [
            ("value = $1", values[2], values.iter().filter(|value| **value == values[2]).count()),
            ("value >= $1", values[2], values.iter().filter(|value| **value == values[2]).count()),
            ("value <= $1", values[0], values.iter().filter(|value| **value == values[0]).count()),
            ("value > $1", values[2], 0),
            ("value < $1", values[0], 0),
        ] {
            let sql = format!("SELECT value FROM events WHERE type = '{kind}' AND {condition}");
            // No door lets a negative zero in.
            let bound = bound + 0.0;
            let found = fixture.rows_with(&sql, vec![ScalarValue::Float64(Some(bound))]).await;
            assert_eq!(
                count(&found),
                rows,
                "file {number}: {sql} with {bound:e}, values {values:e}",
                values = values[0]
            );
        }
    }
    let beyond = "SELECT value FROM events WHERE type = 'type-7' AND value > 1.7976931348623157e308";
    let plan = fixture.table(&format!("EXPLAIN ANALYZE {beyond}")).await;
    assert!(plan.contains("files=0/30"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_on_the_edges_of_a_box_are_in_it() {
    let fixture = Fixture::new().await;
    let mut random = Random(12);
    for number in 0..FILES {
        let kind = format!("type-{number}");
        let places: Vec<(f64, f64)> = (0..3)
            .map(|_| (50.0 + fraction(&mut random) * 3.0, 10.0 + fraction(&mut random) * 6.0))
            .collect();
        let events: Vec<_> = places
            .iter()
            .map(|place| Event { place: Some(*place), ..event(START, "device", &kind, 1.0) })
            .collect();
        fixture.append_to_files(&events).await;
        let (south, north) = ends(places.iter().map(|place| place.0));
        let (west, east) = ends(places.iter().map(|place| place.1));
        for (sides, rows) in [
            ([south, north, west, east], 3),
            ([north, 90.0, -180.0, 180.0], 1),
            ([-90.0, south, -180.0, 180.0], 1),
            ([-90.0, 90.0, east, 180.0], 1),
            ([-90.0, 90.0, -180.0, west], 1),
        ] {
            let [south, north, west, east] = sides;
            let by_box = format!("geo_bbox(latitude, longitude, {south:?}, {north:?}, {west:?}, {east:?})");
            let by_sides = format!(
                "latitude BETWEEN {south:?} AND {north:?} AND longitude BETWEEN {west:?} AND {east:?}"
            );
            for condition in [by_box, by_sides] {
                let sql = format!("SELECT value FROM events WHERE type = '{kind}' AND {condition}");
                assert_eq!(count(&fixture.rows(&sql).await), rows, "{sql}");
            }
        }
    }
}

/// What another tool says of a file may have been rounded.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_another_tool_are_taken_for_rounded() {
    let fixture = Fixture::new().await;
    let (least, most) = (0.1 + 0.2, 10.1 * 3.0 + 1e-14);
    assert_eq!(
        (format!("{least}"), format!("{most}")),
        ("0.30000000000000004".into(), "30.300000000000008".into())
    );
    fixture.append_to_files(&[event(START, "device", "a", least), event(START, "device", "a", most)]).await;
    let log = fixture.directory().join("tables/events/_delta_log");
    let ours = std::fs::read_to_string(log.join(format!("{:020}.json", 1))).unwrap();
    let add = ours.lines().find(|line| line.starts_with("{\"add\"")).unwrap();
    // One unit in the last place towards the middle on either side.
    let rounded = add
        .replace("0.30000000000000004", &format!("{}", least.next_up()))
        .replace("30.300000000000008", &format!("{}", most.next_down()));
    assert_ne!(rounded, add);
    let version = format!(
        "{{\"commitInfo\":{{\"operation\":\"OPTIMIZE\",\"engineInfo\":\"another/1\"}}}}\n{rounded}\n"
    );
    std::fs::write(log.join(format!("{:020}.json", 2)), version).unwrap();
    let fixture = fixture.copied().await;
    for (condition, bound) in
        [("value >= $1", most), ("value = $1", most), ("value <= $1", least), ("value = $1", least)]
    {
        let sql = format!("SELECT value FROM events WHERE {condition}");
        let found = fixture.rows_with(&sql, vec![ScalarValue::Float64(Some(bound))]).await;
        assert_eq!(count(&found), 1, "{sql} with {bound:e}");
    }
}

fn count(rows: &[RecordBatch]) -> usize {
    rows.iter().map(RecordBatch::num_rows).sum()
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)))
}

/// From 0 to 1, with 17 digits.
fn fraction(random: &mut Random) -> f64 {
    random.below(1 << 31) as f64 / (1_u64 << 31) as f64 + random.below(1 << 31) as f64 * 2.0_f64.powi(-62)
}

/// Doubles of 17 digits, of any bits, denormals, extremes and zeros in turn.
fn value(random: &mut Random, number: i64) -> f64 {
    let bits = (random.below(1 << 31) << 32 | random.below(1 << 31) << 1 | random.below(2)).cast_unsigned();
    let any = f64::from_bits(bits);
    match number % 6 {
        0 => (fraction(random) - 0.5) * 200.0,
        1 | 2 if any.is_finite() => {
            if random.below(2) == 0 {
                any
            } else {
                -any
            }
        }
        3 => f64::from_bits(bits >> 12),
        4 => [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324][usize::try_from(random.below(4)).unwrap()],
        5 => [0.0, -0.0, 1.0][usize::try_from(random.below(3)).unwrap()],
        _ => 99.03553410406639,
    }
}
