//! How loads end: committed once, refused as already there, given up, or cut short by a shutdown.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arrow::array::RecordBatch;
use hexflight_engine::{
    ContentHash, Engine, EngineError, EngineOptions, ErrorKind, OnBadRow, OnLoaded, SourceId, TableName,
};
use rand::{SeedableRng, rngs::StdRng};

use super::{HOUR, batches, load, load_source, named_files, parquet_files, small, source};
use crate::support::{START, batch, events, expected, open, options, rows};

#[tokio::test]
async fn a_source_is_loaded_once() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    assert!(!engine.is_imported(&events(), &source(1)).unwrap());
    load(&engine, &[batch("a", 100)], 1).await.unwrap();
    assert!(engine.is_imported(&events(), &source(1)).unwrap());
    let again = load(&engine, &[batch("a", 100)], 1).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    assert!(again.to_string().contains(&source(1).to_string()), "{again}");
    load(&engine, &[batch("b", 100)], 2).await.unwrap();
    let both = expected([("a", 100), ("b", 100)]);
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, both);
    engine.shutdown().await.unwrap();
    assert_eq!(parquet_files(&engine).await, named_files(&engine.snapshot(&events()).unwrap()));
    drop(engine);
    let revived = open(directory.path(), options()).await;
    assert!(revived.is_imported(&events(), &source(2)).unwrap());
    assert_eq!(load(&revived, &[batch("a", 100)], 1).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(rows(&revived, &revived.snapshot(&events()).unwrap()).await, both);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_loads_of_one_source_exactly_one_wins() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path(), options()).await;
        let batches = [batch("a", 1_000)];
        let (one, other) = tokio::join!(load(&engine, &batches, 1), load(&engine, &batches, 1));
        let refused = [one, other].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(refused.as_slice(), [EngineError::Conflict { .. }]), "{refused:?}");
        let snapshot = engine.snapshot(&events()).unwrap();
        assert_eq!(rows(&engine, &snapshot).await, expected([("a", 1_000)]));
        engine.shutdown().await.unwrap();
        assert_eq!(parquet_files(&engine).await, named_files(&snapshot));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn loads_appends_and_flushes_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let done = Arc::new(AtomicBool::new(false));
    let watcher = tokio::spawn(watch(Arc::clone(&engine), Arc::clone(&done)));
    let flusher = tokio::spawn({
        let (engine, done) = (Arc::clone(&engine), Arc::clone(&done));
        async move {
            while !done.load(Ordering::SeqCst) {
                engine.flush().await.unwrap();
            }
        }
    });
    let appends = async {
        for n in 0..150 {
            engine.append(&events(), &batch(&format!("append-{n}"), 20)).await.unwrap().wait().await.unwrap();
        }
    };
    let loads = async {
        for n in 0..40 {
            load(&engine, &[batch(&format!("load-{n}"), 20)], n).await.unwrap();
        }
    };
    tokio::join!(appends, loads);
    done.store(true, Ordering::SeqCst);
    flusher.await.unwrap();
    assert!(watcher.await.unwrap() > 10);
    engine.flush().await.unwrap();
    let names: Vec<String> =
        (0..150).map(|n| format!("append-{n}")).chain((0..40).map(|n| format!("load-{n}"))).collect();
    let all = expected(names.iter().map(|name| (name.as_str(), 20)));
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, all);
    engine.shutdown().await.unwrap();
    drop(engine);
    let revived = open(directory.path(), options()).await;
    assert_eq!(rows(&revived, &revived.snapshot(&events()).unwrap()).await, all);
}

