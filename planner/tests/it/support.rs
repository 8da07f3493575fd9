//! An engine in a temporary directory, events to put into it, and short ways to ask.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    util::pretty::pretty_format_batches,
};
use futures::TryStreamExt;
use hexflight_engine::{Engine, EngineOptions, Store, SystemClock, TableName};
use hexflight_planner::{QueryEngine, QueryError, QueryErrorKind, QueryOptions, ScalarValue, classify};

/// 2024-01-01T00:00:00Z in µs.
pub(crate) const START: i64 = 1_704_067_200_000_000;

/// One hour in µs.
pub(crate) const HOUR: i64 = 3_600_000_000;

/// Types that [`random_events`] draws from.
pub(crate) const TYPES: [&str; 4] = ["battery", "humidity", "pressure", "temperature"];

/// An event as a test sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) timestamp: i64,
    pub(crate) device: String,
    pub(crate) kind: String,
    pub(crate) value: f64,
    pub(crate) place: Option<(f64, f64)>,
    pub(crate) metadata: Option<String>,
}

/// An engine with its directory and a planner over it.
pub(crate) struct Fixture {
    pub(crate) engine: Arc<Engine>,
    pub(crate) queries: QueryEngine,
    directory: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(EngineOptions::default(), QueryOptions { target_partitions: 2, ..QueryOptions::default() })
            .await
    }

    /// Nothing is flushed unless a test says so.
    pub(crate) async fn with(engine_options: EngineOptions, options: QueryOptions) -> Self {
        Self::over(tempfile::tempdir().unwrap(), engine_options, options).await
    }

    async fn over(
        directory: tempfile::TempDir,
        engine_options: EngineOptions,
        options: QueryOptions,
    ) -> Self {
        let store = Store::open_local(directory.path()).await.unwrap();
        let engine_options = EngineOptions { flush_interval: Duration::from_hours(1), ..engine_options };
        let engine = Engine::open(store, engine_options, Arc::new(SystemClock)).await.unwrap();
        let queries = QueryEngine::new(Arc::clone(&engine), &options).unwrap();
        Self { engine, queries, directory }
    }

    /// Another engine over a copy of the data, as after a crash.
    pub(crate) async fn copied(&self) -> Self {
        Self::copy_of(self.directory()).await
    }

    /// An engine over a copy of a data directory.
    pub(crate) async fn copy_of(data: &std::path::Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy_directory(data, directory.path());
        let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
        Self::over(directory, EngineOptions::default(), options).await
    }

    /// Where the engine keeps its data.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) async fn append(&self, events: &[Event]) {
        let pending = self.engine.append(&TableName::new("events"), &batch_of(events)).await.unwrap();
        pending.wait().await.unwrap();
    }

    /// Appends and moves everything to files.
    pub(crate) async fn append_to_files(&self, events: &[Event]) {
        self.append(events).await;
        self.engine.flush().await.unwrap();
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<RecordBatch> {
        self.rows_with(sql, vec![]).await
    }

    pub(crate) async fn rows_with(&self, sql: &str, params: Vec<ScalarValue>) -> Vec<RecordBatch> {
        self.try_rows(sql, params).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn try_rows(
        &self,
        sql: &str,
        params: Vec<ScalarValue>,
    ) -> Result<Vec<RecordBatch>, QueryError> {
        let stream = self.queries.execute(sql, params).await.map_err(|error| classify(&error))?;
        stream.try_collect().await.map_err(|error| classify(&error))
    }

    /// The result as a table of text.
    pub(crate) async fn table(&self, sql: &str) -> String {
        pretty_format_batches(&self.rows(sql).await).unwrap().to_string()
    }

    pub(crate) async fn refusal(&self, sql: &str) -> QueryError {
        match self.try_rows(sql, vec![]).await {
            Err(error) => error,
            Ok(rows) => panic!("{sql}: gave {rows:?}"),
        }
    }

    /// Asserts that each statement is refused, in time, because something of it has too much.
    pub(crate) async fn all_too_large(&self, statements: &[&str], time_max: Duration) {
        let mut wrong = vec![];
        for sql in statements {
            let started = Instant::now();
            match self.try_rows(sql, vec![]).await {
                Err(error) if error.kind == QueryErrorKind::Invalid && error.message.contains("most") => {}
                Err(error) => wrong.push(format!("{sql}\n    {error:?}")),
                Ok(_) => wrong.push(format!("{sql}\n    gave an answer")),
            }
            if started.elapsed() > time_max {
                wrong.push(format!("{sql}\n    took {:?}", started.elapsed()));
            }
        }
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    /// The first column of the only row, as text.
    pub(crate) async fn value(&self, sql: &str) -> String {
        first_value(&self.rows(sql).await)
    }
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Statements with the first column of the only row that each gives; all that differ are named.
pub(crate) async fn check(fixture: &Fixture, table: &[(&str, &str)]) {
    let mut wrong = vec![];
    for (sql, expected) in table {
        match fixture.try_rows(sql, vec![]).await {
            Ok(rows) if rows.iter().map(RecordBatch::num_rows).sum::<usize>() != 1 => {
                wrong.push(format!("{sql}\n    gave other than one row"));
            }
            Ok(rows) if first_value(&rows) == *expected => {}
            Ok(rows) => wrong.push(format!("{sql}\n    gave {}, expected {expected}", first_value(&rows))),
            Err(error) => wrong.push(format!("{sql}\n    {error}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The first column of the only row, as text.
pub(crate) fn first_value(rows: &[RecordBatch]) -> String {
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let batch = rows.iter().find(|batch| batch.num_rows() == 1).unwrap();
    arrow::util::display::array_value_to_string(batch.column(0), 0).unwrap()
}

/// One event with plain values.
pub(crate) fn event(timestamp: i64, device: &str, kind: &str, value: f64) -> Event {
    Event { timestamp, device: device.into(), kind: kind.into(), value, place: None, metadata: None }
}

/// Events that are the same for the same seed, spread over `hours` from [`START`].
pub(crate) fn random_events(seed: u64, count: usize, hours: i64) -> Vec<Event> {
    let mut random = Random(seed);
    (0..count)
        .map(|_| Event {
            timestamp: START + random.below(hours * HOUR),
            device: format!("device-{:03}", random.below(50)),
            kind: TYPES[usize::try_from(random.below(4)).unwrap()].into(),
            value: quarter(random.below(400) - 200),
            place: (random.below(3) > 0)
                .then(|| (quarter(random.below(720) - 360), quarter(random.below(1_440) - 720))),
            metadata: (random.below(2) > 0).then(|| format!("{{\"floor\": {}}}", random.below(5))),
        })
        .collect()
}

fn quarter(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap()) / 4.0
}

/// A small generator, so that a seed gives the same events everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn batch_of(events: &[Event]) -> RecordBatch {
    let times: TimestampMicrosecondArray = events.iter().map(|event| Some(event.timestamp)).collect();
    let texts = |of: &dyn Fn(&Event) -> Option<String>| -> ArrayRef {
        Arc::new(events.iter().map(of).collect::<StringArray>())
    };
    let numbers = |of: &dyn Fn(&Event) -> Option<f64>| -> ArrayRef {
        Arc::new(events.iter().map(of).collect::<Float64Array>())
    };
    RecordBatch::try_from_iter_with_nullable([
        ("timestamp", Arc::new(times.with_timezone("UTC")) as ArrayRef, false),
        ("device_id", texts(&|event| Some(event.device.clone())), false),
        ("type", texts(&|event| Some(event.kind.clone())), false),
        ("value", numbers(&|event| Some(event.value)), false),
        ("latitude", numbers(&|event| event.place.map(|place| place.0)), true),
        ("longitude", numbers(&|event| event.place.map(|place| place.1)), true),
        ("metadata", texts(&|event| event.metadata.clone()), true),
    ])
    .unwrap()
}
