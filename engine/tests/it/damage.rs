//! The damage matrix: every kind of object that a start reads, and every way in which its bytes can be gone. A start then gives every row, or
//! is refused by the name of the object, or says what is missing; and nothing is gone afterwards that a clean start leaves.
//!
//! `HEXFLIGHT_DAMAGE_ROUNDS` and `HEXFLIGHT_SEED` make it longer.

mod absence;
mod gap;
mod image;
mod inflict;
mod strangers;

use std::{collections::BTreeSet, sync::Arc};

use hexflight_engine::{Engine, Store, SystemClock};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::support::{events, open, options, rows, setting};
use image::{Image, Tree, tree};
use inflict::Damage;

/// A kind of object, and whether a key is one. Another row here is another kind under test.
type Kind = (&'static str, fn(&str) -> bool);

const KINDS: [Kind; 6] = [
    ("WAL commit", |key| key.starts_with("wal/") && !is_fence(key)),
    ("fence", is_fence),
    ("registry entry", |key| key.starts_with("streams/")),
    ("Delta version", |key| key.contains("/_delta_log/")),
    ("mark", |key| key.contains("/_marks/")),
    ("lock", |key| key == "LOCK"),
];

/// The image's first stream has ended; all that is left of it is its fence.
fn is_fence(key: &str) -> bool {
    key.starts_with("wal/") && key.ends_with("/00000000000000000007.wal")
}

#[tokio::test]
async fn damage_is_answered_rightly_or_named() {
    let rounds = setting("HEXFLIGHT_DAMAGE_ROUNDS", 10);
    let seed = setting("HEXFLIGHT_SEED", rand::random_range(0..1 << 32));
    let image = Image::make().await;
    let deleted = deleted_by_a_clean_start(&image).await;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cases = 0;
    for (kind, is_of_kind) in KINDS {
        let keys: Vec<&String> = image.tree.keys().filter(|key| is_of_kind(key)).collect();
        assert!(!keys.is_empty(), "the image has no {kind}");
        let simple =
            keys.iter().flat_map(|key| inflict::simple(&image.tree[*key]).map(|damage| (*key, damage)));
        let mut inflicted: Vec<(&String, Damage)> = simple.collect();
        for _ in 0..rounds {
            let key = keys[rng.random_range(0..keys.len())];
            inflicted.extend(inflict::random(&image.tree[key], &mut rng).map(|damage| (key, damage)));
        }
        for (key, damage) in inflicted {
            cases += 1;
            let fault = fault(&image, key, &damage, &deleted).await;
            assert_eq!(fault, None, "{kind}: {key}: {damage:?}; seed {seed}");
        }
    }
    assert!(cases >= rounds * KINDS.len() * 2, "{cases} cases");
}

/// What is wrong with how a start deals with a damage, if anything is.
async fn fault(image: &Image, key: &str, damage: &Damage, deletable: &BTreeSet<String>) -> Option<String> {
    let directory = image.copy();
    damage.inflict(&directory.path().join(key));
    let before = tree(directory.path());
    let store = Store::open_local(directory.path()).await.unwrap();
    let engine = match Engine::open(store, options(), Arc::new(SystemClock)).await {
        Ok(engine) => engine,
        Err(error) => {
            let text = error.to_string();
            let is_named = text.contains(key)
                && ["restore", "start a newer build"].iter().any(|advice| text.contains(advice));
            let changed = tree(directory.path()) != before;
            if !is_named || changed {
                return Some(format!("refused with {text:?}, changed: {changed}"));
            }
            std::fs::write(directory.path().join(key), &image.tree[key]).unwrap();
            let engine = open(directory.path(), options()).await;
            let found = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
            return (found != image.rows).then(|| String::from("restored, it does not have every row"));
        }
    };
    let found = rows(&engine, &engine.snapshot(&events()).unwrap()).await;
    let is_said = engine.findings().iter().any(|finding| finding.to_string().contains(key));
    if found != image.rows && !is_said {
        return Some(format!("other rows and not a word: {:?}", found.keys()));
    }
    engine.shutdown().await.unwrap();
    if rows(&engine, &engine.snapshot(&events()).unwrap()).await != found {
        return Some(String::from("flushing changed the rows"));
    }
    drop(engine);
    let gone = gone(&before, &tree(directory.path()), deletable);
    (!gone.is_empty()).then(|| format!("deleted {gone:?}"))
}

/// Objects of `before` that are in `after` neither where they were nor in quarantine, and that may not be deleted.
fn gone(before: &Tree, after: &Tree, deletable: &BTreeSet<String>) -> Vec<String> {
    let kept = |(key, bytes): &(&String, &Vec<u8>)| {
        let places = [(*key).clone(), format!("quarantine/{key}")];
        places.iter().any(|place| after.get(place) == Some(bytes))
    };
    let gone = before.iter().filter(|object| !kept(object) && !deletable.contains(object.0));
    gone.map(|(key, _)| key.clone()).collect()
}

async fn deleted_by_a_clean_start(image: &Image) -> BTreeSet<String> {
    let directory = image.copy();
    let engine = open(directory.path(), options()).await;
    assert_eq!(engine.findings(), vec![]);
    assert_eq!(rows(&engine, &engine.snapshot(&events()).unwrap()).await, image.rows);
    engine.shutdown().await.unwrap();
    drop(engine);
    let after = tree(directory.path());
    let deleted: BTreeSet<String> =
        image.tree.keys().filter(|key| !after.contains_key(*key)).cloned().collect();
    assert!(
        deleted
            .iter()
            .all(|key| ["wal/", "streams/", "tables/events/_marks/"].iter().any(|own| key.starts_with(own)))
    );
    deleted
}
