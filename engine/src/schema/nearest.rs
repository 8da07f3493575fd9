//! `nearest`: the known name that somebody may have meant by a misspelled one.

/// Longer names get no hint: comparing them costs the product of the lengths.
const NAME_CHARS_MAX: usize = 64;

/// The known name that is nearest to `name` in any case, if at least half of `name` is right.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(NAME_CHARS_MAX + 1).flat_map(char::to_lowercase).collect();
    if name.len() > NAME_CHARS_MAX {
        return None;
    }
    known
        .into_iter()
        .map(|known| (edit_distance(&name, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance * 2 <= name.len())
        .map(|(_, known)| known)
}

/// Levenshtein distance by the row-at-a-time dynamic programme.
fn edit_distance(name: &[char], known: &str) -> usize {
    let mut costs: Vec<usize> = (0..=name.len()).collect();
    for (row, expected) in known.chars().enumerate() {
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
    fn edit_distance_counts_insertions_deletions_and_substitutions() {
        let distance = |name: &str, known| edit_distance(&name.chars().collect::<Vec<_>>(), known);
        assert_eq!(distance("", "time"), 4);
        assert_eq!(distance("time", "time"), 0);
        assert_eq!(distance("tim", "time"), 1);
        assert_eq!(distance("timee", "time"), 1);
        assert_eq!(distance("tome", "time"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_name_is_found_and_nonsense_finds_none() {
        let known = ["metric_name", "device_id", "start", "end"];
        assert_eq!(nearest("MetricName", known), Some("metric_name"));
        assert_eq!(nearest("strat", known), Some("start"));
        assert_eq!(nearest("qqqqqqqq", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
    }
}
