//! Which rows of a range match.

use std::ops::Range;

/// Rows whose matches are gathered as the bits of a number.
const BITS: usize = u64::BITS as usize;

/// Writes the rows of a range that match. Without a branch per row that does not: which rows match is anybody's guess.
pub(super) fn select(rows: &mut Vec<u32>, range: Range<usize>, matches: impl Fn(usize) -> bool) {
    rows.clear();
    for start in range.clone().step_by(BITS) {
        let end = range.end.min(start + BITS);
        let mut mask = 0_u64;
        for row in start..end {
            mask |= u64::from(matches(row)) << (row - start);
        }
        if mask == u64::MAX {
            rows.extend((start..end).map(to_u32));
            continue;
        }
        while mask != 0 {
            rows.push(to_u32(start + mask.trailing_zeros() as usize));
            mask &= mask - 1;
        }
    }
}

fn to_u32(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

/// Leaves of what was selected the rows that match.
pub(super) fn narrow(
    rows: &mut Vec<u32>,
    all: &mut bool,
    range: &Range<usize>,
    matches: impl Fn(usize) -> bool,
) {
    if std::mem::take(all) {
        return select(rows, range.clone(), matches);
    }
    let mut count = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[count] = row;
        count += usize::from(matches(row as usize));
    }
    rows.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_match_are_selected_in_order() {
        let mut rows = vec![7];
        for (start, end) in [(0, 0), (5, 6), (0, 64), (3, 67), (10, 300)] {
            let matches = |row: usize| row.is_multiple_of(3) || row > 290;
            select(&mut rows, start..end, matches);
            let expected: Vec<usize> = (start..end).filter(|row| matches(*row)).collect();
            assert!(rows.iter().map(|row| *row as usize).eq(expected.iter().copied()), "{start}..{end}");
            narrow(&mut rows, &mut false, &(start..end), |row| row.is_multiple_of(2));
            let even = expected.into_iter().filter(|row| row.is_multiple_of(2));
            assert!(rows.iter().map(|row| *row as usize).eq(even));
        }
    }
}
