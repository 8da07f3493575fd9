//! `CellRange`: ids of neighbouring cells. An H3 id is, from the top, mode, resolution, base cell and fifteen digits of three bits, those
//! beyond its resolution 7; so the descendants of a cell are contiguous among the cells of a resolution, and all ids are positive.

use h3o::{CellIndex, Resolution};

/// Bit of the resolution in an id.
const RESOLUTION_OFFSET: u32 = 52;

/// Bits of a digit.
const DIGIT_BITS: u32 = 3;

/// Digits of an id.
const DIGITS: u32 = 15;

/// Ids of cells of one resolution, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CellRange {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Whether every position in its cells is in the area, so that none needs a test.
    pub(crate) interior: bool,
}

impl CellRange {
    /// All descendants of a cell at a resolution that is not coarser than its own.
    pub(super) fn of_descendants(cell: CellIndex, resolution: Resolution, interior: bool) -> Self {
        let (own, wanted) = (u32::from(u8::from(cell.resolution())), u32::from(u8::from(resolution)));
        let resolution_bits = u64::from(own ^ wanted) << RESOLUTION_OFFSET;
        let id = u64::from(cell) ^ resolution_bits;
        let (mut first, mut last) = (id, id);
        for digit in own + 1..=wanted {
            let offset = (DIGITS - digit) * DIGIT_BITS;
            first &= !(7 << offset);
            last = last & !(7 << offset) | 6 << offset;
        }
        Self { first: first.cast_signed(), last: last.cast_signed(), interior }
    }

    /// Whether no cell lies between this range and the next.
    pub(super) fn touches(&self, next: &Self) -> bool {
        let last = CellIndex::try_from(self.last.cast_unsigned());
        last.ok().and_then(CellIndex::succ).map(u64::from) == Some(next.first.cast_unsigned())
    }
}
