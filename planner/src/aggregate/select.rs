//! Which rows of a range match.

use std::ops::Range;

/// Writes the rows of a range that match. Without a branch per row: which rows match is anybody's guess.
pub(super) fn select(rows: &mut Vec<u32>, range: Range<usize>, matches: impl Fn(usize) -> bool) {
    rows.clear();
    rows.resize(range.len(), 0);
    let mut count = 0;
    for row in range {
        rows[count] = u32::try_from(row).unwrap_or(u32::MAX);
        count += usize::from(matches(row));
    }
    rows.truncate(count);
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
