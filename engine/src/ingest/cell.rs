//! H3 cells of positions. Converting a position takes h3o 0.5 to 0.7 µs, so positions seen lately are remembered: a device
//! that stands still costs a lookup. The cell depends on the position alone, so the memory is keyed by it and cannot be stale.

use arrow::array::{Array, Float64Array, Int64Array};
use h3o::{LatLng, Resolution};
use parking_lot::Mutex;

/// Sets of a cache, as a power of two: with four ways, half a million positions in 12 MiB.
const SET_BITS: u32 = 17;

/// Positions of a set, the latest used first.
const WAYS: usize = 4;

/// Caches kept between calls at most, whatever the number of processors. Each is memory only as far as it was touched.
const POOLED_MAX: usize = 16;

/// Derives the `h3` column. Every call borrows a cache of its own, so that no row waits for a lock.
#[derive(Debug)]
pub(super) struct CellDeriver {
    resolution: Resolution,
    pooled_max: usize,
    pool: Mutex<Vec<CellCache>>,
}

impl CellDeriver {
    /// Makes a deriver of cells of the given resolution, 0 to 15.
    pub(super) fn new(resolution: u8) -> Self {
        let resolution = Resolution::try_from(resolution).expect("the resolution of a table is 0 to 15");
        let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
        Self { resolution, pooled_max: parallelism.min(POOLED_MAX), pool: Mutex::new(Vec::new()) }
    }

    /// The cells of valid positions in degrees; null where they are.
    pub(super) fn derive(&self, latitudes: &Float64Array, longitudes: &Float64Array) -> Int64Array {
        if latitudes.null_count() == latitudes.len() {
            return Int64Array::new_null(latitudes.len());
        }
        let mut cache = self.borrow();
        let positions = latitudes.values().iter().zip(longitudes.values().iter());
        let mut cells = Vec::with_capacity(latitudes.len());
        match latitudes.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => cells.extend(positions.map(|(lat, lng)| cache.cell(*lat, *lng))),
            Some(nulls) => cells.extend(
                positions
                    .zip(nulls.iter())
                    .map(|((lat, lng), valid)| if valid { cache.cell(*lat, *lng) } else { 0 }),
            ),
        }
        let (hits, misses) = cache.take_counts();
        self.give_back(cache);
        metrics::counter!("hexflight_ingest_h3_hits_total").increment(hits);
        metrics::counter!("hexflight_ingest_h3_misses_total").increment(misses);
        Int64Array::new(cells.into(), latitudes.nulls().cloned())
    }

    fn borrow(&self) -> CellCache {
        let pooled = self.pool.lock().pop();
        pooled.unwrap_or_else(|| CellCache::new(self.resolution, SET_BITS))
    }

    fn give_back(&self, cache: CellCache) {
        let mut pool = self.pool.lock();
        if pool.len() < self.pooled_max {
            pool.push(cache);
        }
    }
}

/// Bits of latitude, bits of longitude, cell. No cell is 0: that marks a free place.
type Entry = [u64; 3];

/// A set-associative table of positions; the least recently used of a set makes room.
struct CellCache {
    resolution: Resolution,
    set_bits: u32,
    sets: Vec<[Entry; WAYS]>,
    /// The row before: most batches come ordered by device.
    last: Entry,
    hits: u64,
    misses: u64,
}

impl CellCache {
    fn new(resolution: Resolution, set_bits: u32) -> Self {
        // All zeros: the allocator hands out untouched pages.
        let sets = vec![[[0; 3]; WAYS]; 1 << set_bits];
        Self { resolution, set_bits, sets, last: [0; 3], hits: 0, misses: 0 }
    }

    #[inline]
    fn cell(&mut self, lat: f64, lng: f64) -> i64 {
        let key = [lat.to_bits(), lng.to_bits()];
        if !is_entry_of(&self.last, key) {
            self.last = self.look_up(key, lat, lng);
        } else {
            self.hits += 1;
        }
        self.last[2].cast_signed()
    }

