//! How large what a regular expression finds can become, and how long it can look. **Units**: bytes, and steps of some ns.

use super::{bounds::count, measure::ITEM_BYTES, row::Row};

/// States of the largest program that is compiled, 10 MiB.
const STATES_MAX: u64 = 250_000;

/// Mostly, all states are one step, and a byte is read in a hundredth of what a hundred states take one by one.
const STATES_PER_STEP: u64 = 100;

/// Compiling a pattern, for each row where it is not the same for all, and each state of it; what is compiled is kept for all rows of a piece.
const COMPILE_STEPS: u64 = 100_000;
const STATE_STEPS: u64 = 4_000;

/// `regexp_replace`: each place, and with `g` all, becomes the replacement, in which each reference to a group is a part of the place.
pub(super) fn replaced(row: &Row<'_>) -> u64 {
    let everywhere = row.has(3) && row.text(3).is_none_or(|flags| flags.contains('g'));
    let places = if everywhere { row.bytes(0) + 1 } else { 1 };
    let references = row.text(2).map_or_else(
        || row.bytes(2),
        |replacement| count(replacement.bytes().filter(|byte| matches!(byte, b'\\' | b'$')).count()),
    );
    let written = places.saturating_mul(row.bytes(2));
    row.bytes(0).saturating_add(written).saturating_add(references.saturating_mul(row.bytes(0)))
}

/// `regexp_match`: a list of the groups of one place.
pub(super) fn matched(row: &Row<'_>) -> u64 {
    let groups = row.text(1).map_or_else(|| row.bytes(1), |pattern| count(pattern.matches('(').count())) + 1;
    groups.saturating_mul(row.bytes(0).saturating_add(ITEM_BYTES))
}

/// Each byte of the text in each state of the pattern.
pub(super) fn steps(row: &Row<'_>) -> u64 {
    let states =
        row.text(1).map_or_else(|| row.bytes(1).saturating_mul(STATES_PER_STEP), states).min(STATES_MAX);
    let compile = if row.is_constant(1) { 0 } else { COMPILE_STEPS.max(states.saturating_mul(STATE_STEPS)) };
    (row.bytes(0).saturating_mul(states) / STATES_PER_STEP).saturating_add(compile)
}

/// `a{100}` is a hundred states, `(a{100}){100}` ten thousand.
fn states(pattern: &str) -> u64 {
    let counted = pattern.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let times = counted.map(|(numbers, _)| {
        numbers.split(',').filter_map(|number| number.trim().parse::<u64>().ok()).max().unwrap_or(1).max(1)
    });
    times.fold(count(pattern.len()).max(1), u64::saturating_mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_multiply() {
        assert_eq!(states("abc"), 3);
        assert_eq!(states("a{100}"), 600);
        assert_eq!(states("(a{10,20}){30}"), 14 * 20 * 30);
        assert_eq!(states(r"\p{Greek}{"), 10);
    }
}
