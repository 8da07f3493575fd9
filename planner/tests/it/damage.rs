//! Stored bytes that are not what was written: every answer is right, or an error that names the file. Flipped bits, zeros, cuts,
//! nothing and absence, of data files and of their rollups, asked in every way in which files are read.
//!
//! `HEXFLIGHT_DAMAGE_ROUNDS` sets how often each kind is tried, `HEXFLIGHT_SEED` at which places.

use std::{path::PathBuf, sync::Arc};

use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use hexflight_engine::{DataFile, ErrorKind, TableName};
use hexflight_planner::{QueryEngine, QueryError, QueryErrorKind, QueryOptions, classify};

use crate::support::{Fixture, Random, random_events};

/// Damages of each kind that is drawn.
const ROUNDS: i64 = 10;

/// From rollups, from few and from all rows, by Bloom filter and by page index, sorted, newest first.
const QUESTIONS: [&str; 9] = [
    "SELECT type, count(*), sum(value), min(value), max(value) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT date_bin(INTERVAL '7 minutes', timestamp), avg(value) FROM events \
     WHERE timestamp > '2024-01-01T00:03:21.5Z' AND type = 'humidity' GROUP BY 1 ORDER BY 1",
    "SELECT count(*), avg(value) FROM events WHERE geo_bbox(latitude, longitude, -40.2, 33.3, -90.1, 77.7)",
    "SELECT count(*), sum(value), max(timestamp) FROM events WHERE device_id = 'device-007'",
    "SELECT h3_cell_to_parent(h3, 2), count(*) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT * FROM events WHERE device_id IN ('device-003', 'device-033') AND type = 'battery' \
     ORDER BY timestamp, value",
    "SELECT device_id, last_value(value ORDER BY timestamp) FROM events GROUP BY 1 ORDER BY 1",
    "SELECT timestamp, device_id, metadata FROM events ORDER BY timestamp DESC LIMIT 7",
    "SELECT metadata->>'floor', count(*), sum(latitude), sum(longitude), min(h3), max(device_id) \
     FROM events GROUP BY 1 ORDER BY 1",
];

/// What is done to an object.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// One bit is another.
    Flip,
    /// 4 KiB are zeros.
    Zero,
    /// The end is missing.
    Cut,
    /// No byte is left.
    Empty,
    /// There is no object.
    Missing,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_or_does_not_matter() {
    let damaged = Damaged::new().await;
    let mut refused = 0;
    for file in damaged.files() {
        for (damage, number) in rounds() {
            let undo = damaged.damage(file.location.as_ref(), damage, number);
            let asker = damaged.asker();
            for (sql, right) in damaged.asked() {
                match ask(&asker, sql).await {
                    Ok(found) => assert_eq!(found, right, "{damage:?} {number} of {}: {sql}", file.location),
                    Err(error) => {
                        assert_named(&error, &file, &format!("{damage:?} {number}: {sql}"));
                        refused += 1;
                    }
                }
            }
            undo.run();
        }
    }
    assert!(refused > 50, "only {refused} questions met the damage");
    damaged.assert_healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_rollup_does_not_matter() {
    let damaged = Damaged::new().await;
    for file in damaged.files() {
        let Some(rollup) = &file.rollup else { continue };
        for (damage, number) in rounds() {
            let undo = damaged.damage(rollup.location.as_ref(), damage, number);
            let asker = damaged.asker();
            for (sql, right) in damaged.asked() {
                let found = ask(&asker, sql).await;
                assert_eq!(found.as_deref(), Ok(right), "{damage:?} {number} of {}: {sql}", rollup.location);
            }
            undo.run();
        }
    }
    damaged.assert_healed().await;
}

/// The checksums are lost with the rollup: the file is checked as a whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_without_its_list_of_checksums() {
    let damaged = Damaged::new().await;
    let file = damaged.files().into_iter().find(|file| file.rollup.is_some()).unwrap();
    let rollup = file.rollup.as_ref().unwrap();
    for number in 0..3 {
        let undo = damaged.damage(rollup.location.as_ref(), Damage::Missing, 0);
        let undo_file = damaged.damage(file.location.as_ref(), Damage::Flip, number);
        let asker = damaged.asker();
        for (sql, _) in damaged.asked() {
            let error = ask(&asker, sql).await.unwrap_err();
            assert_named(&error, &file, sql);
        }
        undo_file.run();
        undo.run();
    }
    damaged.assert_healed().await;
}

