//! Numbers of questions: what is not one, or out of its range, is refused with the range.

use crate::status::Problem;
use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

/// Reads a number within `range`; NaN and infinities are in none.
pub(super) fn number_in<T>(
    name: &str,
    text: &str,
    kind: &str,
    range: &RangeInclusive<T>,
) -> Result<T, Problem>
where
    T: FromStr + PartialOrd + Display,
{
    text.parse::<T>().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let rule = format!("must be {kind} from {} to {}", range.start(), range.end());
        Problem::parameter(name, text, &rule)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let latitude = |text| number_in("min_latitude", text, "a number", &(-90.0..=90.0)).ok();
        assert_eq!(latitude("-90"), Some(-90.0));
        assert_eq!(latitude("52.5"), Some(52.5));
        for bad in ["91", "NaN", "inf", "", "x", "90.00000000000002"] {
            assert_eq!(latitude(bad), None, "{bad}");
        }
    }
}
