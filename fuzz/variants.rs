//! What fuzz targets are tried with in ordinary tests: every file of a corpus, as it is and damaged in ways that a seed gives.

use std::{fs, path::Path};

use rand::{RngExt, SeedableRng, rngs::StdRng};

const SEED: u64 = 1;

/// Hands every file below `fuzz/corpus/{target}` to `read`, and of each `count` damaged copies. A panic fails the test.
pub(super) fn each(target: &str, count: usize, mut read: impl FnMut(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no files", corpus.display());
    let mut rng = StdRng::seed_from_u64(SEED);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        read(&bytes);
        for _ in 0..count {
            read(&damaged(&bytes, &mut rng));
        }
    }
}

/// Cut off, or with a few bytes changed, or with a part of it there twice.
fn damaged(bytes: &[u8], rng: &mut StdRng) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    if copy.is_empty() {
        return copy;
    }
    match rng.random_range(0..4) {
        0 => copy.truncate(rng.random_range(0..bytes.len())),
        1 => {
            let start = rng.random_range(0..bytes.len());
            let end = rng.random_range(start..bytes.len());
            copy.splice(start..start, bytes[start..end].iter().copied());
        }
        _ => {
            for _ in 0..rng.random_range(1..8) {
                let at = rng.random_range(0..copy.len());
                copy[at] = [0, 1, 0x7f, 0x80, 0xff, rng.random()][rng.random_range(0..6)];
            }
        }
    }
    copy
}