/// Rollups of version 2 and no checksums, as an earlier build left them.
#[tokio::test(flavor = "multi_thread")]
async fn files_without_checksums_answer_as_before() {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/data-dir-unchecked");
    let fixture = Fixture::copy_of(&data).await;
    let options = QueryOptions { target_partitions: 2, rollups: false, ..QueryOptions::default() };
    let by_rows = QueryEngine::new(Arc::clone(&fixture.engine), &options).unwrap();
    for (sql, answer) in [
        ("SELECT count(*), max(value), min(value) FROM events", "| 3300     | 428.42857142857144 | 0.0"),
        (
            "SELECT count(*), max(value) FROM events WHERE device_id = 'device-7'",
            "| 165      | 426.7142857142857 |",
        ),
        ("SELECT count(*) FROM events WHERE geo_bbox(latitude, longitude, 52, 53, 13, 14)", "|"),
        ("SELECT count(*) FROM events WHERE value = 428.42857142857144", "| 1 "),
        ("SELECT count(metadata), count(h3) FROM events", "| 330 "),
    ] {
        let found = ask(&fixture.queries, sql).await.unwrap();
        assert!(found.contains(answer), "{sql}: {found}");
        assert_eq!(ask(&by_rows, sql).await.unwrap(), found, "{sql}");
    }
}

/// The log says how long a file is.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_whatever_lies_behind_its_end() {
    let damaged = Damaged::new().await;
    for file in damaged.files() {
        let path = damaged.path(file.location.as_ref());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, [bytes.clone(), vec![0; 100]].concat()).unwrap();
        let asker = damaged.asker();
        for (sql, right) in damaged.asked() {
            assert_eq!(ask(&asker, sql).await.as_deref(), Ok(right), "{sql}");
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

fn rounds() -> impl Iterator<Item = (Damage, i64)> {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<i64>().ok());
    let (rounds, seed) =
        (setting("HEXFLIGHT_DAMAGE_ROUNDS").unwrap_or(ROUNDS), setting("HEXFLIGHT_SEED").unwrap_or(1));
    let drawn = [Damage::Flip, Damage::Zero, Damage::Cut].into_iter();
    drawn
        .flat_map(move |damage| (0..rounds).map(move |round| (damage, seed * 1_000_000 + round)))
        .chain([(Damage::Empty, 0), (Damage::Missing, 0)])
}

async fn ask(queries: &QueryEngine, sql: &str) -> Result<String, QueryError> {
    let stream = queries.execute(sql, vec![]).await.map_err(|error| classify(&error))?;
    let rows: Vec<_> = stream.try_collect().await.map_err(|error| classify(&error))?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

fn assert_named(error: &QueryError, file: &DataFile, context: &str) {
    assert_eq!(error.kind, QueryErrorKind::Engine(ErrorKind::Corrupt), "{context}: {error}");
    assert!(error.message.contains(file.location.as_ref()), "{context}: {error}");
}

/// Files, questions and what they came to before the damage.
struct Damaged {
    fixture: Fixture,
    right: Vec<String>,
}

/// Puts back what was there.
#[must_use]
struct Undo(PathBuf, Vec<u8>);

impl Damaged {
    /// One file with a rollup, one that is too small for one.
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.append_to_files(&random_events(3, 4_000, 1)).await;
        fixture.append_to_files(&random_events(4, 400, 1)).await;
        let mut damaged = Self { fixture, right: vec![] };
        for sql in QUESTIONS {
            damaged.right.push(ask(&damaged.fixture.queries, sql).await.unwrap());
        }
        assert_eq!(damaged.files().iter().filter(|file| file.rollup.is_some()).count(), 1);
        damaged
    }

    fn files(&self) -> Vec<Arc<DataFile>> {
        self.fixture.engine.snapshot(&TableName::new("events")).unwrap().files().to_vec()
    }

    fn asked(&self) -> impl Iterator<Item = (&'static str, &str)> {
        QUESTIONS.into_iter().zip(self.right.iter().map(String::as_str))
    }

    /// With nothing in memory of what was read before.
    fn asker(&self) -> QueryEngine {
        let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
        QueryEngine::new(Arc::clone(&self.fixture.engine), &options).unwrap()
    }

    fn path(&self, location: &str) -> PathBuf {
        self.fixture.directory().join(location)
    }

    /// Does it at a place that `number` draws.
    fn damage(&self, location: &str, damage: Damage, number: i64) -> Undo {
        let path = self.path(location);
        let bytes = std::fs::read(&path).unwrap();
        let mut random = Random(u64::try_from(number).unwrap());
        random.below(2);
        let place = usize::try_from(random.below(i64::try_from(bytes.len()).unwrap())).unwrap();
        let mut damaged = bytes.clone();
        match damage {
            Damage::Flip => damaged[place] ^= 1 << random.below(8),
            Damage::Zero => {
                let end = (place + 4_096).min(bytes.len());
                damaged[place..end].fill(0);
            }
            Damage::Cut => damaged.truncate(place),
            Damage::Empty => damaged.clear(),
            Damage::Missing => {
                std::fs::remove_file(&path).unwrap();
                return Undo(path, bytes);
            }
        }
        std::fs::write(&path, damaged).unwrap();
        Undo(path, bytes)
    }

    async fn assert_healed(&self) {
        let asker = self.asker();
        for (sql, right) in self.asked() {
            assert_eq!(ask(&asker, sql).await.as_deref(), Ok(right), "{sql}");
        }
    }
}

impl Undo {
    fn run(self) {
        std::fs::write(self.0, self.1).unwrap();
    }
}
