//! `Decimal`: a number as its digits tell it. Through a float a number of more than 15 digits becomes its neighbour without a word;
//! here it stays itself or there is no answer.

use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type,
    DecimalType, i256,
};
use datafusion::common::ScalarValue;

/// Digits of the largest number that is looked at, in Decimal256.
const DIGITS_MAX: usize = DECIMAL256_MAX_PRECISION as usize;

/// Exponents beyond this mean the same: no text has as many digits.
const EXPONENT_MAX: i64 = 1 << 40;

/// A number: its digits × 10^exponent. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last is 0.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads digits with an optional sign, fraction and exponent; `None` for any other text.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (is_negative, magnitude) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (magnitude, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let fraction_length = i64::try_from(fraction.len()).ok()?;
        let kept = digits.trim_end_matches('0');
        let cut = i64::try_from(digits.len() - kept.len()).ok()?;
        let kept = kept.trim_start_matches('0').to_owned();
        let exponent = if kept.is_empty() { 0 } else { exponent - fraction_length + cut };
        Some(Self { is_negative: is_negative && !kept.is_empty(), digits: kept, exponent })
    }

    /// The number × 10^`scale`, if that is a whole number of at most 38 digits.
    #[must_use]
    pub fn scaled(&self, scale: i64) -> Option<i128> {
        self.scaled_text(scale)?.parse().ok()
    }

    fn scaled_text(&self, scale: i64) -> Option<String> {
        let zeros = usize::try_from(self.exponent.checked_add(scale)?);
        let zeros = match zeros {
            _ if self.digits.is_empty() => return Some("0".to_owned()),
            Ok(zeros) if zeros <= DIGITS_MAX && zeros + self.digits.len() <= DIGITS_MAX => zeros,
            _ => return None,
        };
        let sign = if self.is_negative { "-" } else { "" };
        Some(format!("{sign}{}{}", self.digits, "0".repeat(zeros)))
    }

    /// The number as a decimal of the type `wanted` if it is one, else of a type of its own, which SQL compares with the other
    /// digit by digit; `None` for more digits than any decimal has, and where `wanted` is no decimal.
    #[must_use]
    pub fn scalar(&self, wanted: &DataType) -> Option<ScalarValue> {
        if !wanted.is_decimal() {
            return None;
        }
        self.of_type(wanted).or_else(|| {
            let scale = u8::try_from(0.max(-self.exponent)).ok()?;
            let length = self.scaled_text(i64::from(scale))?.trim_start_matches('-').len();
            let precision = u8::try_from(length.max(usize::from(scale)).max(1)).ok()?;
            let scale = i8::try_from(scale).ok()?;
            if precision <= DECIMAL128_MAX_PRECISION {
                self.of_type(&DataType::Decimal128(precision, scale))
            } else {
                self.of_type(&DataType::Decimal256(precision, scale))
            }
        })
    }

    fn of_type(&self, data_type: &DataType) -> Option<ScalarValue> {
        match *data_type {
            DataType::Decimal32(precision, scale) => {
                let digits = self.within(precision, scale)?.parse().ok()?;
                Some(ScalarValue::Decimal32(Some(digits), precision, scale))
            }
            DataType::Decimal64(precision, scale) => {
                let digits = self.within(precision, scale)?.parse().ok()?;
                Some(ScalarValue::Decimal64(Some(digits), precision, scale))
            }
            DataType::Decimal128(precision, scale) => {
                let digits = self.within(precision, scale)?.parse().ok()?;
                Decimal128Type::validate_decimal_precision(digits, precision, scale).ok()?;
                Some(ScalarValue::Decimal128(Some(digits), precision, scale))
            }
            DataType::Decimal256(precision, scale) => {
                let digits = i256::from_string(&self.within(precision, scale)?)?;
                Decimal256Type::validate_decimal_precision(digits, precision, scale).ok()?;
                Some(ScalarValue::Decimal256(Some(digits), precision, scale))
            }
            _ => None,
        }
    }

    /// The digits at `scale`, if there are at most `precision` of them.
    fn within(&self, precision: u8, scale: i8) -> Option<String> {
        let text = self.scaled_text(i64::from(scale))?;
        (text.trim_start_matches('-').len() <= usize::from(precision)).then_some(text)
    }
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') { -EXPONENT_MAX } else { EXPONENT_MAX };
    Some(text.parse::<i64>().unwrap_or(beyond).clamp(-EXPONENT_MAX, EXPONENT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_digit_by_digit() {
        let scaled = |text, scale| Decimal::of_text(text).and_then(|number| number.scaled(scale));
        let table = [
            ("0", 0, Some(0)),
            ("-0.0", 0, Some(0)),
            ("0e999999999999999999999", 0, Some(0)),
            ("1764547200.25", 9, Some(1_764_547_200_250_000_000)),
            ("1.7645472e9", 0, Some(1_764_547_200)),
            ("-1.50", 1, Some(-15)),
            ("1.05", 1, None),
            ("9007199254740993.000", 0, Some(9_007_199_254_740_993)),
            ("1E+3", 0, Some(1_000)),
            ("1e-3", 3, Some(1)),
            ("1e99999999999999999999", 0, None),
            (
                "99999999999999999999999999999999999999",
                0,
                Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
        ];
        for (text, scale, expected) in table {
            assert_eq!(scaled(text, scale), expected, "{text} at {scale}");
        }
        for bad in
            ["", "-", ".", "1e", "1e+", "e5", "1_000", "0x10", "NaN", "inf", "--1", "1.2.3", " 1", "1f"]
        {
            assert_eq!(Decimal::of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_decimal_has_the_wanted_type_where_that_keeps_its_digits() {
        let scalar = |text| Decimal::of_text(text).unwrap().scalar(&DataType::Decimal128(10, 2));
        assert_eq!(scalar("1.5"), Some(ScalarValue::Decimal128(Some(150), 10, 2)));
        assert_eq!(scalar("-1.255"), Some(ScalarValue::Decimal128(Some(-1_255), 4, 3)));
        assert_eq!(scalar("123456789012"), Some(ScalarValue::Decimal128(Some(123_456_789_012), 12, 0)));
        assert_eq!(scalar("0.001"), Some(ScalarValue::Decimal128(Some(1), 3, 3)));
        let long = "1234567890123456789012345678901234567890.5";
        assert!(matches!(scalar(long), Some(ScalarValue::Decimal256(Some(_), 41, 1))));
        assert_eq!(scalar("1e400"), None);
        assert_eq!(scalar("1e-400"), None);
        assert_eq!(Decimal::of_text("1").unwrap().scalar(&DataType::Float64), None);
    }
}
