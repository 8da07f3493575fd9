//! "did you mean": the known name that is nearest to a misspelled one.

/// Longer names get no hint: comparing them costs the product of the lengths.
const CHARS_MAX: usize = 64;

/// The hint for a name that is none of `known`, if at least half of it is right.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let name: Vec<char> = name.chars().take(CHARS_MAX + 1).flat_map(char::to_lowercase).collect();
    if name.len() > CHARS_MAX {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (edit_distance(&name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance * 2 <= name.len())
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// Levenshtein distance by the row-at-a-time dynamic programme.
fn edit_distance(name: &[char], candidate: &str) -> usize {
    let mut costs: Vec<usize> = (0..=name.len()).collect();
    for (row, expected) in candidate.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        for (found, cost) in name.iter().zip(costs.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(*found != expected);
            diagonal = *cost;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cost = left;
        }
        if let Some(first) = costs.first_mut() {
            *first = row + 1;
        }
    }
    costs.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named_and_nonsense_gets_none() {
        let known = ["metric_name", "device_id", "start", "end"];
        assert_eq!(did_you_mean("metricname", known).as_deref(), Some("did you mean `metric_name`?"));
        assert_eq!(did_you_mean("strat", known).as_deref(), Some("did you mean `start`?"));
        assert_eq!(did_you_mean("qqqqqqqq", known), None);
        assert_eq!(did_you_mean("", known), None);
        assert_eq!(did_you_mean(&"x".repeat(1_000_000), known), None);
    }
}
