//! Seconds as text become microseconds, exactly: digits are counted as integers, since a double has no room for seconds and six decimals of them
//! in all cases.

/// Decimals of a second that are kept.
const DECIMALS: i64 = 6;

/// No text has as many digits: larger exponents mean the same.
const EXPONENT_MAX: i64 = 1 << 60;

/// The microseconds of a decimal number of seconds, as JSON writes it and without its sign, and whether it has digits below them.
/// **Range**: what has no room is `i64::MAX`.
pub(crate) fn of_seconds(magnitude: &str) -> (i64, bool) {
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let beyond = if exponent.starts_with('-') { -EXPONENT_MAX } else { EXPONENT_MAX };
    let exponent = exponent.parse::<i64>().unwrap_or(beyond).clamp(-EXPONENT_MAX, EXPONENT_MAX);
    // Digits that count: those down to a microsecond.
    let kept = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent + DECIMALS);
    let mut micros = 0_i64;
    let mut lost = false;
    let mut position = 0_i64;
    for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i64::from(byte - b'0')) {
        if position < kept {
            micros = micros.saturating_mul(10).saturating_add(digit);
        } else {
            lost |= digit != 0;
        }
        position += 1;
    }
    while position < kept && micros != 0 && micros != i64::MAX {
        micros = micros.saturating_mul(10);
        position += 1;
    }
    (micros, lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept_down_to_the_microsecond() {
        for (seconds, micros) in [
            ("0", (0, false)),
            ("1748779200", (1_748_779_200_000_000, false)),
            ("1748779200.", (1_748_779_200_000_000, false)),
            ("1748779200.1234569999", (1_748_779_200_123_456, true)),
            ("1.7487792001234565e9", (1_748_779_200_123_456, true)),
            ("17487792001e-1", (1_748_779_200_100_000, false)),
            ("0e99999999999999999999", (0, false)),
            ("1e-99999999999999999999", (0, true)),
            ("1e400", (i64::MAX, false)),
            ("0.0000010", (1, false)),
        ] {
            assert_eq!(of_seconds(seconds), micros, "{seconds}");
        }
    }
}
