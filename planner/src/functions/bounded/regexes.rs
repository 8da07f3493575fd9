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

/// States of what stands before a count: a letter, or a class of them.
const ATOM_STATES: u64 = 4;

/// `a{100}` is some hundred states, `(a{100}){100}` ten thousand.
fn states(pattern: &str) -> u64 {
    let mut sum = count(pattern.len()).max(1);
    let mut parts = pattern.split('{');
    let mut before = parts.next().unwrap_or_default();
    for rest in parts {
        if let Some((numbers, _)) = rest.split_once('}') {
            let numbers = numbers.split(',').filter_map(|number| number.trim().parse::<u64>().ok());
            let times = numbers.max().unwrap_or(0);
            sum = match before.ends_with(')') {
                true => sum.saturating_mul(times.max(1)),
                false => sum.saturating_add(times.saturating_mul(ATOM_STATES)),
            };
        }
        before = rest;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_multiply() {
        assert_eq!(states("abc"), 3);
        assert_eq!(states("a{100}"), 6 + 400);
        assert_eq!(states("(a{10,20}){30}"), (14 + 80) * 30);
        assert_eq!(states("[0-9a-f]{8}-[0-9a-f]{4}"), 23 + 48);
        assert_eq!(states(r"\p{Greek}{"), 10);
    }
}