    fn look_up(&mut self, key: [u64; 2], lat: f64, lng: f64) -> Entry {
        let index = set_index(key, self.set_bits);
        let set = &mut self.sets[index];
        if let Some(way) = set.iter().position(|entry| is_entry_of(entry, key)) {
            self.hits += 1;
            set[..=way].rotate_right(1);
        } else {
            self.misses += 1;
            set.rotate_right(1);
            set[0] = [key[0], key[1], convert(lat, lng, self.resolution)];
        }
        set[0]
    }

    fn take_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.hits), std::mem::take(&mut self.misses))
    }
}

impl std::fmt::Debug for CellCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellCache").field("resolution", &self.resolution).finish_non_exhaustive()
    }
}

fn is_entry_of(entry: &Entry, key: [u64; 2]) -> bool {
    entry[0] == key[0] && entry[1] == key[1] && entry[2] != 0
}

/// Multiplicative hashing: the high bits of the products depend on every bit of the key. Constants: golden ratio and √2 − 1.
fn set_index([lat, lng]: [u64; 2], set_bits: u32) -> usize {
    let mixed = lat.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ lng;
    let high = mixed.wrapping_mul(0x6a09_e667_f3bc_c909) >> (u64::BITS - set_bits);
    usize::try_from(high).unwrap_or_default()
}

fn convert(lat: f64, lng: f64, resolution: Resolution) -> u64 {
    let position = LatLng::new(lat, lng).expect("the position was validated");
    position.to_cell(resolution).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_h3o(lat: f64, lng: f64) -> i64 {
        u64::from(LatLng::new(lat, lng).unwrap().to_cell(Resolution::Nine)).cast_signed()
    }

    #[test]
    fn cells_equal_h3o_at_poles_antimeridian_and_origin() {
        let mut cache = CellCache::new(Resolution::Nine, SET_BITS);
        for lat in [-90.0, -89.999_999, -0.0, 0.0, 1e-300, 47.5, 90.0] {
            for lng in [-180.0, -179.999_999_9, -0.0, 0.0, 8.5, 180.0] {
                assert_eq!(cache.cell(lat, lng), by_h3o(lat, lng), "{lat}, {lng}");
                assert_eq!(cache.cell(lat, lng), by_h3o(lat, lng), "{lat}, {lng} again");
            }
        }
    }

    #[test]
    fn cells_equal_h3o_when_sets_overflow() {
        let mut cache = CellCache::new(Resolution::Nine, 1);
        let positions: Vec<(f64, f64)> =
            (0..40).map(|step| (f64::from(step) * 2.0 - 40.0, f64::from(step) * 4.0 - 80.0)).collect();
        for round in 0..5 {
            for (lat, lng) in positions.iter().skip(round) {
                assert_eq!(cache.cell(*lat, *lng), by_h3o(*lat, *lng));
            }
        }
        assert!(cache.take_counts().1 > 40, "collisions must have evicted positions");
    }

    #[test]
    fn standing_devices_are_converted_once() {
        let mut cache = CellCache::new(Resolution::Nine, SET_BITS);
        for _ in 0..10 {
            for device in 0..100 {
                cache.cell(47.0 + f64::from(device) / 1_000.0, 8.0);
            }
        }
        assert_eq!(cache.take_counts(), (900, 100));
        assert_eq!(cache.take_counts(), (0, 0));
    }

    #[test]
    fn pool_keeps_caches_up_to_its_bound() {
        let deriver = CellDeriver::new(9);
        let borrowed: Vec<CellCache> = (0..deriver.pooled_max + 2).map(|_| deriver.borrow()).collect();
        borrowed.into_iter().for_each(|cache| deriver.give_back(cache));
        assert_eq!(deriver.pool.lock().len(), deriver.pooled_max);
    }
}
