//! Puts that fail, land without an answer, or land out of order; a takeover that fences a live process; another committer.

use std::sync::Arc;

use hexflight_engine::{Engine, EngineOptions, ErrorKind, Store, SystemClock};
use object_store::{ObjectStoreExt, PutPayload, memory::InMemory, path::Path};

use crate::{
    faulty_store::FaultyStore,
    support::{Rows, batch, events, expected, flush_until_done, open_over, options, rows, until},
};

#[tokio::test(start_paused = true)]
async fn unknown_outcomes_neither_lose_nor_double_a_batch() {
    for seed in 0..6 {
        let disk = Arc::new(InMemory::new());
        let engine = open_over(FaultyStore::new(&disk, seed, 0.3), options()).await;
        let names: Vec<String> = (0..60).map(|n| format!("batch-{n}")).collect();
        let mut pending = vec![];
        for (n, name) in names.iter().enumerate() {
            pending.push(engine.append(&events(), &batch(name, 40)).await.unwrap());
            if n % 17 == 16 {
                flush_until_done(&engine).await;
            }
        }
        for ack in pending {
            ack.wait().await.unwrap();
        }
        let all = expected(names.iter().map(|name| (name.as_str(), 40)));
        assert_eq!(visible(&engine).await, all, "seed {seed}");
        drop(engine);
        let revived = open_over(FaultyStore::new(&disk, seed + 100, 0.0), options()).await;
        assert_eq!(visible(&revived).await, all, "seed {seed}, after a restart");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fenced_process_keeps_what_it_acknowledged_and_goes_on_with_a_new_stream() {
    let disk = Arc::new(InMemory::new());
    let zombie = open_over(FaultyStore::new(&disk, 1, 0.0), options()).await;
    append(&zombie, "before").await.unwrap();
    // The other takes the zombie's stream over: fences it and flushes its rows.
    let survivor = open_over(FaultyStore::new(&disk, 2, 0.0), options()).await;
    assert_eq!(visible(&survivor).await, expected([("before", 40)]));
    survivor.flush().await.unwrap();

    let refused = append(&zombie, "lost").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    append(&zombie, "after").await.unwrap();
    // The zombie's own flush of "before" meets a txn that has passed it, and lets the rows go.
    zombie.flush().await.unwrap();
    let both = expected([("before", 40), ("after", 40)]);
    assert_eq!(visible(&zombie).await, both);
    drop((zombie, survivor));
    let third = open_over(FaultyStore::new(&disk, 3, 0.0), options()).await;
    assert_eq!(visible(&third).await, both);
}

#[tokio::test(start_paused = true)]
async fn a_gap_among_acknowledged_commits_refuses_the_start() {
    let disk = Arc::new(InMemory::new());
    let engine = open_over(FaultyStore::new(&disk, 1, 0.0), options()).await;
    for name in ["one", "two", "three", "four"] {
        append(&engine, name).await.unwrap();
    }
    drop(engine);
    let objects = Store::new(Arc::<InMemory>::clone(&disk));
    let wal = objects.list(&Path::from("wal")).await.unwrap();
    disk.delete(&wal[1].location).await.unwrap();
    let before = objects.list(&Path::from("")).await.unwrap();
    let error = Engine::open(objects.clone(), options(), Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().starts_with(wal[1].location.as_ref()), "{error}");
    assert_eq!(objects.list(&Path::from("")).await.unwrap(), before);
    // As the error says.
    disk.delete(&wal[2].location).await.unwrap();
    disk.delete(&wal[3].location).await.unwrap();
    let revived = open_over(FaultyStore::new(&disk, 2, 0.0), options()).await;
    assert_eq!(visible(&revived).await, expected([("one", 40)]));
}

#[tokio::test(start_paused = true)]
async fn versions_of_other_writers_are_taken_in_before_a_commit() {
    let disk = Arc::new(InMemory::new());
    let engine = open_over(FaultyStore::new(&disk, 1, 0.0), options()).await;
    append(&engine, "a").await.unwrap();
    let foreign = r#"{"commitInfo":{"operation":"SET TBLPROPERTIES"}}"#;
    let version = Path::from("tables/events/_delta_log/00000000000000000001.json");
    disk.put(&version, PutPayload::from_static(foreign.as_bytes())).await.unwrap();
    engine.flush().await.unwrap();
    assert_eq!(engine.snapshot(&events()).unwrap().version(), 2);
    assert_eq!(visible(&engine).await, expected([("a", 40)]));
}

#[tokio::test(start_paused = true)]
async fn a_table_of_newer_protocol_is_refused() {
    let disk = Arc::new(InMemory::new());
    drop(open_over(FaultyStore::new(&disk, 1, 0.0), options()).await);
    let foreign = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}"#;
    let version = Path::from("tables/events/_delta_log/00000000000000000001.json");
    disk.put(&version, PutPayload::from_static(foreign.as_bytes())).await.unwrap();
    let error = Engine::open(Store::new(disk), options(), Arc::new(SystemClock)).await.unwrap_err();
    assert!(error.to_string().contains("reader version 3"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_for_long_refuses_appends_and_then_goes_on() {
    let disk = Arc::new(InMemory::new());
    let broken = Arc::new(FaultyStore::new(&disk, 1, 0.0));
    let store = Store::new(Arc::<FaultyStore>::clone(&broken));
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    broken.set_failing(1.0);
    let refused = append(&engine, "a").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
    assert!(engine.health().is_err());
    assert_eq!(append(&engine, "b").await.unwrap_err().kind(), ErrorKind::Unavailable);
    broken.set_failing(0.0);
    // The commit of "a" is tried on and lands; its sender was told to send again, so it may be there.
    until("an append is taken", async || append(&engine, "c").await.ok()).await;
    engine.health().unwrap();
    let found = visible(&engine).await;
    assert_eq!(found["c"], (0..40).collect::<Vec<_>>());
    assert!(!found.contains_key("b") && found.values().all(|rows| rows.len() == 40), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_end_while_its_last_generation_is_being_flushed() {
    for seed in 0..20 {
        let disk = Arc::new(InMemory::new());
        let engine = open_over(FaultyStore::new(&disk, seed, 0.0), options()).await;
        // Full at once: the flush begins behind the ack, and the shutdown ends the stream under it.
        engine.append(&events(), &batch("full", 1_000)).await.unwrap().wait().await.unwrap();
        engine.shutdown().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(engine.store().list(&Path::from("streams")).await.unwrap(), vec![], "seed {seed}");
        assert_eq!(visible(&engine).await, expected([("full", 1_000)]), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_flush_lets_go_of_the_log_behind_it() {
    let disk = Arc::new(InMemory::new());
    let names = ["a", "b", "c", "d", "e"];
    let broken = Arc::new(refusing(&disk, "00000000000000000001.json"));
    let store = Store::new(Arc::<FaultyStore>::clone(&broken));
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    for name in names {
        engine.append(&events(), &batch(name, 1_000)).await.unwrap().wait().await.unwrap();
    }
    broken.set_failing(1.0);
    drop(engine);

    let all = expected(names.map(|name| (name, 1_000)));
    let two_commits = EngineOptions { flush_rows_max: 3_000, ..options() };
    let engine = open_over(refusing(&disk, "00000000000000000002.json"), two_commits).await;
    engine.flush().await.unwrap_err();
    assert_eq!(engine.snapshot(&events()).unwrap().version(), 1);
    assert_eq!(visible(&engine).await, all);
    let stream = engine.store().list(&Path::from("streams")).await.unwrap()[0].location.clone();
    let stream = stream.filename().unwrap().trim_end_matches(".json");
    let log = engine.store().list(&Path::from(format!("wal/{stream}"))).await.unwrap();
    // The last commit that was flushed, two that were not, and the fence.
    assert_eq!(log.len(), 4, "{log:?}");
    drop(engine);

    let revived = open_over(FaultyStore::new(&disk, 1, 0.0), options()).await;
    assert_eq!(visible(&revived).await, all);
    flush_until_done(&revived).await;
    assert_eq!(visible(&revived).await, all);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_although_the_store_refuses_everything() {
    let disk = Arc::new(InMemory::new());
    let broken = Arc::new(FaultyStore::new(&disk, 1, 0.0));
    let store = Store::new(Arc::<FaultyStore>::clone(&broken));
    let engine = Engine::open(store, options(), Arc::new(SystemClock)).await.unwrap();
    append(&engine, "a").await.unwrap();
    broken.set_failing(1.0);
    engine.shutdown().await.unwrap_err();
    drop(engine);
    let revived = open_over(FaultyStore::new(&disk, 2, 0.0), options()).await;
    assert_eq!(visible(&revived).await, expected([("a", 40)]));
}

fn refusing(disk: &Arc<InMemory>, end: &'static str) -> FaultyStore {
    let store = FaultyStore::new(disk, 1, 0.0);
    store.refuse(end);
    store
}

async fn append(engine: &Engine, name: &str) -> Result<hexflight_engine::Ack, hexflight_engine::EngineError> {
    engine.append(&events(), &batch(name, 40)).await?.wait().await
}

async fn visible(engine: &Engine) -> Rows {
    rows(engine, &engine.snapshot(&events()).unwrap()).await
}
