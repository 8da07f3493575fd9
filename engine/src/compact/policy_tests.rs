//! The policy against weeks of flushes: every file and row is accounted for, files per day and rewrites per row stay bounded.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Limits, policy::next_merge, tree::FileShape};

const MINUTE: i64 = 60_000_000;
const BYTES_PER_ROW: u64 = 25;
/// Times are told apart by so many minutes.
const STEP: i64 = 10;
/// Different minutes that the late rows of a flush lie in, at most.
const LATE_MINUTES: u64 = 40;
/// As flushes group their rows.
const BUCKET_ROWS_MIN: u64 = 65_536;

const LIMITS: Limits = Limits {
    bucket_micros: 60 * MINUTE,
    split_rows: 4 << 20,
    file_rows_min: BUCKET_ROWS_MIN,
    rows_max: 4 << 20,
    bytes_max: 128 << 20,
};

/// A file that says which minutes its rows lie in.
#[derive(Debug, Clone)]
struct File {
    shape: FileShape,
    minutes: BTreeMap<i64, u64>,
    rewrites: u32,
}

impl File {
    fn new(minutes: BTreeMap<i64, u64>, added_ms: i64, rewrites: u32) -> Self {
        let rows = minutes.values().sum();
        let (first, last) = (minutes.keys().next().unwrap(), minutes.keys().last().unwrap());
        let shape = FileShape {
            min: first * MINUTE,
            // As statistics are read back: rounded up and widened.
            max: (last + STEP) * MINUTE + 1_000,
            rows,
            bytes: rows * BYTES_PER_ROW,
            added_ms,
        };
        Self { shape, minutes, rewrites }
    }
}

#[derive(Debug, Default)]
struct Simulation {
    files: Vec<File>,
    merges: u64,
    rows: u64,
    rows_rewritten: u64,
    rewrites_max: u32,
}

impl Simulation {
    /// One flush each minute; `late_percent` of its rows lie anywhere in the week before.
    fn run(rows_per_minute: u64, late_percent: u64, days: i64, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut simulation = Self::default();
        let start = 20_000 * 24 * 60;
        for minute in start..start + days * 24 * 60 {
            let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
            let late_rows = rows_per_minute * late_percent / 100;
            let step = |minute: i64| minute - minute.rem_euclid(STEP);
            *minutes.entry(step(minute)).or_default() += rows_per_minute - late_rows;
            for _ in 0..late_rows.min(LATE_MINUTES) {
                let lateness = rng.random_range(1..7 * 24 * 60);
                *minutes.entry(step(minute - lateness)).or_default() += late_rows.div_ceil(LATE_MINUTES);
            }
            let now_ms = minute * 60_000;
            simulation.flush(&minutes, now_ms);
            // As if merges were slow; more often they are more, and smaller.
            if minute % 10 == 0 {
                simulation.merge(now_ms, now_ms - 600_000);
            }
        }
        simulation
    }

    /// Files as a flush makes them: one per full bucket, one per run of thin ones.
    fn flush(&mut self, minutes: &BTreeMap<i64, u64>, now_ms: i64) {
        let mut by_hour: BTreeMap<i64, BTreeMap<i64, u64>> = BTreeMap::new();
        for (minute, rows) in minutes {
            by_hour.entry(minute.div_euclid(60)).or_default().insert(*minute, *rows);
            self.rows += rows;
        }
        let mut thin: BTreeMap<i64, u64> = BTreeMap::new();
        for minutes in by_hour.into_values() {
            let (is_full, is_run) = (
                minutes.values().sum::<u64>() >= BUCKET_ROWS_MIN,
                thin.values().sum::<u64>() >= BUCKET_ROWS_MIN,
            );
            if !thin.is_empty() && (is_full || is_run) {
                self.files.push(File::new(std::mem::take(&mut thin), now_ms, 0));
            }
            if is_full {
                self.files.push(File::new(minutes, now_ms, 0));
            } else {
                thin.extend(minutes);
            }
        }
        if !thin.is_empty() {
            self.files.push(File::new(thin, now_ms, 0));
        }
    }

    fn merge(&mut self, now_ms: i64, quiet_since_ms: i64) {
        loop {
            let shapes: Vec<FileShape> = self.files.iter().map(|file| file.shape).collect();
            let Some(plan) = next_merge(&shapes, &LIMITS, quiet_since_ms) else { return };
            let inputs: Vec<File> = plan.files.iter().map(|place| self.files[*place].clone()).collect();
            let mut gone = plan.files.clone();
            gone.sort_unstable();
            gone.iter().rev().for_each(|place| drop(self.files.swap_remove(*place)));
            let rewrites = inputs.iter().map(|file| file.rewrites).max().unwrap() + 1;
            let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
            for (minute, rows) in inputs.iter().flat_map(|file| &file.minutes) {
                *minutes.entry(*minute).or_default() += rows;
            }
            let rows: u64 = minutes.values().sum();
            assert!(inputs.len() >= 2 && rows <= LIMITS.rows_max);
            self.merges += 1;
            self.rows_rewritten += rows;
            self.rewrites_max = self.rewrites_max.max(rewrites);
            let mut outputs: BTreeMap<u32, BTreeMap<i64, u64>> = BTreeMap::new();
            match plan.cuts.cell_micros() {
                None => drop(outputs.insert(0, minutes)),
                Some(cell_micros) => {
                    let cell_of = |minute: i64| (minute * MINUTE).div_euclid(cell_micros);
                    let mut cells: BTreeMap<i64, u64> = BTreeMap::new();
                    for (minute, rows) in &minutes {
                        *cells.entry(cell_of(*minute)).or_default() += rows;
                    }
                    let files = plan.cuts.files_of(&cells);
                    for (minute, rows) in minutes {
                        outputs.entry(files[&cell_of(minute)]).or_default().insert(minute, rows);
                    }
                }
            }
            let outputs = outputs.into_values();
            self.files.extend(outputs.map(|minutes| File::new(minutes, now_ms, rewrites)));
        }
    }

