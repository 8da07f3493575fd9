//! A scan that has travelled as text reads the rows that it read at home, and one that does not fit is refused by name.

use std::ops::Range;

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::concat_batches,
    util::pretty::pretty_format_batches,
};
use datafusion::{
    catalog::TableProvider,
    common::ScalarValue,
    execution::SessionState,
    logical_expr::{Expr, col, lit},
    physical_plan::{ExecutionPlan, collect},
};
use datafusion_proto::physical_plan::{
    DefaultPhysicalExtensionCodec, from_proto::parse_physical_expr, to_proto::serialize_physical_expr,
};
use hexflight_engine::{Engine, EngineOptions, Store, SystemClock, TableName};

use super::*;
use crate::{
    options::QueryOptions,
    provider::EventsProvider,
    scan::SegmentScanExec,
    session::{Shape, Templates},
};

/// An engine with rows in two files and in two generations.
async fn engine() -> (Arc<Engine>, SessionState, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_local(directory.path()).await.unwrap();
    let options = EngineOptions { generation_rows_max: 2, compact: false, ..EngineOptions::default() };
    let engine = Engine::open(store, options, Arc::new(SystemClock)).await.unwrap();
    for rows in [0..3, 3..6] {
        append(&engine, rows).await;
        engine.flush().await.unwrap();
    }
    append(&engine, 6..9).await;
    append(&engine, 9..10).await;
    let options = QueryOptions { target_partitions: 2, ..QueryOptions::default() };
    let state = Templates::new(&engine, &options, &Arc::default()).unwrap().state(Shape::Any);
    (engine, state, directory)
}

async fn append(engine: &Engine, rows: Range<i32>) {
    let times = rows.clone().map(|row| 1_704_067_200_000_000 + 3_600_000_000 * i64::from(row));
    let texts = |of: fn(i32) -> &'static str| -> ArrayRef {
        Arc::new(rows.clone().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let columns: [(&str, ArrayRef); 4] = [
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("device_id", texts(|row| if row % 3 == 0 { "a" } else { "b" })),
        ("type", texts(|row| if row % 2 == 0 { "temperature" } else { "humidity" })),
        ("value", Arc::new(Float64Array::from_iter_values(rows.clone().map(f64::from)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    engine.append(&TableName::new("events"), &batch).await.unwrap().wait().await.unwrap();
}

fn snapshot(engine: &Engine) -> Arc<Snapshot> {
    engine.snapshot(&TableName::new("events")).unwrap()
}

async fn scan(engine: &Engine, state: &SessionState, filters: &[Expr]) -> Arc<dyn ExecutionPlan> {
    EventsProvider::new(snapshot(engine)).scan(state, Some(&vec![3, 1]), filters, None).await.unwrap()
}

fn spec_of(plan: &Arc<dyn ExecutionPlan>) -> ScanSpec {
    plan.downcast_ref::<SegmentScanExec>().unwrap().to_spec()
}

/// The rows in one order, as text.
async fn rows(plan: Arc<dyn ExecutionPlan>, state: &SessionState) -> String {
    let batches = collect(Arc::clone(&plan), state.task_ctx()).await.unwrap();
    let all = concat_batches(&plan.schema(), &batches).unwrap();
    let mut lines: Vec<String> =
        pretty_format_batches(&[all]).unwrap().to_string().lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

/// Sources as JSON, the predicate as DataFusion writes expressions.
fn travelled(spec: &ScanSpec, snapshot: &Snapshot, state: &SessionState) -> ScanSpec {
    let codec = DefaultPhysicalExtensionCodec {};
    let schema = snapshot.spec().query_schema();
    let predicate = spec.predicate.as_ref().map(|predicate| {
        let written = serialize_physical_expr(predicate, &codec).unwrap();
        parse_physical_expr(&written, &state.task_ctx(), schema, &codec).unwrap()
    });
    let sources = serde_json::from_str(&serde_json::to_string(&spec.sources).unwrap()).unwrap();
    ScanSpec { sources, predicate, ..spec.clone() }
}

#[tokio::test]
async fn a_scan_that_has_travelled_reads_the_same_rows() {
    let (engine, state, _directory) = engine().await;
    let filters: [(&[Expr], usize); 4] = [
        (&[], 10),
        (&[col("value").gt_eq(lit(4.0))], 6),
        (&[col("type").eq(text("humidity")), col("value").lt(lit(8.0))], 4),
        (&[col("device_id").in_list(vec![text("a"), text("c")], false)], 4),
    ];
    for (filters, count) in filters {
        let plan = scan(&engine, &state, filters).await;
        let spec = spec_of(&plan);
        let there = travelled(&spec, &snapshot(&engine), &state);
        assert_eq!(there.sources, spec.sources);
        let again = SegmentScanExec::of_spec(snapshot(&engine), there, &state).unwrap();
        assert_eq!(again.schema(), plan.schema());
        let (expected, found) = (rows(plan, &state).await, rows(Arc::new(again), &state).await);
        assert_eq!(expected, found, "{filters:?}");
        assert_eq!(expected.lines().filter(|line| line.starts_with('|')).count(), count + 1, "{expected}");
    }
}

#[tokio::test]
async fn what_pruning_has_left_out_is_not_named() {
    let (engine, state, _directory) = engine().await;
    let early = spec_of(&scan(&engine, &state, &[col("timestamp").lt(moment(3))]).await).sources;
    assert_eq!((early.files.len(), early.memory.len()), (1, 0), "{early:?}");
    let late = spec_of(&scan(&engine, &state, &[col("timestamp").gt_eq(moment(9))]).await).sources;
    assert_eq!((late.files.len(), late.memory.len()), (0, 1), "{late:?}");
    let all = spec_of(&scan(&engine, &state, &[]).await).sources;
    assert_eq!((all.files.len(), all.memory.len(), all.version), (2, 2, snapshot(&engine).version()));
}

/// As the analyzer leaves it.
fn text(value: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(value.to_owned())))
}

fn moment(hour: i64) -> Expr {
    let micros = 1_704_067_200_000_000 + 3_600_000_000 * hour;
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

#[tokio::test]
async fn a_scan_of_what_is_not_here_is_refused_by_name() {
    let (engine, state, _directory) = engine().await;
    let spec = spec_of(&scan(&engine, &state, &[]).await);
    let refused = |change: &dyn Fn(&mut ScanSources)| {
        let mut spec = spec.clone();
        change(&mut spec.sources);
        SegmentScanExec::of_spec(snapshot(&engine), spec, &state).unwrap_err().to_string()
    };
    let text = refused(&|sources| sources.version += 1);
    assert!(text.contains("a scan of version") && text.contains("over a snapshot of version"), "{text}");
    let text = refused(&|sources| sources.files[0] = "tables/events/gone.parquet".to_owned());
    assert!(text.contains("has no file tables/events/gone.parquet"), "{text}");
    let text = refused(&|sources| sources.memory[0].last = Sequence(77));
    assert!(text.contains("to 77 of stream") && text.contains("not in memory here"), "{text}");
    let text = refused(&|sources| sources.table = TableName::new("others"));
    assert!(text.contains("a scan of table others over a snapshot of events"), "{text}");
}

#[test]
fn sources_with_a_field_that_is_not_known_are_refused() {
    let text = r#"{"table":"events","version":3,"files":[],"memory":[],"tail":1}"#;
    let error = serde_json::from_str::<ScanSources>(text).unwrap_err().to_string();
    assert!(error.contains("tail"), "{error}");
}
