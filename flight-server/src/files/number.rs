//! Numbers of files: text and decimals become the 64-bit float that is nearest to what is written, the same one in every format.

use std::sync::Arc;

use arrow::{array::ArrayRef, compute::cast, datatypes::DataType, error::ArrowError};
use hexflight_engine::nearest_doubles;

/// Text that is no number.
const TEXT_RULE: &str = "is not a number";
/// Digits that Float64 cannot hold.
const RANGE_RULE: &str = "is beyond the range of a 64-bit float";
/// NaN and infinity, however they are written.
const FINITE_RULE: &str = "is not a finite number";

/// Reads digits with an optional sign, point and exponent; blanks around them do not count.
pub(crate) fn of_text(text: &str) -> Result<f64, &'static str> {
    let number = text.trim().parse::<f64>().map_err(|_| TEXT_RULE)?;
    match number.is_finite() {
        true => Ok(number),
        false if text.bytes().any(|byte| byte.is_ascii_digit()) => Err(RANGE_RULE),
        false => Err(FINITE_RULE),
    }
}

/// Brings a column of numbers to Float64. A float stays what it is, an integer becomes the nearest float.
///
/// # Errors
/// The column is not of numbers.
pub(crate) fn of_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match nearest_doubles(array) {
        // Arrow's cast divides floats, which rounds twice.
        Some(decimals) => Ok(Arc::new(decimals)),
        None => cast(array, &DataType::Float64),
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{AsArray, Decimal128Array, Decimal256Array, UInt64Array},
        datatypes::{Float64Type, i256},
    };

    use super::*;

    #[test]
    fn digits_become_the_nearest_float() {
        for (text, number) in [
            ("99.03553410406639", 99.035_534_104_066_39),
            ("1e23", 1e23),
            ("+1.5", 1.5),
            (" 2 ", 2.0),
            (".5", 0.5),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("4.9406564584124654e-324", 5e-324),
            ("1.7976931348623157e308", f64::MAX),
            ("1e-400", 0.0),
        ] {
            assert_eq!(of_text(text).map(f64::to_bits), Ok(number.to_bits()), "{text}");
        }
    }

    #[test]
    fn other_texts_state_the_rule() {
        for text in ["", "warm", "1,5", "1,000", "1 000", "1_000", "0x10", "1e", "12%", "--1"] {
            assert_eq!(of_text(text), Err(TEXT_RULE), "{text}");
        }
        assert_eq!(of_text("1e400"), Err(RANGE_RULE));
        assert_eq!(of_text("-1e309"), Err(RANGE_RULE));
        for text in ["NaN", "inf", "-Infinity"] {
            assert_eq!(of_text(text), Err(FINITE_RULE), "{text}");
        }
    }

    #[test]
    fn decimals_are_rounded_once() {
        let digits = 12_345_678_901_234_567_890_123_456_789_i128;
        let decimals = Decimal128Array::from(vec![Some(digits), None, Some(-digits)]);
        let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(38, 20).unwrap());
        let expected = 123_456_789.012_345_67;
        let numbers = of_array(&decimals).unwrap();
        let numbers = numbers.as_primitive::<Float64Type>();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(expected), None, Some(-expected)]);

        let wide = Decimal256Array::from(vec![i256::from_i128(1_005)]);
        let wide: ArrayRef = Arc::new(wide.with_precision_and_scale(50, 3).unwrap());
        assert_eq!(of_array(&wide).unwrap().as_primitive::<Float64Type>().value(0), 1.005);

        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert_eq!(
            of_array(&wide).unwrap().as_primitive::<Float64Type>().value(0),
            18_446_744_073_709_551_615.0
        );
    }
}
