//! Which rows of a range match.

use std::ops::Range;

/// Writes the rows that match, counted from `first`. Branch-free: matches are unpredictable, and a branch would be mispredicted half the time.
pub(super) fn select(rows: &mut Vec<u32>, first: usize, matches: impl ExactSizeIterator<Item = bool>) {
    rows.clear();
    rows.resize(matches.len(), 0);
    let mut count = 0;
    for (row, is_match) in (to_u32(first)..).zip(matches) {
        rows[count] = row;
        count += usize::from(is_match);
    }
    rows.truncate(count);
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
        return select(rows, range.start, range.clone().map(matches));
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
            select(&mut rows, start, (start..end).map(matches));
            let expected: Vec<usize> = (start..end).filter(|row| matches(*row)).collect();
            assert!(rows.iter().map(|row| *row as usize).eq(expected.iter().copied()), "{start}..{end}");
            narrow(&mut rows, &mut false, &(start..end), |row| row.is_multiple_of(2));
            let even = expected.into_iter().filter(|row| row.is_multiple_of(2));
            assert!(rows.iter().map(|row| *row as usize).eq(even));
        }
    }
}
