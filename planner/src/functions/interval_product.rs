//! An interval times or by a number, as PostgreSQL has them and Arrow has not: the fraction of a month becomes days of 30 to the month, the
//! fraction of a day becomes time. Statements write `INTERVAL '1 hour' * 3`; a planner of ours puts these functions there.
//!
//! **Source**: `interval_mul` and `interval_div` of PostgreSQL's `timestamp.c`.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, IntervalMonthDayNanoArray},
    datatypes::{DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit},
    error::ArrowError,
};
use datafusion::{error::Result, logical_expr::ScalarUDF};

use super::row_function::RowFunction;

const DAYS_OF_MONTH: f64 = 30.0;

const SECONDS_OF_DAY: f64 = 86_400.0;

const NANOS_OF_SECOND: f64 = 1e9;

/// An interval times a number.
pub(crate) fn interval_times() -> Arc<ScalarUDF> {
    let compute = |arguments: &[ArrayRef]| each(&arguments[0], &arguments[1], factor);
    RowFunction::new("interval_times", vec![INTERVAL, DataType::Float64], INTERVAL, compute)
        .with_operator("*")
        .into_udf()
}

/// A number times an interval: the same, with a column that is named as it is written.
pub(crate) fn times_interval() -> Arc<ScalarUDF> {
    let compute = |arguments: &[ArrayRef]| each(&arguments[1], &arguments[0], factor);
    RowFunction::new("times_interval", vec![DataType::Float64, INTERVAL], INTERVAL, compute)
        .with_operator("*")
        .into_udf()
}

/// An interval divided by a number.
pub(crate) fn interval_by() -> Arc<ScalarUDF> {
    let compute = |arguments: &[ArrayRef]| each(&arguments[0], &arguments[1], divisor);
    RowFunction::new("interval_by", vec![INTERVAL, DataType::Float64], INTERVAL, compute)
        .with_operator("/")
        .into_udf()
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

fn factor(number: f64) -> Result<impl Fn(f64) -> f64, ArrowError> {
    Ok(move |part| part * number)
}

fn divisor(number: f64) -> Result<impl Fn(f64) -> f64, ArrowError> {
    if number == 0.0 { Err(ArrowError::DivideByZero) } else { Ok(move |part| part / number) }
}

/// Scales the interval of each row by what the number beside it makes.
fn each<S: Fn(f64) -> f64>(
    intervals: &ArrayRef,
    numbers: &ArrayRef,
    scale: impl Fn(f64) -> Result<S, ArrowError>,
) -> Result<ArrayRef> {
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let numbers = numbers.as_primitive::<Float64Type>();
    let scaled = intervals.iter().zip(numbers).map(|pair| match pair {
        (Some(interval), Some(number)) => scaled(interval, scale(number)?).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(scaled.collect::<Result<IntervalMonthDayNanoArray, ArrowError>>()?))
}

fn scaled(
    interval: IntervalMonthDayNano,
    scale: impl Fn(f64) -> f64,
) -> Result<IntervalMonthDayNano, ArrowError> {
    let months = scale(f64::from(interval.months));
    let days = scale(f64::from(interval.days));
    let month_days = to_micros(months.fract() * DAYS_OF_MONTH);
    let seconds = to_micros((days.fract() + month_days.fract()) * SECONDS_OF_DAY);
    let carried = (seconds / SECONDS_OF_DAY).trunc();
    let seconds = seconds - carried * SECONDS_OF_DAY;
    let interval = small(months).zip(small(days.trunc() + month_days.trunc() + carried)).zip(
        scaled_time(interval.nanoseconds, scale)
            .and_then(|time| time.checked_add(large(seconds * NANOS_OF_SECOND)?)),
    );
    let out_of_range = || ArrowError::ArithmeticOverflow("interval out of range".to_owned());
    interval
        .map(|((months, days), time)| IntervalMonthDayNano::new(months, days, time))
        .ok_or_else(out_of_range)
}

/// A time of whole µs stays one, as in PostgreSQL; doubles hold 285 years of them. **Units**: ns.
fn scaled_time(nanoseconds: i64, scale: impl Fn(f64) -> f64) -> Option<i64> {
    if nanoseconds % 1_000 == 0 {
        large(scale((nanoseconds / 1_000) as f64))?.checked_mul(1_000)
    } else {
        large(scale(nanoseconds as f64))
    }
}

/// A number of seconds or days without what only rounding has put behind its sixth digit.
fn to_micros(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[expect(clippy::cast_possible_truncation, reason = "the range is looked at; fractions are to be cut")]
fn small(number: f64) -> Option<i32> {
    (number.abs() <= f64::from(i32::MAX)).then_some(number as i32)
}

#[expect(clippy::cast_possible_truncation, reason = "the range is looked at, and the number is whole")]
fn large(number: f64) -> Option<i64> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    (number.abs() < BEYOND).then_some(number.round_ties_even() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn fractions_go_down_to_the_next_unit() {
        for ((months, days, nanoseconds), factor, expected) in [
            ((0, 0, HOUR), 3.0, (0, 0, 3 * HOUR)),
            ((1, 0, 0), 1.5, (1, 15, 0)),
            ((1, 1, 0), -0.5, (0, -15, -12 * HOUR)),
            ((0, 1, 0), 0.25, (0, 0, 6 * HOUR)),
            ((1, 0, 0), 0.05, (0, 1, 12 * HOUR)),
            ((1, 20, 0), 0.99, (0, 49, 12 * HOUR)),
            ((0, 0, 7), 3.0, (0, 0, 21)),
            ((12, 3, HOUR), 0.0, (0, 0, 0)),
        ] {
            let interval = IntervalMonthDayNano::new(months, days, nanoseconds);
            let (months, days, nanoseconds) = expected;
            let expected = IntervalMonthDayNano::new(months, days, nanoseconds);
            assert_eq!(scaled(interval, |part| part * factor).unwrap(), expected, "{interval:?} * {factor}");
        }
    }

    #[test]
    fn a_seventh_of_an_hour_is_told_in_microseconds() {
        let sevenths = scaled(IntervalMonthDayNano::new(0, 0, HOUR), |part| part / 7.0).unwrap();
        assert_eq!(sevenths.nanoseconds, 514_285_714_000);
    }

    #[test]
    fn what_an_interval_cannot_hold_is_an_error() {
        for factor in [1e30, f64::NAN, f64::INFINITY] {
            let interval = IntervalMonthDayNano::new(1, 1, HOUR);
            assert!(scaled(interval, |part| part * factor).is_err(), "{factor}");
        }
    }
}