/// Takes snapshots without pause: none is older than the one before, or holds part of a load. Returns how many versions it saw.
async fn watch(engine: Arc<Engine>, done: Arc<AtomicBool>) -> usize {
    let (mut last, mut seen, mut row_count) = (0, 0, 0);
    while !done.load(Ordering::SeqCst) {
        let snapshot = engine.snapshot(&events()).unwrap();
        assert!(snapshot.version() >= last, "version {} after {last}", snapshot.version());
        let in_memory: usize = snapshot.memory().map(|batch| batch.zone().row_count).sum();
        let in_files: u64 = snapshot.files().iter().filter_map(|file| file.row_count).sum();
        let rows = in_memory + in_files as usize;
        assert!(rows >= row_count && rows.is_multiple_of(20), "{rows} rows after {row_count}");
        seen += usize::from(snapshot.version() > last);
        (last, row_count) = (snapshot.version(), rows);
        tokio::task::yield_now().await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_is_dropped_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(64)).await;
    for in_order in [true, false] {
        let import = engine.begin_import(&events()).await.unwrap();
        for batch in thirty_megabytes(in_order) {
            import.push(batch, OnBadRow::Refuse).await.unwrap();
        }
        let progress = import.progress();
        assert!(if in_order { progress.files > 0 } else { progress.spilled_bytes > 0 }, "{progress:?}");
        drop(import);
    }
    // Dropped while it commits, too.
    let import = engine.begin_import(&events()).await.unwrap();
    for batch in thirty_megabytes(false) {
        import.push(batch, OnBadRow::Refuse).await.unwrap();
    }
    let sources = [source(1)];
    let mut commit = Box::pin(import.commit(&sources, OnLoaded::Refuse));
    assert!(futures::poll!(&mut commit).is_pending());
    drop(commit);
    nothing_is_left(&engine, directory.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_loads_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), small(64)).await;
    let (pushing, committing) =
        (engine.begin_import(&events()).await.unwrap(), engine.begin_import(&events()).await.unwrap());
    for batch in thirty_megabytes(true) {
        pushing.push(batch.clone(), OnBadRow::Refuse).await.unwrap();
        committing.push(batch, OnBadRow::Refuse).await.unwrap();
    }
    let committing = tokio::spawn(async move { committing.commit(&[source(1)], OnLoaded::Refuse).await });
    tokio::task::yield_now().await;
    nothing_is_left(&engine, directory.path()).await;
    let refused = committing.await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed, "{refused}");
    let refused = pushing.push(batch("a", 10), OnBadRow::Refuse).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed, "{refused}");
    assert_eq!(pushing.commit(&[], OnLoaded::Refuse).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.begin_import(&events()).await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Shuts the engine down and looks for rows, files and memory.
async fn nothing_is_left(engine: &Engine, directory: &std::path::Path) {
    engine.shutdown().await.unwrap();
    assert_eq!(engine.snapshot(&events()).unwrap().version(), 0);
    assert_eq!(parquet_files(engine).await, vec![]);
    assert_eq!(std::fs::read_dir(directory.join("import-scratch")).unwrap().count(), 0);
    assert_eq!(engine.budget().used(), 0);
}

#[tokio::test]
async fn a_load_without_rows_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let import = engine.begin_import(&events()).await.unwrap();
    let summary = import.commit(&[source(1), source(2)], OnLoaded::Refuse).await.unwrap();
    assert_eq!((summary.rows, summary.files, summary.version), (0, 0, 0));
    assert!(!engine.is_imported(&events(), &source(2)).unwrap());
    load(&engine, &[batch("a", 3)], 2).await.unwrap();
    let import = engine.begin_import(&events()).await.unwrap();
    let twice = import.commit(&[source(3), source(3)], OnLoaded::Refuse).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Invalid, "{twice}");
}

#[tokio::test]
async fn another_recipe_is_another_source_and_the_bytes_alone_count_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let by = |n, recipe| SourceId { recipe: Some(ContentHash([recipe; 32])), ..source(n) };
    load_source(&engine, &[batch("a", 10)], by(1, 1), OnLoaded::Refuse).await.unwrap();
    load_source(&engine, &[batch("b", 10)], by(1, 2), OnLoaded::Refuse).await.unwrap();
    let again = load_source(&engine, &[batch("a", 10)], by(1, 1), OnLoaded::Refuse).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict, "{again}");
    assert!(!engine.is_imported(&events(), &by(1, 3)).unwrap());
    // As an earlier build recorded it.
    load(&engine, &[batch("c", 10)], 2).await.unwrap();
    assert!(engine.is_imported(&events(), &by(2, 1)).unwrap());
    let known = load_source(&engine, &[batch("c", 10)], by(2, 1), OnLoaded::Refuse).await.unwrap_err();
    assert_eq!(known.kind(), ErrorKind::Conflict, "{known}");
    let all = expected([("a", 10), ("b", 10), ("c", 10)]);
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, all);
}

#[tokio::test]
async fn a_source_is_loaded_again_when_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    for name in ["a", "b", "c"] {
        load_source(&engine, &[batch(name, 10)], source(1), OnLoaded::LoadAgain).await.unwrap();
    }
    engine.shutdown().await.unwrap();
    drop(engine);
    let revived = open(directory.path(), options()).await;
    let all = expected([("a", 10), ("b", 10), ("c", 10)]);
    assert_eq!(rows(&revived, &revived.snapshot(&events()).unwrap()).await, all);
    assert_eq!(load(&revived, &[batch("d", 10)], 1).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_load_needs_a_table_and_a_place_for_its_scratch_file() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), options()).await;
    let unknown = engine.begin_import(&TableName::new("metrics")).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert_eq!(
        engine.is_imported(&TableName::new("metrics"), &source(1)).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    std::fs::write(directory.path().join("import-scratch"), "in the way").unwrap();
    let refused = engine.begin_import(&events()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("import-scratch"), "{refused}");
}

#[tokio::test]
async fn a_start_sweeps_what_lies_among_the_scratch_files() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join("import-scratch/.tmpAbC123");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    std::fs::write(&left, "rows").unwrap();
    let _engine = open(directory.path(), options()).await;
    assert!(!left.exists());
}

#[tokio::test]
async fn a_push_waits_for_memory_that_others_hold_and_is_then_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = EngineOptions { append_wait: Duration::from_millis(50), ..options() };
    let engine = open(directory.path(), options).await;
    let import = engine.begin_import(&events()).await.unwrap();
    let held = engine.budget().try_reserve(256 << 20, 1.0).unwrap();
    let refused = import.push(batch("a", 3), OnBadRow::Refuse).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Exhausted);
    drop(held);
    import.push(batch("a", 3), OnBadRow::Refuse).await.unwrap();
}

/// More than the sixteen that a load may use of the least memory limit.
fn thirty_megabytes(in_order: bool) -> Vec<RecordBatch> {
    let mut rng = StdRng::seed_from_u64(1);
    let rows = 110_000;
    let step = if in_order { 1 } else { 0x9e_3779 };
    let times = (0..rows).map(|n| START + n * step % rows * 30 * HOUR / rows).collect::<Vec<_>>();
    batches(&times, &mut rng)
}
