//! What rows come to, to be compared with what a rollup says of them.

use std::fmt;

use super::Sums;

/// What values came to, and how far sums of them in different orders can lie apart.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) sums: Sums,
    /// Sum of the values without their signs.
    magnitude: f64,
}

impl Tally {
    pub(super) fn add(&mut self, value: f64) {
        self.sums.add(value);
        self.magnitude += value.abs();
    }

    /// The first number in which a rollup says something else of `what`. Sums may differ by what another order of adding makes:
    /// one unit in the last place of the sum of magnitudes, per row.
    pub(super) fn difference(&self, what: &dyn fmt::Display, said: &Sums) -> Option<String> {
        let found = &self.sums;
        if said.count != found.count {
            return Some(differs(what, "count", said.count, found.count));
        }
        if said.min != found.min {
            return Some(differs(what, "smallest value", said.min, found.min));
        }
        if said.max != found.max {
            return Some(differs(what, "largest value", said.max, found.max));
        }
        let slack = found.count as f64 * f64::EPSILON * self.magnitude;
        let is_near = (said.sum - found.sum).abs() <= slack || !self.magnitude.is_finite();
        (!is_near).then(|| differs(what, "sum", said.sum, found.sum))
    }
}

/// A sentence about a number that is not what a rollup says.
pub(super) fn differs(
    what: &dyn fmt::Display,
    number: &str,
    said: impl fmt::Display,
    found: impl fmt::Display,
) -> String {
    format!("{number} of {what}: {said} in its rollup, {found} in its rows")
}

/// The rows of one type.
#[derive(Debug)]
pub(super) struct TypeTotal {
    pub(super) name: String,
    pub(super) time: (i64, i64),
    pub(super) tally: Tally,
}

impl TypeTotal {
    pub(super) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), time: (i64::MAX, i64::MIN), tally: Tally::default() }
    }

    pub(super) fn push(&mut self, times: &[i64], values: &[f64]) {
        for time in times {
            self.time = (self.time.0.min(*time), self.time.1.max(*time));
        }
        values.iter().for_each(|value| self.tally.add(*value));
    }

    /// The first thing in which the rows are not what was said of them.
    pub(super) fn difference(&self, name: &str, time: (i64, i64), said: &Sums) -> Option<String> {
        let what = format!("type '{}'", self.name);
        if self.name != name {
            return Some(differs(&what, "name", name, &self.name));
        }
        if time != self.time {
            let text = |(from, to): (i64, i64)| format!("{from} to {to}");
            return Some(differs(&what, "times", text(time), text(self.time)));
        }
        self.tally.difference(&what, said)
    }
}
