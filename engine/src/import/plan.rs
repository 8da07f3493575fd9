//! Plans the second pass: which rows are sorted together. A unit is sorted in memory at once and becomes one file per full time
//! bucket and one per run of thin ones.

use super::{part::Part, width::Width};
use crate::segment::BUCKET_ROWS_MIN;

/// Rows of a unit at most, however small they are.
const UNIT_ROWS_MAX: usize = 4 << 20;
/// Rows from which a unit takes no further bucket; thin buckets at its end do not share a file with those behind it.
const UNIT_ROWS_MIN: usize = 4 * BUCKET_ROWS_MIN;
/// Bytes that sorting and encoding a row takes besides the row: views (48), ranks and order (12), and the key (32) or, later, the
/// encoded row.
const WORK_BYTES_PER_ROW: usize = 100;

/// Parts of the largest size that fill the memory for rows.
const PARTS_PER_SHARE: usize = 32;

/// What a load may use at once, all of it from its share of the memory limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For rows as they were pushed. **Units**: bytes.
    pub(super) rows_bytes: usize,
    /// For sorting and encoding. **Units**: bytes.
    pub(super) work_bytes: usize,
    /// What must have gone elsewhere since a partition last took rows for it to be cold. **Units**: bytes.
    pub(super) cold_bytes: u64,
}

impl Limits {
    /// Half of the share for rows, half for work on them.
    pub(super) fn of(share_bytes: usize) -> Self {
        let rows_bytes = share_bytes / 2;
        Self { rows_bytes, work_bytes: share_bytes - rows_bytes, cold_bytes: (rows_bytes / 8) as u64 }
    }

    /// Bytes of a part, about, at most: what a unit is made of.
    pub(super) fn part_bytes(&self) -> usize {
        self.rows_bytes / PARTS_PER_SHARE
    }

    /// Whether two units of this size can be worked on at once.
    fn fits(&self, rows: usize, bytes: usize) -> bool {
        rows <= UNIT_ROWS_MAX && bytes <= self.rows_bytes / 2 && work_bytes(rows) <= self.work_bytes / 2
    }

    /// Whether rows are enough for a file of healthy size, or for as large a one as memory allows.
    pub(super) fn is_worth_a_file(&self, rows: usize, bytes: usize) -> bool {
        rows >= UNIT_ROWS_MIN || !self.fits(rows * 2, bytes * 2)
    }
}

/// Memory that sorting and encoding rows takes besides them. **Units**: bytes.
pub(super) fn work_bytes(rows: usize) -> usize {
    rows * WORK_BYTES_PER_ROW
}

/// Rows that are sorted together.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub(super) parts: Vec<Part>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Unit {
    fn of(parts: Vec<Part>) -> Self {
        let (rows, bytes) = (parts.iter().map(Part::rows).sum(), parts.iter().map(Part::bytes).sum());
        Self { parts, rows, bytes }
    }

    /// Cuts it by its parts, in the order in which they came.
    pub(super) fn cut(self, limits: &Limits) -> Vec<Self> {
        let mut plan = Plan::default();
        let mut current = Self::default();
        for part in self.parts {
            if !limits.fits(current.rows + part.rows(), current.bytes + part.bytes()) {
                close(&mut current, &mut plan);
            }
            current.extend(Self::of(vec![part]));
        }
        close(&mut current, &mut plan);
        plan.units
    }

    fn extend(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

/// Units, and the partitions that are too large for one.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) units: Vec<Unit>,
    pub(super) oversized: Vec<Unit>,
}

impl Plan {
    /// Cuts what is too large where it lies: rows of one bucket then lie in several files.
    pub(super) fn into_units(self, limits: &Limits) -> Vec<Unit> {
        let Self { mut units, oversized } = self;
        units.extend(oversized.into_iter().flat_map(|unit| unit.cut(limits)));
        units
    }
}

/// Packs partitions, in order of time, into units: whole buckets where they fit, parts of one where not.
pub(super) fn pack(partitions: Vec<(i64, Vec<Part>)>, width: Width, limits: &Limits) -> Plan {
    let mut plan = Plan::default();
    let mut current = Unit::default();
    let mut partitions = partitions.into_iter().map(|(start, parts)| (start, Unit::of(parts))).peekable();
    while let Some((start, first)) = partitions.next() {
        let bucket = width.bucket_of(start);
        let mut members = vec![first];
        while let Some((_, next)) = partitions.next_if(|(start, _)| width.bucket_of(*start) == bucket) {
            members.push(next);
        }
        let (rows, bytes) = members.iter().fold((0, 0), |sum, unit| (sum.0 + unit.rows, sum.1 + unit.bytes));
        if limits.fits(rows, bytes) {
            if current.rows >= UNIT_ROWS_MIN || !limits.fits(current.rows + rows, current.bytes + bytes) {
                close(&mut current, &mut plan);
            }
            members.into_iter().for_each(|member| current.extend(member));
            continue;
        }
        close(&mut current, &mut plan);
        for member in members {
            if !limits.fits(current.rows + member.rows, current.bytes + member.bytes) {
                close(&mut current, &mut plan);
            }
            if limits.fits(member.rows, member.bytes) {
                current.extend(member);
            } else {
                plan.oversized.push(member);
            }
        }
        close(&mut current, &mut plan);
    }
    close(&mut current, &mut plan);
    plan
}

fn close(current: &mut Unit, plan: &mut Plan) {
    if current.rows > 0 {
        plan.units.push(std::mem::take(current));
    }
}
