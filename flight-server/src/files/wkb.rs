//! Points in well-known binary: as GeoParquet has them in bytes, and PostGIS writes them to text files in hex digits.
//!
//! ```text
//! 0  1  order of bytes: 1 little-endian, 0 big-endian
//! 1  4  kind: 1 point, plus 1000 with z, 2000 with m, 3000 with both; or flags 0x80000000 z, 0x40000000 m, 0x20000000 SRID (EWKB)
//! 5  4  SRID, where the flag says so
//! .  8  x: longitude, y: latitude, then z and m
//! ```

use std::borrow::Cow;

use super::position::{Position, RULE, Read, check_srid};

/// Hex digits of the shortest point.
pub(crate) const HEX_LENGTH_MIN: usize = 42;

const HAS_Z: u32 = 0x8000_0000;
const HAS_M: u32 = 0x4000_0000;
const HAS_SRID: u32 = 0x2000_0000;

/// Reads hex digits.
pub(crate) fn of_hex(text: &str) -> Read {
    let digits = text.as_bytes().chunks_exact(2).map(|digits| {
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        u8::from_str_radix(digits, 16).ok()
    });
    let bytes: Option<Vec<u8>> = digits.collect();
    match bytes {
        Some(bytes) if text.len().is_multiple_of(2) => of_bytes(&bytes),
        _ => Err(Cow::Borrowed(RULE)),
    }
}

/// Reads bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Read {
    let rule = || Cow::Borrowed(RULE);
    let mut rest = bytes;
    let is_little = match take::<1>(&mut rest) {
        Some([1]) => true,
        Some([0]) => false,
        _ => return Err(rule()),
    };
    let integer = |rest: &mut &[u8]| {
        let bytes = take::<4>(rest)?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let kind = integer(&mut rest).ok_or_else(rule)?;
    let plain = kind & !(HAS_Z | HAS_M | HAS_SRID);
    if plain % 1_000 != 1 || plain / 1_000 > 3 {
        return Err(rule());
    }
    if kind & HAS_SRID != 0 {
        check_srid(&integer(&mut rest).ok_or_else(rule)?.to_string())?;
    }
    let mut coordinates = Vec::new();
    while let Some(bytes) = take::<8>(&mut rest) {
        coordinates.push(if is_little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) });
    }
    let has_z = kind & HAS_Z != 0 || matches!(plain / 1_000, 1 | 3);
    let has_m = kind & HAS_M != 0 || matches!(plain / 1_000, 2 | 3);
    let expected = 2 + usize::from(has_z) + usize::from(has_m);
    match coordinates.as_slice() {
        // The empty point.
        [longitude, latitude, ..] if longitude.is_nan() && latitude.is_nan() => Ok(None),
        [longitude, latitude, ..] if coordinates.len() == expected && rest.is_empty() => {
            Ok(Some(Position::of(*latitude, *longitude)))
        }
        _ => Err(rule()),
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const XY: &str = "CDCCCCCCCCCC2A400000000000404A40";

    #[test]
    fn points_of_every_kind_are_read() {
        let berlin = Ok(Some(Position::of(52.5, 13.4)));
        assert_eq!(of_hex(&format!("0101000000{XY}")), berlin);
        assert_eq!(of_hex(&format!("0101000020e6100000{XY}").to_lowercase()), berlin);
        assert_eq!(of_hex(&format!("01E9030000{XY}0000000000000000")), berlin);
        assert_eq!(of_hex(&format!("01010000A0E6100000{XY}0000000000000000")), berlin);
        assert_eq!(of_hex("0000000001402ACCCCCCCCCCCD404A400000000000"), berlin);
        assert_eq!(of_hex("0101000000000000000000F87F000000000000F87F"), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            format!("0102000000{XY}"),
            format!("0201000000{XY}"),
            format!("0101000000{XY}00"),
            format!("0101000000{XY}0"),
            format!("01E9030000{XY}"),
            format!("0101000000{}", &XY[2..]),
            format!("01010000{XY}+1"),
            format!("0101000000{}", XY.replace('C', "g")),
        ] {
            assert!(of_hex(&text).is_err(), "{text}");
        }
        let other = of_hex(&format!("0101000020110F0000{XY}")).unwrap_err();
        assert!(other.contains("SRID 3857"), "{other}");
    }
}
