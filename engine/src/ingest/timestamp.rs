//! Timestamps: every Arrow unit and zone, and Unix seconds as integers, become µs UTC within the accepted range.

use std::time::Duration;

use arrow::{
    array::{Array, AsArray, TimestampMicrosecondArray},
    buffer::ScalarBuffer,
    compute::cast,
    datatypes::{
        DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};
use chrono::{DateTime, SecondsFormat};

use super::{
    bad_rows::{Found, refuse_nulls, refuse_rows, wrong_type},
    columns::InputColumn,
    epoch::{UNIX_SECONDS_MAX, not_seconds},
    number::count_if,
    plain::unpacked,
};
use crate::error::Result;

/// Reads the timestamp column: not null, not before 1970, not further than `max_future` ahead of `now_micros`.
pub(super) fn read(
    column: &InputColumn<'_>,
    now_micros: i64,
    max_future: Duration,
) -> Result<TimestampMicrosecondArray> {
    let unpacked = unpacked(column.array)?;
    let array = unpacked.as_deref().unwrap_or(column.array);
    let data_type = array.data_type();
    let (ticks, unit) = match data_type {
        DataType::Int64 | DataType::Int32 | DataType::UInt32 => {
            (cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().values().clone(), TimeUnit::Second)
        }
        DataType::Timestamp(unit, _) => (ticks(array, *unit), *unit),
        DataType::Null => (ScalarBuffer::from(vec![0; array.len()]), TimeUnit::Second),
        _ => {
            let accepted = "an Arrow timestamp of any unit and zone, or Unix seconds as Int64";
            return Err(wrong_type(&column.name, column.array.data_type(), accepted));
        }
    };
    refuse_nulls(&column.name, array.logical_nulls().as_ref())?;
    if data_type.is_integer() {
        refuse_finer_units(&column.name, &ticks)?;
    }
    let max_future_micros = i64::try_from(max_future.as_micros()).unwrap_or(i64::MAX);
    let limit_micros = now_micros.saturating_add(max_future_micros);
    refuse_outside(&column.name, &ticks, unit, limit_micros, || {
        let now = instant_text(now_micros, TimeUnit::Microsecond);
        format!("is more than {max_future:?} ahead of the clock ({now})")
    })?;
    Ok(TimestampMicrosecondArray::new(to_micros(ticks, unit), None).with_timezone("UTC"))
}

/// The instant as RFC 3339 text, or the bare number where the calendar ends.
pub(super) fn instant_text(ticks: i64, unit: TimeUnit) -> String {
    let per_second = ticks_per_second(unit);
    let nanos = ticks.rem_euclid(per_second) * (1_000_000_000 / per_second);
    u32::try_from(nanos)
        .ok()
        .and_then(|nanos| DateTime::from_timestamp(ticks.div_euclid(per_second), nanos))
        .map_or_else(|| ticks.to_string(), |instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The numbers of a timestamp column. A zone only says how to show them: they count from 1970 UTC in any.
pub(super) fn ticks(array: &dyn Array, unit: TimeUnit) -> ScalarBuffer<i64> {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values().clone(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values().clone(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values().clone(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values().clone(),
    }
}

fn refuse_finer_units(name: &str, seconds: &[i64]) -> Result<()> {
    if count_if(seconds, |value| value > UNIX_SECONDS_MAX) == 0 {
        return Ok(());
    }
    let bad_rows = (0..seconds.len()).filter(|row| seconds[*row] > UNIX_SECONDS_MAX);
    refuse_rows(name, bad_rows, |row| {
        let looks = not_seconds(seconds[row] as f64);
        Found::new(seconds[row], format!("{looks}; send Unix seconds or an Arrow timestamp"))
    })
}

/// Compares in the column's own unit, so that what passes cannot overflow when it is converted.
fn refuse_outside(
    name: &str,
    ticks: &[i64],
    unit: TimeUnit,
    limit_micros: i64,
    too_late: impl Fn() -> String,
) -> Result<()> {
    let limit = match unit {
        TimeUnit::Nanosecond => limit_micros.saturating_mul(1_000).saturating_add(999),
        _ => limit_micros.div_euclid(1_000_000 / ticks_per_second(unit)),
    };
    if count_if(ticks, |value| value < 0 || value > limit) == 0 {
        return Ok(());
    }
    let before_1970 = (0..ticks.len()).filter(|row| ticks[*row] < 0);
    refuse_rows(name, before_1970, |row| {
        Found::new(instant_text(ticks[row], unit), "is before 1970-01-01T00:00:00Z")
    })?;
    let after_limit = (0..ticks.len()).filter(|row| ticks[*row] > limit);
    refuse_rows(name, after_limit, |row| Found::new(instant_text(ticks[row], unit), too_late()))
}

/// Nanoseconds are rounded down. **Units**: µs.
fn to_micros(ticks: ScalarBuffer<i64>, unit: TimeUnit) -> ScalarBuffer<i64> {
    match unit {
        TimeUnit::Second => ticks.iter().map(|seconds| seconds * 1_000_000).collect(),
        TimeUnit::Millisecond => ticks.iter().map(|millis| millis * 1_000).collect(),
        TimeUnit::Microsecond => ticks,
        TimeUnit::Nanosecond => ticks.iter().map(|nanos| nanos.div_euclid(1_000)).collect(),
    }
}

fn ticks_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}
