//! The ways in which an object can be gone or not be what was written.

use std::path::Path;

use rand::{RngExt, rngs::StdRng};

/// A page of the disk.
const ZEROED_BYTES: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    Missing,
    Cut(usize),
    Flipped { byte: usize, bit: u8 },
    Zeroed(usize),
}

impl Damage {
    pub(super) fn inflict(&self, path: &Path) {
        let mut bytes = std::fs::read(path).unwrap();
        match self {
            Self::Missing => return std::fs::remove_file(path).unwrap(),
            Self::Cut(at) => bytes.truncate(*at),
            Self::Flipped { byte, bit } => bytes[*byte] ^= 1 << bit,
            Self::Zeroed(from) => {
                let end = (from + ZEROED_BYTES).min(bytes.len());
                bytes[*from..end].fill(0);
            }
        }
        std::fs::write(path, bytes).unwrap();
    }
}

/// What is inflicted on every object: gone, empty, cut at the end of each line.
pub(super) fn simple(bytes: &[u8]) -> impl Iterator<Item = Damage> + use<> {
    let is_text = std::str::from_utf8(bytes).is_ok();
    let lines = bytes.iter().enumerate().filter(|(_, byte)| is_text && **byte == b'\n').map(|(at, _)| at + 1);
    let cuts: Vec<Damage> = lines.filter(|at| *at < bytes.len()).map(Damage::Cut).collect();
    [Damage::Missing, Damage::Cut(0)].into_iter().chain(cuts)
}

/// A cut, a flipped bit and a page of zeros anywhere; nothing for an object without bytes.
pub(super) fn random(bytes: &[u8], rng: &mut StdRng) -> impl Iterator<Item = Damage> + use<> {
    let mut damages = vec![];
    if !bytes.is_empty() {
        let mut place = || rng.random_range(0..bytes.len());
        damages =
            vec![Damage::Cut(place()), Damage::Flipped { byte: place(), bit: 0 }, Damage::Zeroed(place())];
        if let Damage::Flipped { bit, .. } = &mut damages[1] {
            *bit = rng.random_range(0..8);
        }
    }
    damages.into_iter()
}
