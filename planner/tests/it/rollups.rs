//! What is answered from rollups is what the rows say: every kind of question, over rows in files with and without rollups and in
//! memory, against the same engine with the rule switched off. And it is answered from rollups indeed.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use hexflight_planner::{QueryEngine, QueryOptions, QueryProgress};

use crate::support::{Event, Fixture, HOUR, Random, START, TYPES, event};

/// Questions asked; `HEXFLIGHT_RANDOM_QUESTIONS` asks for more.
const QUESTIONS: usize = 250;
/// Where devices are: quarters of a degree around these, one of them on the antimeridian, one at a pole.
const PLACES: [(f64, f64); 5] = [(52.5, 13.25), (-33.75, 151.0), (0.0, 180.0), (89.5, -40.0), (0.0, -180.0)];

#[tokio::test(flavor = "multi_thread")]
async fn random_questions_are_answered_as_the_rows_say() {
    let fixture = filled().await;
    let plain = without_rollups(&fixture);
    let mut random = Random(7);
    let count = std::env::var("HEXFLIGHT_RANDOM_QUESTIONS").ok().and_then(|count| count.parse().ok());
    for number in 0..count.unwrap_or(QUESTIONS) {
        let sql = question(&mut random);
        let (fast, slow) = (answer(&fixture.queries, &sql).await, answer(&plain, &sql).await);
        assert_eq!(fast, slow, "question {number}: {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_holds_everything_reads_no_row_of_files() {
    let fixture = filled().await;
    fixture.engine.flush().await.unwrap();
    let sql =
        "SELECT type, count(*), sum(value), avg(value), min(value), max(value) FROM events GROUP BY type";
    let counts = Counts::of(&fixture, sql).await;
    assert_eq!(counts.get("raw_rows"), 0, "{counts:?}");
    let progress = QueryProgress::start();
    let stream = fixture.queries.execute_watched(sql, vec![], &progress).await.unwrap();
    let _rows: Vec<_> = stream.try_collect().await.unwrap();
    let scanned = progress.report().scanned;
    // All but the files that are too small for a rollup.
    assert_eq!(scanned.rollup_rows + scanned.rows, 24_700, "{scanned:?}");
    assert!(scanned.rows < 1_024, "{scanned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_answer_all_but_the_edges_of_a_window() {
    let fixture = in_one_file().await;
    let sql = format!(
        "SELECT sum(value) FROM events WHERE type = 'humidity' AND timestamp > {} AND timestamp <= {}",
        time(START + 90_000_001),
        time(START + HOUR / 2 + 1_000_000),
    );
    let counts = Counts::of(&fixture, &sql).await;
    assert!(counts.get("raw_rows") < 6_000 && counts.get("raw_rows") > 0, "{counts:?}");
    assert!(counts.get("rollup_rows") > 1_000, "{counts:?}");
    let aligned = format!(
        "SELECT date_bin(INTERVAL '5 minutes', timestamp), avg(value) FROM events WHERE timestamp >= {} AND timestamp < {} GROUP BY 1",
        time(START + HOUR / 6),
        time(START + HOUR / 2),
    );
    let counts = Counts::of(&fixture, &aligned).await;
    assert_eq!((counts.get("raw_rows"), counts.get("segments_rollup")), (0, 4), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_minute_in_which_a_window_begins_is_looked_for_once() {
    let fixture = in_one_file().await;
    let plain = without_rollups(&fixture);
    let windows = (0..40_i64).flat_map(|step| {
        let from = START + 40_000_000 + step * 3_500_000;
        [1, 5_000_000, 61_000_000, HOUR].map(|width| (from, from + width))
    });
    let question = |measure: &str, (from, to): (i64, i64)| {
        let window = format!("timestamp >= {} AND timestamp < {}", time(from), time(to));
        format!("SELECT {measure} FROM events WHERE type = 'humidity' AND {window}")
    };
    for window in windows {
        for measure in ["count(*)", "sum(value), min(value)"] {
            let sql = question(measure, window);
            assert_eq!(answer(&fixture.queries, &sql).await, answer(&plain, &sql).await, "{sql}");
        }
    }
    // Of 5,000 rows 83 lie in each minute, and both ends of the window in minutes that were looked for.
    let sql = question("avg(value)", (START + 71_000_000, START + 133_000_000));
    let counts = Counts::of(&fixture, &sql).await;
    assert!((1..400).contains(&counts.get("raw_rows")), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_answer_all_but_the_border_of_a_box() {
    let fixture = in_one_file().await;
    let sql = "SELECT avg(value) FROM events WHERE type = 'humidity' AND geo_bbox(latitude, longitude, 50, 52.6, 10, 20)";
    let counts = Counts::of(&fixture, sql).await;
    assert!(counts.get("cells_interior") > 0 && counts.get("cells_disjoint") > 0, "{counts:?}");
    assert!(counts.get("raw_rows") < 1_500, "{counts:?}");
    // Asked again, the segment's answer is known.
    let again = Counts::of(&fixture, sql).await;
    assert_eq!((again.get("raw_rows"), again.get("answers_remembered")), (0, 1), "{again:?}");
    let cells = "SELECT h3_cell_to_parent(h3, 3), count(*) FROM events GROUP BY 1";
    assert_eq!(Counts::of(&fixture, cells).await.get("raw_rows"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_answer_where_they_are_few() {
    let fixture = in_one_file().await;
    let sql = "SELECT device_id, count(*) AS n FROM events WHERE type = 'humidity' GROUP BY device_id ORDER BY n DESC LIMIT 3";
    let counts = Counts::of(&fixture, sql).await;
    assert_eq!((counts.get("raw_rows"), counts.get("segments_rollup")), (0, 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_devices_the_first_are_found_without_reading_rows() {
    let fixture = Fixture::new().await;
    let mut random = Random(11);
    for file in 0..3 {
        fixture.append_to_files(&of_many_devices(&mut random, 24_000, file, &skewed)).await;
    }
    fixture.append(&of_many_devices(&mut random, 500, 1, &skewed)).await;
    let plain = without_rollups(&fixture);
    let top = |count: usize, measures: &str, condition: &str| {
        format!(
            "SELECT device_id, count(*) AS n{measures} FROM events WHERE {condition} \
             GROUP BY device_id ORDER BY n DESC, device_id LIMIT {count}"
        )
    };
    for (count, measures) in
        [(1, ""), (3, ", avg(value)"), (40, ", min(value), max(value)"), (900, ""), (50_000, ", sum(value)")]
    {
        for condition in [
            "type = 'humidity'".to_owned(),
            "true".to_owned(),
            format!("timestamp >= {}", time(START + HOUR / 3)),
        ] {
            let sql = top(count, measures, &condition);
            assert_eq!(answer(&fixture.queries, &sql).await, answer(&plain, &sql).await, "{sql}");
        }
    }
    let first = Counts::of(&fixture, &top(3, ", avg(value)", "type = 'humidity'")).await;
    assert_eq!((first.get("raw_rows"), first.get("segments_rollup")), (0, 3), "{first:?}");
    let all = Counts::of(&fixture, &top(50_000, "", "type = 'humidity'")).await;
    assert!(all.get("raw_rows") > 17_000, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_device_stands_out_the_first_are_found_all_the_same() {
    let fixture = Fixture::new().await;
    let mut random = Random(12);
    for file in 0..3 {
        fixture
            .append_to_files(&of_many_devices(&mut random, 24_000, file, &|random| random.below(1_500)))
            .await;
    }
    let plain = without_rollups(&fixture);
    let sql = "SELECT device_id, count(*) AS n, avg(value) FROM events WHERE type = 'humidity' GROUP BY device_id ORDER BY n DESC, device_id LIMIT 5";
    assert_eq!(answer(&fixture.queries, sql).await, answer(&plain, sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_device_among_many_only_its_blocks_are_read() {
    let fixture = Fixture::new().await;
    let mut random = Random(13);
    for file in 0..3 {
        fixture.append_to_files(&of_many_devices(&mut random, 24_000, file, &skewed)).await;
    }
    let plain = without_rollups(&fixture);
    let of = |devices: &str, rest: &str| {
        format!("SELECT count(*), sum(value), max(value) FROM events WHERE device_id IN ({devices}){rest}")
    };
    let window = format!(" AND timestamp > {} AND timestamp < {}", time(START + 7), time(START + HOUR / 2));
    for devices in
        ["'device-0'", "'device-700'", "'device-0', 'device-699'", "'device-1999', 'nobody'", "'nobody'"]
    {
        for rest in ["", &window, " AND geo_bbox(latitude, longitude, 50, 60, 10, 20)"] {
            // Asked again, it is remembered, or read another way.
            for _ in 0..6 {
                let sql = of(devices, rest);
                assert_eq!(answer(&fixture.queries, &sql).await, answer(&plain, &sql).await, "{sql}");
            }
        }
    }
    let listed = Counts::of(&fixture, &of("'device-1'", "")).await;
    assert_eq!((listed.get("raw_rows"), listed.get("segments_rollup")), (0, 12), "{listed:?}");
    let rare = Counts::of(&fixture, &of("'device-1234'", "")).await;
    assert!(rare.get("raw_rows") < 20_000 && rare.get("segments_pruned") > 0, "{rare:?}");
    let nobody = Counts::of(&fixture, &of("'nobody at all'", "")).await;
    assert!(nobody.get("raw_rows") <= 1_024, "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_ahead_answers_the_first_question() {
    let fixture = in_one_file().await;
    fixture.queries.warm_up(std::time::Duration::from_secs(10)).await;
    std::fs::remove_dir_all(fixture.directory().join("tables/events/_rollups")).unwrap();
    let counts = Counts::of(&fixture, "SELECT sum(value) FROM events").await;
    assert_eq!((counts.get("raw_rows"), counts.get("segments_rollup")), (0, 4), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_comes_from_rollups() {
    let fixture = filled().await;
    let plan = fixture.table("EXPLAIN SELECT count(*) FROM events WHERE type = 'humidity'").await;
    assert!(plan.contains("RollupAggregateExec: group=[], aggregates=[count], files: inside="), "{plan}");
    for sql in [
        "SELECT count(DISTINCT value) FROM events",
        "SELECT count(*) FROM events WHERE value > 3",
        "SELECT median(value) FROM events",
        "SELECT sum(latitude) FROM events",
        "SELECT count(*) FILTER (WHERE value > 1) FROM events",
        "SELECT type, count(*) FROM events GROUP BY ROLLUP (type)",
        "SELECT date_trunc('month', timestamp), count(*) FROM events GROUP BY 1",
    ] {
        let plan = fixture.table(&format!("EXPLAIN {sql}")).await;
        assert!(!plan.contains("RollupAggregateExec"), "{sql}: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_work_wherever_they_stand_in_a_statement() {
    let fixture = filled().await;
    let plain = without_rollups(&fixture);
    for sql in [
        "SELECT a.type, a.n, b.n FROM (SELECT type, count(*) n FROM events GROUP BY type) a \
         JOIN (SELECT type, count(DISTINCT device_id) n FROM events GROUP BY type) b ON a.type = b.type ORDER BY 1",
        "SELECT count(*) FROM (SELECT device_id FROM events GROUP BY device_id HAVING count(*) > 100) t",
        "SELECT type, count(*) FROM events GROUP BY type UNION ALL SELECT 'all', count(*) FROM events ORDER BY 2, 1",
        "SELECT device_id, count(*) * 2 AS n FROM events GROUP BY device_id ORDER BY n DESC, device_id LIMIT 5",
        "SELECT device_id, avg(value) AS v FROM events GROUP BY device_id ORDER BY v, device_id LIMIT 5 OFFSET 3",
        "SELECT max(n) FROM (SELECT date_trunc('hour', timestamp) h, count(*) n FROM events GROUP BY h) t",
        "SELECT type FROM events GROUP BY type ORDER BY type",
        "SELECT e.type, count(*) FROM events e WHERE e.type IN (SELECT type FROM events GROUP BY type HAVING avg(value) > 0) \
         GROUP BY e.type ORDER BY 1",
    ] {
        assert_eq!(answer(&fixture.queries, sql).await, answer(&plain, sql).await, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_values_come_from_the_newest_files() {
    let fixture = Fixture::new().await;
    // No two at one moment, the files one after the other, and one that is late.
    for file in [0, 2, 3, 1] {
        let at = |row: i64| START + file * HOUR + row * 700_001;
        let events: Vec<_> = (0..4_000)
            .map(|row| {
                event(
                    at(row),
                    &format!("device-{:02}", row * 7 % 40),
                    TYPES[usize::try_from(row % 4).unwrap()],
                    row as f64,
                )
            })
            .collect();
        fixture.append_to_files(&events).await;
    }
    let plain = without_rollups(&fixture);
    for sql in [
        "SELECT device_id, last_value(value ORDER BY timestamp) FROM events GROUP BY device_id ORDER BY 1",
        "SELECT last_value(value ORDER BY timestamp) FROM events WHERE device_id = 'device-07'",
        "SELECT device_id, first_value(value ORDER BY timestamp DESC), count(*) FROM events \
         WHERE type = 'humidity' GROUP BY device_id ORDER BY 1",
        "SELECT last_value(value ORDER BY timestamp) FROM events WHERE device_id = 'nobody'",
    ] {
        assert_eq!(answer(&fixture.queries, sql).await, answer(&plain, sql).await, "{sql}");
    }
    let sql = "SELECT last_value(value ORDER BY timestamp) FROM events WHERE device_id IN ('device-07', 'device-08')";
    let counts = Counts::of(&fixture, sql).await;
    assert_eq!((counts.get("segments_pruned"), counts.get("raw_rows")), (5, 2_000), "{counts:?}");
    let each = "SELECT device_id, last_value(value ORDER BY timestamp) FROM events GROUP BY device_id";
    let counts = Counts::of(&fixture, each).await;
    assert_eq!((counts.get("segments_pruned"), counts.get("raw_rows")), (12, 4_000), "{counts:?}");
    let newest = "SELECT * FROM events WHERE device_id = 'device-07' ORDER BY timestamp DESC LIMIT 1";
    assert_eq!(answer(&fixture.queries, newest).await, answer(&plain, newest).await);
    let plan = fixture.table(&format!("EXPLAIN ANALYZE {newest}")).await;
    assert!(plan.contains("row_groups_pruned_statistics=4 total → 1 matched"), "{plan}");
}

/// 24,700 events over six hours: three flushes, of which one is late rows, one file that is too small for a rollup, and a
/// part in memory.
async fn filled() -> Fixture {
    let fixture = Fixture::new().await;
    let mut random = Random(42);
    for (rows, from, hours) in [(12_000, 0, 3), (8_000, 2, 4), (1_200, 0, 6), (500, 1, 1)] {
        let events = events(&mut random, rows, from, hours);
        fixture.append_to_files(&events).await;
    }
    fixture.append(&events(&mut random, 3_000, 0, 6)).await;
    fixture
}

async fn in_one_file() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.append_to_files(&events(&mut Random(1), 20_000, 0, 1)).await;
    fixture
}

fn without_rollups(fixture: &Fixture) -> QueryEngine {
    let options = QueryOptions { target_partitions: 2, rollups: false, ..QueryOptions::default() };
    QueryEngine::new(Arc::clone(&fixture.engine), &options).unwrap()
}

/// Few devices send most; values are quarters, so that sums are the same in any order.
fn events(random: &mut Random, rows: usize, from: i64, hours: i64) -> Vec<Event> {
    (0..rows)
        .map(|_| {
            let device = random.below(40).min(random.below(40));
            let kind = TYPES[usize::try_from(random.below(4)).unwrap()];
            let second = START + from * HOUR + random.below(hours * 3_600) * 1_000_000;
            let micros = [0, 0, 1, 999_999, 500_000][usize::try_from(random.below(5)).unwrap()];
            let (latitude, longitude) = PLACES[usize::try_from(device % 5).unwrap()];
            let step = |number: i64| number as f64 / 64.0;
            let place = (random.below(10) > 0).then(|| {
                let longitude =
                    longitude + step(random.below(16)) * if longitude > 100.0 { -1.0 } else { 1.0 };
                (latitude + step(random.below(32)), longitude)
            });
            let value = (random.below(4_000) - 2_000) as f64 / 4.0;
            Event { place, ..event(second + micros, &format!("gerät-{device:02}"), kind, value) }
        })
        .collect()
}

/// Some two thousand devices, the first of which send most.
fn skewed(random: &mut Random) -> i64 {
    let range = [2_000, 200, 20, 4][usize::try_from(random.below(4)).unwrap()];
    random.below(range)
}

/// Events of one hour. Each device stays in its place; values are quarters.
fn of_many_devices(
    random: &mut Random,
    rows: usize,
    hour: i64,
    device: &dyn Fn(&mut Random) -> i64,
) -> Vec<Event> {
    (0..rows)
        .map(|_| {
            let device = device(random);
            let kind = TYPES[usize::try_from(random.below(4)).unwrap()];
            let at = START + hour * HOUR + random.below(HOUR);
            let value = random.below(4_000) as f64 / 4.0;
            let place = Some(((device % 80) as f64, (device / 80) as f64));
            Event { place, ..event(at, &format!("device-{device}"), kind, value) }
        })
        .collect()
}

/// A random question whose answer has one order only.
fn question(random: &mut Random) -> String {
    let keys = keys(random);
    let measures: Vec<&str> =
        ["count(*)", "sum(value)", "avg(value)", "min(value)", "max(value)", "count(device_id)"]
            .into_iter()
            .filter(|_| random.below(2) == 0)
            .collect();
    let measures = if measures.is_empty() { vec!["count(value)"] } else { measures };
    let columns =
        keys.iter().map(String::as_str).chain(measures.iter().copied()).collect::<Vec<_>>().join(", ");
    let mut sql = format!("SELECT {columns} FROM events{}", condition(random));
    if keys.is_empty() {
        return sql;
    }
    let numbers: Vec<String> = (1..=keys.len()).map(|number| number.to_string()).collect();
    let numbers = numbers.join(", ");
    sql.push_str(&format!(" GROUP BY {numbers}"));
    match random.below(3) {
        0 => {
            let order = if random.below(2) == 0 { "DESC" } else { "ASC" };
            let limit = 1 + random.below(12);
            sql.push_str(&format!(" ORDER BY {} {order}, {numbers} LIMIT {limit}", measures[0]));
        }
        _ => sql.push_str(&format!(" ORDER BY {numbers}")),
    }
    sql
}

fn keys(random: &mut Random) -> Vec<String> {
    let mut keys = vec![];
    if random.below(3) == 0 {
        keys.push("type".to_owned());
    }
    if random.below(3) == 0 {
        keys.push("device_id".to_owned());
    }
    if random.below(4) == 0 {
        keys.push(format!("h3_cell_to_parent(h3, {})", random.below(10)));
    }
    if random.below(4) == 0 {
        let bins = [
            "date_bin(INTERVAL '1 minute', timestamp)",
            "date_bin(INTERVAL '7 minutes', timestamp)",
            "date_bin(INTERVAL '10 seconds', timestamp)",
            "date_trunc('minute', timestamp)",
            "date_trunc('hour', timestamp)",
            "date_trunc('week', timestamp)",
        ];
        keys.push(bins[usize::try_from(random.below(6)).unwrap()].to_owned());
    }
    keys
}

fn condition(random: &mut Random) -> String {
    let mut parts = vec![];
    if random.below(4) > 0 {
        let widths = [1, 61_000_000, 600_000_000, HOUR, 3 * HOUR];
        let from = START
            + random.below(5 * 3_600) * 1_000_000
            + [0, 1, 999_999][usize::try_from(random.below(3)).unwrap()];
        let to = from + widths[usize::try_from(random.below(5)).unwrap()];
        let (after, before) = (
            [">", ">="][usize::try_from(random.below(2)).unwrap()],
            ["<", "<="][usize::try_from(random.below(2)).unwrap()],
        );
        parts.push(format!("timestamp {after} {} AND timestamp {before} {}", time(from), time(to)));
    }
    match random.below(4) {
        0 => parts.push(format!("type = '{}'", TYPES[usize::try_from(random.below(4)).unwrap()])),
        1 => parts.push("type IN ('humidity', 'battery', 'none')".to_owned()),
        _ => {}
    }
    match random.below(5) {
        0 => parts.push(format!("device_id = 'gerät-{:02}'", random.below(41))),
        1 => parts.push("(device_id = 'gerät-01' OR device_id = 'gerät-02' OR device_id = 'x')".to_owned()),
        _ => {}
    }
    parts.extend(place(random));
    if random.below(12) == 0 {
        parts.push("value > 0".to_owned());
    }
    if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
}

fn place(random: &mut Random) -> Option<String> {
    let (latitude, longitude) = PLACES[usize::try_from(random.below(5)).unwrap()];
    let size = [0.0, 1.0 / 64.0, 0.2, 1.5, 40.0][usize::try_from(random.below(5)).unwrap()];
    let (south, north) = ((latitude - size).max(-90.0), (latitude + size).min(90.0));
    let (west, east) = ((longitude - size).max(-180.0), (longitude + size).min(180.0));
    match random.below(7) {
        4 => Some("h3 IS NOT NULL".to_owned()),
        0 => Some(format!("geo_bbox(latitude, longitude, {south}, {north}, {west:?}, {east:?})")),
        1 => Some(format!(
            "latitude > {south:?} AND latitude <= {north:?} AND longitude BETWEEN {west:?} AND {east:?}"
        )),
        2 => Some(format!(
            "geo_within_radius(latitude, longitude, {latitude}, {longitude}, {})",
            size * 90_000.0
        )),
        3 if random.below(3) == 0 => {
            Some(format!("geo_bbox(latitude, longitude, -40, {north}, 179.9, -179.95)"))
        }
        _ => None,
    }
}

fn time(micros: i64) -> String {
    format!("arrow_cast({micros}, 'Timestamp(µs, \"UTC\")')")
}

async fn answer(queries: &QueryEngine, sql: &str) -> String {
    let stream = queries.execute(sql, vec![]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let schema = columns_of(&stream);
    let rows: Vec<_> = stream.try_collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    format!("{schema}\n{}", pretty_format_batches(&rows).unwrap())
}

/// Names, types and nullability: they must not depend on how a question is answered.
fn columns_of(stream: &hexflight_planner::QueryStream) -> String {
    let schema = stream.schema();
    let fields = schema.fields().iter();
    fields
        .map(|field| format!("{} {} {}", field.name(), field.data_type(), field.is_nullable()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The metrics of the leaf that answered.
#[derive(Debug)]
struct Counts(String);

impl Counts {
    async fn of(fixture: &Fixture, sql: &str) -> Self {
        let plan = fixture.table(&format!("EXPLAIN ANALYZE {sql}")).await;
        assert!(plan.contains("RollupAggregateExec"), "{plan}");
        Self(plan)
    }

    fn get(&self, name: &str) -> u64 {
        let (_, rest) =
            self.0.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {}", self.0));
        let end = rest.find([',', ']']).unwrap();
        let (number, thousands) = match rest[..end].split_once(' ') {
            Some((number, "K")) => (number, 1_000.0),
            Some((_, unit)) => panic!("{name} in {unit}"),
            None => (&rest[..end], 1.0),
        };
        format!("{:.0}", number.parse::<f64>().unwrap() * thousands).parse().unwrap()
    }
}
