//! Decimals as floats, each the double nearest to it. A cast divides the digits by a power of ten, which rounds twice where
//! either has more digits than a double: `99.03553410406639` would become its neighbour.

use arrow::{
    array::{Array, AsArray, Float64Array},
    datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type},
};

/// Largest integer up to which every integer is a double.
const EXACT_INTEGER_MAX: u64 = 1 << 53;

/// Powers of ten that are doubles.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// A column of decimals as the nearest doubles, nulls where it has them; `None` for a column of another type.
#[must_use]
pub fn nearest_doubles(column: &dyn Array) -> Option<Float64Array> {
    Some(match *column.data_type() {
        DataType::Decimal32(_, scale) => {
            column.as_primitive::<Decimal32Type>().unary(|digits| nearest(i64::from(digits), digits, scale))
        }
        DataType::Decimal64(_, scale) => {
            column.as_primitive::<Decimal64Type>().unary(|digits| nearest(digits, digits, scale))
        }
        DataType::Decimal128(_, scale) => column
            .as_primitive::<Decimal128Type>()
            .unary(|digits| nearest(i64::try_from(digits).unwrap_or(i64::MAX), digits, scale)),
        DataType::Decimal256(_, scale) => column.as_primitive::<Decimal256Type>().unary(|digits| {
            let short = digits.to_i128().and_then(|digits| i64::try_from(digits).ok());
            nearest(short.unwrap_or(i64::MAX), digits, scale)
        }),
        _ => return None,
    })
}

/// `digits` ÷ 10^`scale`. `short` is the same number where it has 64 bits, and any large one where not.
fn nearest(short: i64, digits: impl std::fmt::Display, scale: i8) -> f64 {
    if short.unsigned_abs() <= EXACT_INTEGER_MAX
        && let Some(power) = EXACT_POWERS.get(usize::from(scale.unsigned_abs()))
    {
        // Both are exact, so that the one operation rounds once.
        let digits = short as f64;
        return if scale < 0 { digits * power } else { digits / power };
    }
    let exponent = -i32::from(scale);
    // Digits and an exponent are always a number; what is none would be refused as not finite.
    format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array},
        datatypes::i256,
    };

    use super::*;

    #[test]
    fn a_decimal_is_the_double_of_its_digits() {
        let table: [(i128, i8, f64); 9] = [
            (9_903_553_410_406_639, 14, 99.03553410406639),
            (1, 1, 0.1),
            (-123_456_789_012_345_678_901_234_567_890, 20, -1_234_567_890.123_456_8),
            (i128::MAX, 38, 1.701_411_834_604_692_3),
            (9_007_199_254_740_993, 0, 9_007_199_254_740_992.0),
            (9_007_199_254_740_995, 0, 9_007_199_254_740_996.0),
            (5, 38, 5e-38),
            (7, -3, 7_000.0),
            (0, 5, 0.0),
        ];
        for (digits, scale, expected) in table {
            let wide = Decimal128Array::from(vec![Some(digits), None]);
            let wide = wide.with_precision_and_scale(38, scale).unwrap();
            let found = nearest_doubles(&wide).unwrap();
            assert_eq!(found.value(0).to_bits(), expected.to_bits(), "{digits} with {scale}");
            assert!(found.is_null(1));
            let wider = Decimal256Array::from(vec![i256::from_i128(digits)]);
            let wider = wider.with_precision_and_scale(76, scale).unwrap();
            assert_eq!(nearest_doubles(&wider).unwrap().value(0).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn every_width_is_read() {
        let narrow = Decimal32Array::from(vec![-105]).with_precision_and_scale(9, 2).unwrap();
        assert_eq!(nearest_doubles(&narrow).unwrap().value(0), -1.05);
        let middle =
            Decimal64Array::from(vec![999_999_999_999_999_999]).with_precision_and_scale(18, 17).unwrap();
        assert_eq!(nearest_doubles(&middle).unwrap().value(0), 10.0);
        assert!(nearest_doubles(&Float64Array::from(vec![1.0])).is_none());
    }
}