    /// Times that a row was rewritten, on average.
    fn amplification(&self) -> f64 {
        self.rows_rewritten as f64 / self.rows as f64
    }

    /// Files of each finished day, and those that lie in no single day.
    fn files_per_day(&self) -> (usize, usize) {
        let day = |time: i64| time.div_euclid(24 * 60 * MINUTE);
        let mut days: BTreeMap<i64, usize> = BTreeMap::new();
        let mut wide = 0;
        for file in &self.files {
            let (first, last) = (file.minutes.keys().next().unwrap(), file.minutes.keys().last().unwrap());
            if day(first * MINUTE) == day(last * MINUTE) {
                *days.entry(day(first * MINUTE)).or_default() += 1;
            } else {
                wide += 1;
            }
        }
        (days.into_values().max().unwrap_or(0), wide)
    }
}

/// What `docs/design.md` states; the last column is what a row is rewritten at most on average.
#[test]
fn weeks_of_flushes_with_late_rows_keep_few_files_and_rewrite_rows_few_times() {
    for (rows_per_minute, late, days, files_per_day_max, amplification_max) in [
        (60, 5, 14, 24, 8.0),
        (3_000, 5, 4, 48, 5.0),
        (18_000, 5, 1, 48, 5.0),
        (18_000, 50, 1, 96, 8.0),
        // Too many for a file per hour: ten minutes are divided.
        (180_000, 5, 1, 6 * 24 * 2, 4.0),
    ] {
        let simulation = Simulation::run(rows_per_minute, late, days, 7);
        let (per_day, wide) = simulation.files_per_day();
        let amplification = simulation.amplification();
        println!(
            "{rows_per_minute} rows per minute, {late} % late, {days} days: {per_day} files per day and {wide} wide ones, {} merges, a row \
             is rewritten {amplification:.2} times, {} at most",
            simulation.merges, simulation.rewrites_max,
        );
        assert_eq!(simulation.files.iter().map(|file| file.shape.rows).sum::<u64>(), simulation.rows);
        assert!(per_day <= files_per_day_max, "{per_day} files in a day");
        assert!(wide <= 40, "{wide} files in no single day");
        assert!(amplification <= amplification_max, "a row is rewritten {amplification} times");
    }
}

#[test]
fn an_hour_is_merged_into_one_file_once_nothing_comes_in() {
    let mut simulation = Simulation::run(5_000, 0, 1, 1);
    simulation.merge(i64::MAX, i64::MAX);
    assert_eq!(simulation.files.len(), 24);
    assert!(simulation.files.iter().all(|file| file.shape.rows == 300_000));
}

#[test]
fn whatever_there_is_merging_comes_to_an_end() {
    for seed in 0..40 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut simulation = Simulation::default();
        for _ in 0..rng.random_range(2..60) {
            let spread = [1, 6, 150, 50_000][rng.random_range(0..4)];
            let cells = (0..rng.random_range(1..20)).map(|_| {
                let rows = [1, 500, 70_000, 900_000][rng.random_range(0..4)];
                (30_000_000 + STEP * rng.random_range(0..spread), rows)
            });
            simulation.files.push(File::new(cells.collect(), 0, 0));
        }
        let rows: u64 = simulation.files.iter().map(|file| file.shape.rows).sum();
        simulation.merge(0, i64::MAX);
        assert_eq!(simulation.files.iter().map(|file| file.shape.rows).sum::<u64>(), rows, "seed {seed}");
        let shapes: Vec<FileShape> = simulation.files.iter().map(|file| file.shape).collect();
        assert!(next_merge(&shapes, &LIMITS, i64::MAX).is_none(), "seed {seed}");
    }
}

#[test]
fn large_files_and_single_ones_are_left_alone() {
    let hour = |rows| File::new(BTreeMap::from([(30_000_000, rows)]), 0, 0).shape;
    let full = LIMITS.rows_max / 2;
    assert!(next_merge(&[hour(full), hour(full), hour(full), hour(full), hour(10)], &LIMITS, 1).is_none());
    assert!(next_merge(&[hour(10), hour(10), hour(10)], &LIMITS, -1).is_none(), "not yet quiet");
    assert_eq!(next_merge(&[hour(10), hour(10), hour(10)], &LIMITS, 0).unwrap().files.len(), 3);
    assert!(next_merge(&[hour(10), hour(1_000)], &LIMITS, 0).is_none(), "it does not pay");
}
