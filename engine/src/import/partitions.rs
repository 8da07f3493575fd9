//! `Partitions`: the rows of a load by time, and what is to be done when memory gets short. Decides only; the load acts.
//!
//! *Cold* partitions have taken no rows to speak of for a while. In input that is in order of time all but the newest are cold:
//! they become files at once. In input that is not, none is, or they warm up again: all that is in memory is spilled.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    part::{Part, Piece},
    plan::{Limits, Unit, pack},
    scratch::Chunk,
    spread::Spread,
    width::Width,
};

/// Partitions above which all are made wider.
const PARTITIONS_MAX: usize = 256;
/// A partition counts as touched when a batch gives it at least this part of an even split; a few late rows do not count.
const WARMING_PART: usize = 4;
/// Part of the rows in memory that is cold, at least, in input that is in order of time.
const COLD_PART: usize = 4;
/// Part of the input that may come back to cold partitions before the input counts as unordered.
const REVISITING_PART: u64 = 8;

/// Rows of a span of time.
#[derive(Debug, Default)]
pub(super) struct Partition {
    parts: Vec<Part>,
    rows: usize,
    bytes: usize,
    /// What of `bytes` is in memory.
    memory_bytes: usize,
    /// What had been taken in all, in bytes, when it last took rows.
    touched_at: u64,
}

