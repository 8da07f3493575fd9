//! How large lists become, and texts made of them. **Units**: bytes, and steps of some ns.

use arrow::{
    array::{Array, AsArray},
    datatypes::{
        DataType, Date32Type, Int64Type, IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    },
};

use super::{measure::ITEM_BYTES, row::Row};

/// A number or a moment as text.
const NUMBER_BYTES: u64 = 32;

/// A number or a moment in a series.
const ITEM_OF_SERIES_BYTES: u64 = 8;

const DAY_NANOSECONDS: i128 = 86_400_000_000_000;

/// `make_array`, `array_append`, `array_concat` and the like: everything that is given.
pub(super) fn together(row: &Row<'_>) -> u64 {
    row.all_bytes().saturating_add(row.arguments() * ITEM_BYTES)
}

pub(super) fn array_repeat(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_add(ITEM_BYTES).saturating_mul(row.times(1))
}

pub(super) fn array_resize(row: &Row<'_>) -> u64 {
    let item = row.bytes(2).saturating_add(ITEM_BYTES);
    row.bytes(0).saturating_add(row.times(1).saturating_mul(item))
}

/// `array_replace` and its kin: each item at worst.
pub(super) fn array_replace(row: &Row<'_>) -> u64 {
    let item = row.bytes(2).saturating_add(ITEM_BYTES);
    row.bytes(0).saturating_add(row.items(0).saturating_mul(item))
}

/// The shorter lists are filled up.
pub(super) fn arrays_zip(row: &Row<'_>) -> u64 {
    row.all_bytes().saturating_add(row.items_max().saturating_mul(row.arguments()).saturating_mul(ITEM_BYTES))
}

/// A number for each item.
pub(super) fn numbers(row: &Row<'_>) -> u64 {
    row.items_max().saturating_mul(ITEM_OF_SERIES_BYTES)
}

pub(super) fn array_to_string(row: &Row<'_>) -> u64 {
    let item = NUMBER_BYTES.saturating_add(row.bytes(1)).saturating_add(row.bytes(2));
    row.bytes(0).saturating_add(row.size(0).leaves.saturating_mul(item))
}

/// Each item of one with each item of the other.
pub(super) fn pairs(row: &Row<'_>) -> u64 {
    row.items(0).saturating_mul(row.items(1))
}

/// `range` and `generate_series`. The largest of all starts and of all ends say nothing.
pub(super) fn series(row: &Row<'_>) -> u64 {
    if row.value(0).is_none() {
        return u64::MAX;
    }
    let ends =
        if row.has(1) { number(row, 0).zip(number(row, 1)) } else { number(row, 0).map(|end| (0, end)) };
    let step = if row.has(2) { step(row) } else { Some(1) };
    let (Some((start, end)), Some(step)) = (ends, step) else { return 0 };
    if step == 0 {
        return 0;
    }
    let items = ((end - start) / step + 1).max(0);
    u64::try_from(items).unwrap_or(u64::MAX).saturating_mul(ITEM_OF_SERIES_BYTES)
}

/// A number, or a moment in ns.
fn number(row: &Row<'_>, argument: usize) -> Option<i128> {
    let (values, place) = row.value(argument)?;
    if values.is_null(place) {
        return None;
    }
    let second = 1_000_000_000;
    Some(match values.data_type() {
        DataType::Int64 => i128::from(values.as_primitive::<Int64Type>().value(place)),
        DataType::Date32 => i128::from(values.as_primitive::<Date32Type>().value(place)) * DAY_NANOSECONDS,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            i128::from(values.as_primitive::<TimestampNanosecondType>().value(place))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            i128::from(values.as_primitive::<TimestampMicrosecondType>().value(place)) * 1_000
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            i128::from(values.as_primitive::<TimestampMillisecondType>().value(place)) * 1_000_000
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            i128::from(values.as_primitive::<TimestampSecondType>().value(place)) * second
        }
        _ => return None,
    })
}

/// The smallest step that an interval can be: a month has 28 days, or goes the other way with 31; a day has 23 hours.
fn step(row: &Row<'_>) -> Option<i128> {
    let (values, place) = row.value(2)?;
    if values.is_null(place) {
        return None;
    }
    if !matches!(values.data_type(), DataType::Interval(_)) {
        return number(row, 2);
    }
    let interval = values.as_primitive_opt::<IntervalMonthDayNanoType>()?.value(place);
    let (months, days, rest) =
        (i128::from(interval.months), i128::from(interval.days), i128::from(interval.nanoseconds));
    let hour = DAY_NANOSECONDS / 24;
    let short = months * 28 * DAY_NANOSECONDS + days * 23 * hour + rest;
    let long = months * 31 * DAY_NANOSECONDS + days * 25 * hour + rest;
    Some(match (short.signum(), long.signum()) {
        (0, 0) => 0,
        (1, 1) => short.min(long),
        (-1, -1) => short.max(long),
        _ => 1,
    })
}
