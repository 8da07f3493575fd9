//! `Scrape`: the numbers of one `/metrics` answer, labels summed up, and what changed between two of them.

use std::collections::BTreeMap;

/// Values by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Reads the Prometheus text format; lines that are not samples are skipped.
    pub(crate) fn parse(text: &str) -> Self {
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap_or(series);
            if let Ok(value) = value.parse::<f64>() {
                *values.entry(name.to_owned()).or_default() += value;
            }
        }
        Self(values)
    }

    /// Whether anything of the name was recorded.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// What a counter or a sum has grown by since `before`.
    pub(crate) fn since(&self, before: &Self, name: &str) -> f64 {
        let value = |scrape: &Self| scrape.0.get(name).copied().unwrap_or(0.0);
        value(self) - value(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_up() {
        let before = Scrape::parse("# TYPE a counter\na{code=\"x y\"} 1\na{code=\"z\"} 2\nb_sum 0.5\n");
        let after = Scrape::parse("a{code=\"z\"} 10\nb_sum 2\n");

        assert_eq!(after.since(&before, "a"), 7.0);
        assert_eq!(after.since(&before, "b_sum"), 1.5);
        assert!(!after.has("c"));
    }
}
