//! "did you mean": the known name that is nearest to a misspelled one.

use datafusion::common::utils::datafusion_strsim::levenshtein;

/// Longer names get no hint: comparing them costs the product of the lengths. **Units**: bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// The hint for a name that is none of `known`.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|meant| format!("did you mean `{meant}`?"))
}

/// The known name that is nearest, if at least half of `name` is right.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (levenshtein(&name, known), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance * 2 <= name.chars().count())
        .map(|(_, known)| known)
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
