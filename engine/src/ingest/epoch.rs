//! Unix seconds as numbers, and what a number that is too large for them probably counts instead. Every door that takes seconds
//! asks here, so that all draw the line at one place and give the mistake one name.

/// Numbers above this, the year 5138, are no Unix seconds: the milliseconds of any day after March 1973 lie above it.
pub const UNIX_SECONDS_MAX: i64 = 100_000_000_000;

/// Says what a number above [`UNIX_SECONDS_MAX`] looks like. Each unit has the range in which seconds are taken, a thousand times
/// as large as the one before.
#[must_use]
pub fn not_seconds(number: f64) -> &'static str {
    let limit = 1e11;
    if number <= limit * 1e3 {
        "looks like milliseconds"
    } else if number <= limit * 1e6 {
        "looks like microseconds"
    } else if number <= limit * 1e9 {
        "looks like nanoseconds"
    } else {
        "is after the year 5138"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_is_named_by_its_unit() {
        let seconds = 1_764_547_200.5;
        assert_eq!(not_seconds(seconds * 1e3), "looks like milliseconds");
        assert_eq!(not_seconds(seconds * 1e6), "looks like microseconds");
        assert_eq!(not_seconds(seconds * 1e9), "looks like nanoseconds");
        assert_eq!(not_seconds(f64::INFINITY), "is after the year 5138");
    }
}
