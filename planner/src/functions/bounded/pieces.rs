//! `Pieces`: the rows of one batch, refused when they are too large, and cut so that a query that has ended is noticed soon.

use std::ops::Range;

use datafusion::error::Result;

use super::{
    bounds::{Bounds, count},
    growth::Growth,
    measure::{Argument, Size},
    row::Row,
};

/// What a piece builds, in some 20 ms.
const PIECE_BYTES_MAX: u64 = 32 << 20;

/// What a piece takes, some 100 ms.
const PIECE_STEPS_MAX: u64 = 50_000_000;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The most that all rows build.
    pub(super) bytes: u64,
    /// Rows that are computed together; none where all are.
    pub(super) ranges: Vec<Range<usize>>,
}

impl Pieces {
    /// Looks at the largest of each argument, and only where they could be too large at each row.
    ///
    /// # Errors
    /// `Execution` when a value or all of them are too large, or take too long.
    pub(super) fn of(growth: &Growth, bounds: &Bounds, arguments: &[Argument], rows: usize) -> Result<Self> {
        let largest: Vec<Size> = arguments.iter().map(Argument::largest).collect();
        let row = Row::new(arguments, &largest, None);
        let (bytes, steps) = ((growth.bytes)(&row), (growth.steps)(&row));
        let all_bytes = bytes.saturating_mul(count(rows));
        let is_short = all_bytes <= PIECE_BYTES_MAX && steps.saturating_mul(count(rows)) <= PIECE_STEPS_MAX;
        if is_short && bounds.admit(bytes, all_bytes, steps) {
            return Ok(Self { bytes: all_bytes, ranges: vec![] });
        }
        Self::row_by_row(growth, bounds, arguments, rows)
    }

    fn row_by_row(growth: &Growth, bounds: &Bounds, arguments: &[Argument], rows: usize) -> Result<Self> {
        let (mut ranges, mut from) = (vec![], 0);
        let (mut all_bytes, mut piece_bytes, mut piece_steps) = (0_u64, 0_u64, 0_u64);
        let mut sizes = vec![Size::default(); arguments.len()];
        for place in 0..rows {
            sizes.iter_mut().zip(arguments).for_each(|(size, argument)| *size = argument.at(place));
            let row = Row::new(arguments, &sizes, Some(place));
            let (bytes, steps) = ((growth.bytes)(&row), (growth.steps)(&row));
            bounds.check_value(growth.name, bytes, growth.is_exact)?;
            Bounds::check_steps(growth.name, steps)?;
            let is_full = piece_bytes.saturating_add(bytes) > PIECE_BYTES_MAX
                || piece_steps.saturating_add(steps) > PIECE_STEPS_MAX;
            if is_full && place > from {
                ranges.push(from..place);
                (from, piece_bytes, piece_steps) = (place, 0, 0);
            }
            piece_bytes += bytes;
            piece_steps += steps;
            all_bytes = all_bytes.saturating_add(bytes);
        }
        ranges.push(from..rows);
        if growth.is_exact {
            bounds.check_batch(growth.name, rows, all_bytes)?;
        }
        Ok(Self { bytes: all_bytes.min(bounds.batch_bytes()), ranges })
    }
}