/// What to do with rows in memory.
#[derive(Debug)]
pub(super) enum Step {
    /// Sort and write them as files: each list by itself.
    Write(Vec<Unit>),
    /// Write them to the scratch file.
    Spill(Vec<(i64, Vec<Piece>)>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Partitions {
    pub(super) width: Width,
    by_start: BTreeMap<i64, Partition>,
    memory_bytes: usize,
    taken_bytes: u64,
    /// What of it came to cold or written partitions.
    revisiting_bytes: u64,
    /// Buckets of which rows were handed out to be written.
    written: BTreeSet<i64>,
}

impl Partitions {
    pub(super) fn new(bucket_micros: i64) -> Self {
        Self {
            width: Width::finest(bucket_micros),
            by_start: BTreeMap::new(),
            memory_bytes: 0,
            taken_bytes: 0,
            revisiting_bytes: 0,
            written: BTreeSet::new(),
        }
    }

    /// Bytes of rows in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether rows lie in the scratch file.
    pub(super) fn has_spilled(&self) -> bool {
        self.by_start.values().any(Partition::has_spilled)
    }

    /// Takes rows that were spread by a width which may have been left since.
    pub(super) fn take(&mut self, spread: Spread, limits: &Limits) {
        if spread.width.is_coarser_than(self.width) {
            self.widen(spread.width);
        }
        let rows: usize = spread.pieces.iter().map(|(_, piece)| piece.batch.num_rows()).sum();
        let even = rows / spread.pieces.len().max(1);
        for (start, piece) in spread.pieces {
            let start = self.width.start_of(start);
            let is_warming = piece.batch.num_rows() >= even / WARMING_PART;
            let bytes = piece.bytes as u64;
            self.memory_bytes += piece.bytes;
            self.taken_bytes += bytes;
            let is_written = self.written.contains(&self.width.bucket_of(start));
            let partition = self.by_start.entry(start).or_default();
            let is_cold = partition.bytes > 0 && self.taken_bytes - partition.touched_at >= limits.cold_bytes;
            if is_written || is_cold {
                self.revisiting_bytes += bytes;
            }
            if is_warming {
                partition.touched_at = self.taken_bytes;
            }
            partition.push(Part::Memory(piece));
        }
        while self.by_start.len() > PARTITIONS_MAX
            && let Some(coarser) = self.width.coarser()
        {
            self.widen(coarser);
        }
    }

    /// Takes back what was spilled.
    pub(super) fn take_chunks(&mut self, chunks: Vec<(i64, Chunk)>) {
        for (start, chunk) in chunks {
            self.by_start.entry(self.width.start_of(start)).or_default().push(Part::Scratch(chunk));
        }
    }

    fn widen(&mut self, width: Width) {
        self.width = width;
        for (start, partition) in std::mem::take(&mut self.by_start) {
            let wider = self.by_start.entry(width.start_of(start)).or_default();
            wider.touched_at = wider.touched_at.max(partition.touched_at);
            partition.parts.into_iter().for_each(|part| wider.push(part));
        }
        self.written = self.written.iter().map(|bucket| width.bucket_of(*bucket)).collect();
    }

    /// What should be done now, if anything. `is_short`: somebody waits for memory and nothing is under way that would free any.
    pub(super) fn next_step(&mut self, limits: &Limits, is_short: bool, may_spill: bool) -> Option<Step> {
        let is_ordered = self.revisiting_bytes <= self.taken_bytes / REVISITING_PART;
        let finished = if is_ordered { self.take_finished(limits) } else { vec![] };
        if !finished.is_empty() {
            return Some(Step::Write(finished));
        }
        let is_nearly_full = self.memory_bytes >= limits.rows_bytes / 4 * 3;
        if self.memory_bytes == 0 || !(is_short || self.memory_bytes >= limits.rows_bytes / 2) {
            return None;
        }
        let cold_bytes: usize = self
            .by_start
            .values()
            .filter(|partition| self.is_cold(partition, limits))
            .map(|partition| partition.bytes)
            .sum();
        if is_ordered && cold_bytes >= self.memory_bytes / COLD_PART {
            if !(is_short || is_nearly_full) {
                return None;
            }
            let cold = self.take_where(|partitions, partition| partitions.is_cold(partition, limits));
            self.note_written(&cold);
            return Some(Step::Write(pack(cold, self.width, limits).into_units(limits)));
        }
        may_spill.then(|| Step::Spill(self.take_memory()))
    }

    /// Takes the buckets that are cold as a whole and are worth a file of their own.
    fn take_finished(&mut self, limits: &Limits) -> Vec<Unit> {
        let mut buckets: BTreeMap<i64, (bool, usize, usize)> = BTreeMap::new();
        for (start, partition) in &self.by_start {
            let bucket = buckets.entry(self.width.bucket_of(*start)).or_insert((true, 0, 0));
            bucket.0 &= self.is_cold(partition, limits);
            bucket.1 += partition.rows;
            bucket.2 += partition.bytes;
        }
        buckets.retain(|_, (is_cold, rows, bytes)| *is_cold && limits.is_worth_a_file(*rows, *bytes));
        if buckets.is_empty() {
            return vec![];
        }
        let width = self.width;
        let taken: Vec<i64> = self
            .by_start
            .keys()
            .copied()
            .filter(|start| buckets.contains_key(&width.bucket_of(*start)))
            .collect();
        let finished = self.remove(&taken);
        self.note_written(&finished);
        pack(finished, width, limits).into_units(limits)
    }

    fn note_written(&mut self, partitions: &[(i64, Vec<Part>)]) {
        self.written.extend(partitions.iter().map(|(start, _)| self.width.bucket_of(*start)));
    }

    /// Takes all rows that are in memory; partitions stay.
    pub(super) fn take_memory(&mut self) -> Vec<(i64, Vec<Piece>)> {
        self.memory_bytes = 0;
        let mut taken = vec![];
        for (start, partition) in &mut self.by_start {
            let mut pieces = vec![];
            let touched_at = partition.touched_at;
            for part in std::mem::replace(partition, Partition { touched_at, ..Partition::default() }).parts {
                match part {
                    Part::Memory(piece) => pieces.push(piece),
                    Part::Scratch(_) => partition.push(part),
                }
            }
            if !pieces.is_empty() {
                taken.push((*start, pieces));
            }
        }
        self.by_start.retain(|_, partition| !partition.parts.is_empty());
        taken
    }

    /// Takes all rows, by the start of their partition.
    pub(super) fn take_all(&mut self) -> Vec<(i64, Vec<Part>)> {
        self.take_where(|_, _| true)
    }

    fn take_where(&mut self, is_taken: impl Fn(&Self, &Partition) -> bool) -> Vec<(i64, Vec<Part>)> {
        let taken: Vec<i64> = self
            .by_start
            .iter()
            .filter(|(_, partition)| is_taken(self, partition))
            .map(|(start, _)| *start)
            .collect();
        self.remove(&taken)
    }

    fn remove(&mut self, starts: &[i64]) -> Vec<(i64, Vec<Part>)> {
        let mut removed = vec![];
        for start in starts {
            let Some(partition) = self.by_start.remove(start) else { continue };
            self.memory_bytes -= partition.memory_bytes;
            removed.push((*start, partition.parts));
        }
        removed
    }

    /// Of a partition that has been spilled in part, the rest waits for the commit.
    fn is_cold(&self, partition: &Partition, limits: &Limits) -> bool {
        !partition.has_spilled() && self.taken_bytes - partition.touched_at >= limits.cold_bytes
    }
}

impl Partition {
    fn push(&mut self, part: Part) {
        self.rows += part.rows();
        self.bytes += part.bytes();
        if part.is_in_memory() {
            self.memory_bytes += part.bytes();
        }
        self.parts.push(part);
    }

    fn has_spilled(&self) -> bool {
        self.memory_bytes < self.bytes
    }
}
